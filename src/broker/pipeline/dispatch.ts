import { encodeRoute, isSuccess, RC, type RoutedCommand, VENDOR_FIRST } from '../../cci/index.ts';
import { type Decision, errnoTable, FABRIC_TENANT, type ResourcePath } from '../../policy/index.ts';
import type { Asker, DeviceReply, OwnSend } from '../device.ts';
import type { Work } from '../operations.ts';
import { covers, everything, type Footprint, laneOf } from '../schedule/index.ts';
import type { Decided, Refusal, Request, Services, SwitchRuntime } from './context.ts';
import { reached } from './course.ts';
import { changedMeanwhile, found, look, newTaints, raiseTaints, refusalOf } from './decide.ts';
import { recordIntent, recordOutcome } from './record.ts';
import { virtualReply } from './virtual.ts';

/** What happened to a command whose turn came. */
export type Dispatched =
  | {
      readonly kind: 'answered';
      readonly decision: Decision;
      readonly reply: DeviceReply;
      readonly intent: number | undefined;
    }
  /** Refused when its turn came: something it rested on had changed. Nothing was sent, whatever the intent says. */
  | {
      readonly kind: 'refused';
      readonly decision: Decision;
      readonly refusal: Refusal;
      readonly intent: number | undefined;
    };

/**
 * Stages 7 to 9: waits for its turn, decides again if anything the decision rested on has changed, records the intent
 * durably if the command changes state or is raw, and sends the re-encoded command.
 */
export async function dispatch(services: Services, request: Request, decided: Decided): Promise<Dispatched> {
  const { runtime, principal } = decided;
  let { decision } = decided;
  let intent: number | undefined;
  let left = false;
  let placed: Footprint | undefined;
  const footprint = (): Footprint => {
    placed ??= footprintOf(decided.decision);
    return placed;
  };
  if (services.journal.health().state !== 'open') return { kind: 'refused', decision, refusal: unrecordable, intent };
  await raiseTaints(runtime, principal, request, decision.taints);
  /** What stands against it now that its turn has come. */
  const inTheWay = async (): Promise<Refusal | undefined> => {
    if (services.journal.health().state !== 'open') return unrecordable;
    if (request.cancellation?.cancelled === true) return gone;
    const again = await decideAgain(services, request, decided, decision);
    // Its place among the others rests on what it touched when it was given one.
    const isMoved = runtime.device.ordersByResource && !covers(footprint(), footprintOf(again.decision));
    decision = again.decision;
    if (again.refusal !== undefined) return again.refusal;
    if (isMoved) return changedMeanwhile;
    // While it waited the background slot may have passed to somebody else.
    return virtualReply({ ...decided, decision }) === undefined ? undefined : changedMeanwhile;
  };
  try {
    const reply = await runtime.device.execute<Refusal>(
      askerOf(request, decided, footprint),
      async () => {
        reached(request, 'turn');
        const refusal = await inTheWay();
        if (refusal !== undefined) return { go: false, refusal };
        if (needsIntent(decision) || services.recording?.durability === 'strict') {
          const { command } = decision;
          const recorded = await services.busyPoll.whileWriting(recordIntent(services, request, decided, decision));
          if (recorded === 'undelivered') return { go: false, refusal: undelivered };
          intent = recorded;
          // Lockdown may have been raised, or the policy replaced, while the intent went to the disk.
          const late = (await inTheWay()) ?? (isSame(command, decision.command) ? undefined : changedMeanwhile);
          if (late !== undefined) return { go: false, refusal: late };
        }
        left = true;
        reached(request, 'sent');
        services.busyPoll.keep();
        return { go: true, command: decision.command };
      },
      (answer, send) => {
        reached(request, 'answered');
        return settle(services, request, decided, decision, answer, send);
      },
    );
    if (reply.kind === 'refused') {
      if (reply.refusal === gone) return { kind: 'answered', decision, reply: wentAway, intent };
      return { kind: 'refused', decision, refusal: reply.refusal, intent };
    }
    // Known to the disk before the caller hears of it: after a restart the operation still has its owner.
    await runtime.operations.saved();
    return { kind: 'answered', decision, reply, intent };
  } catch (error) {
    // A defect of ours: what is known of the command's fate is written down before it is told.
    if (intent !== undefined) {
      const note = 'the broker failed while the command was under way';
      await recordOutcome(services, request, decided, decision, {
        outcome: left ? 'unknown' : 'not-sent',
        intent,
        note,
      });
    }
    throw error;
  }
}

