import { err, ok, type Result } from '../../cci/index.ts';
import {
  type Decision,
  errnoTable,
  FABRIC_TENANT,
  type Principal,
  type RawGate,
  type ResourcePath,
} from '../../policy/index.ts';
import { canFilter } from '../filter/index.ts';
import type { Decided, Decoded, Refusal, Request, Services, SwitchRuntime } from './context.ts';
import { typedRow } from './decode.ts';

/** Reading a CEL can make a second look necessary, and the tunnels above it a third. */
const LOOKS_MAX = 4;

/** A refusal with the decision behind it, for the journal: the caller sees only the refusal. */
export interface DeniedByPolicy {
  readonly refusal: Refusal;
  readonly decision: Decision;
}

/** What `decide` adds to what was there. */
export type Allowed = Omit<Decided, 'stillValid'>;

/**
 * Stages 4 to 6: classify, resolve and narrow, decide. A raw command that passes the gate taints here, durably, before
 * anything else is asked of it (R10). If that cannot be written down the command is refused.
 */
export async function decide(
  services: Services,
  runtime: SwitchRuntime,
  principal: Principal,
  decoded: Decoded,
  request: Request,
): Promise<Result<Allowed, DeniedByPolicy>> {
  const gate = gateFor(services, runtime, principal, decoded);
  if (gate.kind === 'accepted') await raiseTaints(runtime, principal, request, gate.taints);
  const { decision, refusal } = await consider(services, runtime, principal, decoded, gate);
  if (refusal !== undefined) await raiseTaints(runtime, principal, request, newTaints(runtime, found(decision)));
  return refusal === undefined ? ok({ principal, runtime, decoded, decision }) : err({ refusal, decision });
}

/** The decision without any effect but reading a CEL that nobody has read yet. */
export async function consider(
  services: Services,
  runtime: SwitchRuntime,
  principal: Principal,
  decoded: Decoded,
  gate: RawGate = gateFor(services, runtime, principal, decoded),
): Promise<{ readonly decision: Decision; readonly refusal: Refusal | undefined }> {
  let decision = look(services, runtime, principal, decoded, gate);
  for (let looks = 1; looks < LOOKS_MAX && decision.needsCel !== undefined; looks++) {
    const read = await runtime.topology.readCel(decision.needsCel);
    if (!read.ok) break;
    decision = look(services, runtime, principal, decoded, gate);
  }
  const refusal = refusalOf(services, runtime, principal, decoded, decision);
  // A CEL that could not be read because the switch is away says nothing about what is offered.
  const isAway = decision.needsCel?.length === 0 || runtime.device.state !== 'serving';
  return {
    decision,
    refusal: refusal?.code === 'ENOTTY' && decision.needsCel !== undefined && isAway ? away : refusal,
  };
}

const away: Refusal = {
  code: 'EIO',
  detail: 'the command was not sent: the switch is not available',
  returnCode: errnoTable.EIO.returnCode,
};

/** One evaluation of all steps on what is known now. Pure but for reading the posture. */
export function look(
  services: Services,
  runtime: SwitchRuntime,
  principal: Principal,
  decoded: Decoded,
  gate: RawGate = gateFor(services, runtime, principal, decoded),
): Decision {
  return services.policy.current.decide(inputFor(runtime, principal, decoded), gate);
}

/** What the raw gate says now. */
function gateFor(services: Services, runtime: SwitchRuntime, principal: Principal, decoded: Decoded): RawGate {
  return services.policy.current.rawGate(inputFor(runtime, principal, decoded));
}

function inputFor(runtime: SwitchRuntime, principal: Principal, decoded: Decoded) {
  return {
    principal,
    submission: decoded.submission,
    posture: runtime.posture.posture(),
    topology: runtime.topology,
  };
}

/** Taint E tells of the component, not of the command: it stands whatever becomes of the command. */
export function found({ taints }: Decision): Decision['taints'] {
  return taints.filter(({ letter }) => letter === 'E');
}

/** Those that the register does not show yet, so that repeating a command writes the ledger once. */
export function newTaints(runtime: SwitchRuntime, taints: Decision['taints']): Decision['taints'] {
  if (taints.length === 0) return taints;
  const { counts = [] } = runtime.posture.posture().taint;
  return taints.filter(
    ({ letter, scope }) => !counts.some((known) => known.letter === letter && known.scope === scope),
  );
}

/** @throws what the ledger throws: then nothing may be sent */
export async function raiseTaints(
  runtime: SwitchRuntime,
  principal: Principal,
  request: Request,
  taints: Decision['taints'],
): Promise<void> {
  for (const taint of taints) {
    await runtime.posture.taint(taint.letter, {
      by: principal.name,
      record: request.id,
      scope: taint.scope,
      reason: taint.reason,
    });
  }
}

/** What stands against a command, as its caller may see it; undefined when nothing does. */
export function refusalOf(
  services: Services,
  runtime: SwitchRuntime,
  principal: Principal,
  decoded: Decoded,
  decision: Decision,
): Refusal | undefined {
  if (decision.verdict === 'deny') return outwardRefusal(decision);
  return canBeAnswered(services, runtime, principal, decoded, decision)
    ? undefined
    : {
        code: 'ENOTTY',
        detail: 'this command is not offered to tenants: its reply cannot be cut down to what is yours',
        returnCode: errnoTable.ENOTTY.returnCode,
      };
}

function outwardRefusal(decision: Decision): Refusal {
  const outward = decision.outward ?? {
    errno: 'EPERM' as const,
    returnCode: errnoTable.EPERM.returnCode,
    text: 'not permitted',
  };
  const base = { code: outward.errno, detail: outward.text, returnCode: outward.returnCode };
  return decision.disclosed ? { ...base, reasons: decision.reasons.map(disclosed) } : base;
}

function disclosed(reason: Decision['reasons'][number]) {
  const { step, rule, errno, text, source } = reason;
  return source === undefined ? { step, rule, errno, text } : { step, rule, errno, text, source };
}

function canBeAnswered(
  services: Services,
  runtime: SwitchRuntime,
  principal: Principal,
  decoded: Decoded,
  decision: Decision,
): boolean {
  const row = typedRow(decision.command.opcode);
  const all = principal.tenant === FABRIC_TENANT;
  const whole = ownsEnd(services, runtime, principal, decision);
  // A reply without a layout cannot be filtered: it is for operators, or for who owns all it can speak of.
  if (row === undefined || decision.facts.class === 'raw') return all || (whole && decision.command.hops.length > 0);
  return canFilter(row, decoded.asked ?? {}, all, whole);
}

/** Does everything at the end of the path belong to the caller? */
function ownsEnd(services: Services, runtime: SwitchRuntime, principal: Principal, decision: Decision): boolean {
  const { fabric } = services.policy.current;
  const [port, below] = decision.command.hops;
  if (port?.kind !== 'port') return false;
  const path: ResourcePath = `/switches/${runtime.name}/ports/${port.port}`;
  if (fabric.ownerOf(path) === principal.tenant) return true;
  return below?.kind === 'ld' && fabric.ownerOf(`${path}/lds/${below.ld}`) === principal.tenant;
}
