import { hex16 } from '../../cci/index.ts';
import type { RuleEngine } from '../engine.ts';
import {
  type Decision,
  type DecisionInput,
  FABRIC_TENANT,
  type RawGate,
  type Reason,
  type ResourcePath,
} from '../types.ts';
import { checkAccess, hasWholeSwitch, mayName } from './access.ts';
import { celGate } from './cel.ts';
import { classify, commandName, commandRef, isMutating, rawCause, undeclaredEffects } from './classify.ts';
import { mandatoryFacts, mandatoryReasons } from './mandatory.ts';
import { narrow } from './narrow.ts';
import { exclusiveReasons, offeredReasons } from './offered.ts';
import { isDisclosed, outwardAnswer } from './outward.ts';
import { canonicalPayload, readPayload } from './payload.ts';
import { passGates } from './raw-gate.ts';
import { reachOf } from './reach.ts';
import { inStepOrder, reason } from './reason.ts';
import { resolve } from './resolve.ts';
import { scopeReasons } from './scope-cap.ts';
import { checkStructure, type Misshapen, type Shape } from './structure.ts';
import { acceptedTaints, disagreementTaint } from './taints.ts';
import { pathEnd } from './terminal.ts';

export interface DecideOptions {
  /** Who sees reasons besides holders of `cci:policy`: whoever named only his own objects, or nobody. */
  readonly discloseReasons: 'own' | 'none';
}

/**
 * All steps of policy section 3, none left out because another failed: the journal has every reason. Pure and total: an
 * inconsistency inside denies.
 *
 * @param gate what `rawGate` said of the same input
 */
export function decide(engine: RuleEngine, options: DecideOptions, input: DecisionInput, gate: RawGate): Decision {
  try {
    const shaped = checkStructure(input, engine.fabric, engine.commands);
    return shaped.ok
      ? decideShape(engine, options, input, gate, shaped.value)
      : denyForm(engine, options, input, shaped.error);
  } catch (error) {
    const text = `the policy layer contradicts itself: ${error instanceof Error ? error.message : 'unknown'}`;
    return denyForm(engine, { discloseReasons: 'none' }, input, {
      reason: reason('structure', 'EIO', 'internal', text),
      noSuchSwitch: true,
    });
  }
}