/** How the command waits for the device. */
function askerOf(request: Request, { principal }: Decided, footprint: () => Footprint): Asker {
  const { deadlineMs, cancellation } = request;
  return {
    tenant: principal.tenant,
    lane: laneOf(principal.tenant === FABRIC_TENANT),
    footprint,
    ...(deadlineMs === undefined ? {} : { deadlineMs }),
    ...(cancellation === undefined ? {} : { cancellation }),
  };
}

/**
 * What must keep its order with the command. Whatever reaches beyond the caller's own or moves ports and bindings is
 * alone with the device: the fabric is read again before anything else is decided about.
 */
function footprintOf({ facts, command }: Decision): Footprint {
  const changes = facts.mutating || facts.class === 'raw';
  const reachesFar = facts.reach !== 'own' && facts.reach !== 'query';
  if (changes && (facts.class === 'raw' || reachesFar || isFabricSet(command.opcode))) return everything;
  return { kind: 'resources', changes, paths: facts.touched };
}

/** Are the bytes those that the intent tells of? */
function isSame(intended: RoutedCommand, now: RoutedCommand): boolean {
  if (intended === now) return true;
  const [before, after] = [encodeRoute(intended), encodeRoute(now)];
  return before.opcode === after.opcode && Buffer.compare(before.payload, after.payload) === 0;
}

/** State-changing and raw commands leave only after their intent is on disk. */
export function needsIntent(decision: Decision): boolean {
  return decision.facts.mutating || decision.facts.class === 'raw';
}

async function decideAgain(
  services: Services,
  request: Request,
  decided: Decided,
  decision: Decision,
): Promise<{ readonly decision: Decision; readonly refusal?: Refusal }> {
  const { runtime, principal, decoded } = decided;
  const { basis } = decision;
  if (!(await decided.stillValid())) return { decision, refusal: expired };
  const unchanged =
    basis.snapshot === services.policy.current.id &&
    basis.posture === runtime.posture.posture().version &&
    basis.topology === runtime.topology.version;
  if (unchanged) return { decision };
  // The gate is asked again as well: lockdown may have been raised. Its taint stands already.
  const fresh = look(services, runtime, principal, decoded);
  const refusal = refusalOf(services, runtime, principal, decoded, fresh);
  // What it raises now that it did not raise before: a CEL that was read meanwhile makes a command raw, for example.
  await raiseTaints(
    runtime,
    principal,
    request,
    newTaints(runtime, refusal === undefined ? fresh.taints : found(fresh)),
  );
  if (refusal === undefined) return { decision: fresh };
  // The CEL was forgotten with the device; nobody can say yet that the command is not offered.
  const isUnread = refusal.code === 'ENOTTY' && fresh.needsCel !== undefined;
  return { decision: fresh, refusal: isUnread ? changedMeanwhile : refusal };
}

/** Nothing is sent unrecorded, reads included. */
export const unrecordable: Refusal = {
  code: 'EIO',
  detail: 'refused: the journal cannot be written, and nothing is sent unrecorded',
  returnCode: errnoTable.EIO.returnCode,
};

/** Where records have to arrive before anything is sent, and this one did not. */
const undelivered: Refusal = {
  code: 'EIO',
  detail: 'refused: the record could not be delivered to a place that has to have it first',
  returnCode: errnoTable.EIO.returnCode,
};

/** The client went away: nobody hears this, the journal has it as a command that was not sent. */
const gone: Refusal = {
  code: 'EAGAIN',
  detail: 'the client went away before it was sent',
  returnCode: errnoTable.EAGAIN.returnCode,
};

