import { err, ok, type Result, sameRow } from '../../cci/index.ts';
import { type Decision, errnoTable, FABRIC_TENANT, type Principal, type RawGate } from '../../policy/index.ts';
import { canFilter, ownsEnd } from '../filter/index.ts';
import type { Decided, Decoded, Refusal, Request, Services, SwitchRuntime } from './context.ts';
import { typedRow } from './decode.ts';
import type { Repeat } from './repeats.ts';

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
  const input = inputFor(runtime, principal, decoded);
  const decision = services.policy.current.decide(input, gate);
  services.crosscheck?.observe(principal, decision, input.posture);
  services.policy.shadow?.observe(input, gate, decision);
  return decision;
}

/** A decision that still stands. The crosscheck may want to see it as well. */
export function decideRepeat(
  services: Services,
  runtime: SwitchRuntime,
  principal: Principal,
  decoded: Decoded,
  { decision }: Repeat,
): Allowed {
  services.crosscheck?.observe(principal, decision, runtime.posture.posture());
  return { principal, runtime, decoded, decision };
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
  if (isOutdated(services, decoded)) return changedMeanwhile;
  if (decision.verdict === 'deny') return outwardRefusal(decision);
  return canBeAnswered(services, runtime, principal, decoded, decision)
    ? undefined
    : {
        code: 'ENOTTY',
        detail: 'this command is not offered to tenants: its reply cannot be cut down to what is yours',
        returnCode: errnoTable.ENOTTY.returnCode,
      };
}

/**
 * INVARIANT: bytes made or read by one row are never judged, sent or answered by another. A reload may have changed what a
 * vendor's opcode means since the command was decoded.
 */
function isOutdated({ policy }: Services, { commands, submission }: Decoded): boolean {
  const now = policy.current.commands;
  const { opcode } = submission.command;
  return commands !== now && !sameRow(commands.rowByOpcode(opcode), now.rowByOpcode(opcode));
}

/** What anything gets that is not there, or not the caller's. */
export const foreign: Refusal = {
  code: 'EPERM',
  detail: errnoTable.EPERM.text,
  returnCode: errnoTable.EPERM.returnCode,
};

export const changedMeanwhile: Refusal = {
  code: 'EAGAIN',
  detail: 'what this was about has changed while it waited: ask again',
  returnCode: errnoTable.EAGAIN.returnCode,
  retryAfterMs: 0,
};

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
  const row = typedRow(decision.command.opcode, decoded.commands);
  const all = principal.tenant === FABRIC_TENANT;
  const { tenant } = principal;
  const { fabric } = services.policy.current;
  const whole = ownsEnd({ tenant, fabric, switch: runtime.name, hops: decision.command.hops }, runtime.topology);
  // A reply without a layout cannot be filtered: it is for operators, or for who owns all it can speak of.
  if (row === undefined || decision.facts.class === 'raw') return all || (whole && decision.command.hops.length > 0);
  // What the broker makes up for the caller is his own.
  if (row.virtual !== undefined && decision.command.hops.length === 0) return true;
  return canFilter(row, decoded.asked ?? {}, all, whole);
}