function decideShape(
  engine: RuleEngine,
  options: DecideOptions,
  input: DecisionInput,
  gate: RawGate,
  shape: Shape,
): Decision {
  const { principal, posture, topology } = input;
  const { fabric } = engine;
  const { tenant } = principal;
  const payload = readPayload(shape);
  const end = pathEnd(topology, shape.hops);

  const cause = rawCause(shape, topology);
  const { class: commandClass, scope } = classify(shape, payload.params, cause);
  const ref = commandRef(shape, commandClass, scope);
  const mutating = isMutating(shape, payload.params, cause);

  const everything = hasWholeSwitch(engine, principal, shape.switchName, ref);
  const ownership = { fabric, tenant, everything };
  const listable = (path: ResourcePath): boolean =>
    mayName(ownership, { path }) && (tenant !== FABRIC_TENANT || engine.grant(principal, path, ref).allowed);
  const narrowed =
    payload.params === undefined
      ? undefined
      : narrow(shape, topology, end.terminal, payload.params, listable, everything);
  const params = narrowed?.params;
  const empty = narrowed?.empty === true;
  const resolved = resolve({ shape, topology, end, params, kept: narrowed?.narrowing?.kept, everything, mutating });
  const resolution = empty ? { ...resolved, targets: [], anyOf: [] } : resolved;
  // Nothing is sent for an empty answer, and nothing where the payload was refused.
  const nothing = empty || payload.reasons.length > 0 ? 'fine' : 'refused';
  const access = checkAccess(engine, principal, ownership, shape.switchName, resolution, ref, nothing);
  const { touched, owners } = access;
  const reach = reachOf({ shape, topology, fabric, end, params, cause, mutating, owners, tenant });

  const cel = celGate(shape, topology);
  const granted = access.grants.length > 0 && access.grants.every(({ allowed }) => allowed);
  const state = { shape, topology, posture, params, ref, cause, tenant, mutating, reach, touched, granted };
  const asked = mandatoryFacts(state);
  const others = [
    ...gateReasons(input, shape, gate, cause !== undefined),
    ...payload.reasons,
    ...exclusiveReasons(shape, cause),
    ...offeredReasons(shape, topology, end, cause),
    ...mandatoryReasons(engine, asked),
    ...scopeReasons(principal, commandClass, scope),
    ...access.reasons,
  ];
  const reasons = inStepOrder(distinctReasons([...others, ...cel.reasons]));
  const allowed = reasons.length === 0;
  // Whatever else stands against it, so that a refusal does not tell whether somebody else has been there before; but
  // never for a component that is not the caller's: probing reaches no device.
  const needsCel = cel.unread !== undefined && !access.foreign ? { needsCel: cel.unread } : {};
  const undeclared = access.foreign ? 0 : undeclaredEffects(shape, topology);
  return {
    verdict: allowed ? 'allow' : 'deny',
    facts: {
      opcode: shape.opcode,
      command: commandName(shape),
      class: commandClass,
      scope,
      mutating,
      hops: shape.hops,
      touched,
      tenants: reach.tenants,
      reach: reach.reach,
      conditions: [...asked.conditions],
      activeTaint: asked.taint,
    },
    command: {
      ...shape.command,
      // An empty answer sends nothing; if it ever were sent, no device would take a list of none.
      payload: empty ? new Uint8Array(0) : canonicalPayload(shape, params),
    },
    answer: empty ? 'empty' : 'device',
    ...(narrowed?.narrowing === undefined ? {} : { narrowing: narrowed.narrowing }),
    grants: access.grants,
    reasons,
    ...(allowed ? {} : { outward: outwardAnswer(reasons, access.foreign) }),
    disclosed: isDisclosed(options.discloseReasons, principal, access.allOwn),
    taints: [
      ...(undeclared === 0 ? [] : [disagreementTaint(shape, undeclared)]),
      ...(allowed && !empty ? acceptedTaints(shape, scope) : []),
      ...(gate.kind === 'accepted' ? gate.taints : []),
    ],
    ...needsCel,
    basis: basisOf(engine, input),
  };
}

/**
 * The gate's own refusal; and, whatever was handed in, a raw command that no gate accepted does not pass. The gates are
 * asked again because the posture may have changed since.
 */
function gateReasons(input: DecisionInput, shape: Shape, gate: RawGate, isRaw: boolean): readonly Reason[] {
  if (!isRaw) return [];
  if (gate.kind === 'refused') return [gate.reason];
  const { refused } = passGates(input.posture, shape.opcode);
  if (refused !== undefined) return [refused];
  if (gate.kind === 'accepted') return [];
  return [reason('raw-gate', 'EPERM', 'R7', 'the command is raw and did not go through the gate')];
}

/** The gate and a later step may find the same. */
function distinctReasons(reasons: readonly Reason[]): readonly Reason[] {
  const seen = new Set<string>();
  return reasons.filter(({ step, rule, text }) => {
    const key = `${step} ${rule} ${text}`;
    return !seen.has(key) && seen.add(key);
  });
}

/** A command without a sound form touches nothing that could be told. */
function denyForm(
  engine: RuleEngine,
  options: DecideOptions,
  input: DecisionInput,
  { reason: refusal, noSuchSwitch }: Misshapen,
): Decision {
  const { command } = input.submission;
  const opcode = Number(command?.opcode);
  return {
    verdict: 'deny',
    facts: {
      opcode,
      command: Number.isInteger(opcode) ? `opcode:${hex16(opcode)}` : 'no opcode',
      class: 'raw',
      scope: 3,
      mutating: true,
      hops: [],
      touched: [],
      tenants: [],
      reach: 'opaque',
      conditions: [],
      activeTaint: [],
    },
    command,
    answer: 'device',
    grants: [],
    reasons: [refusal],
    outward: outwardAnswer([refusal], noSuchSwitch),
    disclosed: isDisclosed(options.discloseReasons, input.principal, !noSuchSwitch),
    taints: [],
    basis: basisOf(engine, input),
  };
}

function basisOf(engine: RuleEngine, { principal, posture, topology }: DecisionInput): Decision['basis'] {
  return {
    snapshot: engine.id,
    posture: posture.version,
    topology: topology.version,
    tokenExpiresAtMs: principal.expiresAtMs,
  };
}