const wentAway: DeviceReply = {
  kind: 'failed',
  failure: { outcome: 'not-sent', errno: 'EAGAIN', text: gone.detail, noTurn: 'cancelled' },
};

const expired: Refusal = {
  code: 'EAUTH',
  detail: 'the token expired or was revoked while the command waited',
  returnCode: errnoTable.EPERM.returnCode,
};

/** Before the next command's turn: a malformed reply taints, a changed fabric is read again, background work gets its owner. */
async function settle(
  services: Services,
  request: Request,
  decided: Decided,
  decision: Decision,
  answer: DeviceReply,
  send: OwnSend,
): Promise<void> {
  const { runtime } = decided;
  if (answer.kind === 'failed') {
    if (answer.failure.outcome === 'unknown') {
      runtime.topology.forget();
      // It may run all the same: once the switch answers again it says so, and then the work has its owner.
      if (mayRunOn(decided, decision)) runtime.operations.suspect(workOf(services, request, decided, decision));
    }
    return;
  }
  if (answer.kind === 'malformed') {
    await raiseMalformed(services, request, decided, decision, answer.text);
  } else if (answer.reply.layers.at(-1)?.returnCode === RC.backgroundStarted) {
    runtime.operations.start(workOf(services, request, decided, decision));
  }
  if (needsIntent(decision)) runtime.events.wake();
  if (changesFabric(decision, answer)) await runtime.topology.read(send).catch(() => runtime.topology.forget());
}

/** Work that the command started in the background. */
function workOf(services: Services, request: Request, decided: Decided, decision: Decision): Work {
  const { principal, decoded } = decided;
  const option = decoded.asked?.option;
  const { hops } = decision.command;
  return {
    id: request.id,
    tenant: principal.tenant,
    principal: principal.name,
    command: decision.facts.command,
    opcode: decision.command.opcode,
    startedAtMs: services.nowMs(),
    ...(hops.length === 0 ? {} : { hops }),
    // Both wait for the host to let go; a surprise removal asks nobody.
    ...(option === 'wait-for-link-down' || option === 'managed-hot-remove' ? { waitsForHost: true as const } : {}),
  };
}

/** Can it take the background slot of the component that executes it? */
export function mayRunOn({ decoded }: Pick<Decided, 'decoded'>, { command, facts }: Decision): boolean {
  return facts.class === 'raw' || (decoded.commands.rowByOpcode(command.opcode)?.background ?? 'never') !== 'never';
}

/**
 * Taint M. It is in force even where the ledger cannot be written, and the command was executed: a failing disk must
 * keep neither its outcome from being recorded nor the fabric from being read again.
 */
export async function raiseMalformed(
  services: Services,
  request: Request,
  { runtime, principal }: Decided,
  decision: Decision,
  text: string,
): Promise<void> {
  const taint = { letter: 'M', scope: componentScope(runtime, decision), reason: `malformed reply: ${text}` } as const;
  await raiseTaints(runtime, principal, request, [taint]).catch((error: unknown) =>
    services.log.error({ requestId: request.id, err: error }, 'a taint could not be written down'),
  );
}

/** The subtree that a misbehaving component taints: its port, or the switch itself. */
export function componentScope(runtime: SwitchRuntime, decision: Decision): ResourcePath {
  const [port] = decision.command.hops;
  return port?.kind === 'port' ? `/switches/${runtime.name}/ports/${port.port}` : `/switches/${runtime.name}`;
}

/** Raw commands may do anything; of the typed ones those of sets 51h-53h move ports and bindings. */
function changesFabric(decision: Decision, answer: DeviceReply): boolean {
  if (!needsIntent(decision)) return false;
  if (decision.facts.class === 'raw') return true;
  const succeeded = answer.kind !== 'reply' || answer.reply.layers.every((layer) => isSuccess(layer.returnCode));
  return succeeded && isFabricSet(decision.command.opcode);
}

/** What a vendor's commands move nobody here knows, so they count as well. */
function isFabricSet(code: number): boolean {
  const set = code >> 8;
  return (set >= 0x51 && set <= 0x53) || code >= VENDOR_FIRST;
}
