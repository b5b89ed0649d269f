import { encodeRoute, isSuccess, type RoutedCommand } from '../../cci/index.ts';
import { type Decision, errnoTable, type ResourcePath } from '../../policy/index.ts';
import type { DeviceReply, OwnSend } from '../device.ts';
import type { Decided, Refusal, Request, Services, SwitchRuntime } from './context.ts';
import { found, look, newTaints, raiseTaints, refusalOf } from './decide.ts';
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
  if (services.journal.health().state !== 'open') return { kind: 'refused', decision, refusal: unrecordable, intent };
  await raiseTaints(runtime, principal, request, decision.taints);
  /** What stands against it now that its turn has come. */
  const inTheWay = async (): Promise<Refusal | undefined> => {
    if (services.journal.health().state !== 'open') return unrecordable;
    const again = await decideAgain(services, request, decided, decision);
    decision = again.decision;
    if (again.refusal !== undefined) return again.refusal;
    // While it waited the background slot may have passed to somebody else.
    return virtualReply({ ...decided, decision }) === undefined ? undefined : changedMeanwhile;
  };
  try {
    const reply = await runtime.device.execute<Refusal>(
      principal.tenant,
      async () => {
        const refusal = await inTheWay();
        if (refusal !== undefined) return { go: false, refusal };
        if (needsIntent(decision)) {
          const { command } = decision;
          intent = await recordIntent(services, request, decided, decision);
          // Lockdown may have been raised, or the policy replaced, while the intent went to the disk.
          const late = (await inTheWay()) ?? (isSame(command, decision.command) ? undefined : changedMeanwhile);
          if (late !== undefined) return { go: false, refusal: late };
        }
        left = true;
        return { go: true, command: decision.command };
      },
      (answer, send) => settle(services, request, decided, decision, answer, send),
    );
    if (reply.kind === 'refused') return { kind: 'refused', decision, refusal: reply.refusal, intent };
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

/** Are the bytes those that the intent tells of? */
function isSame(intended: RoutedCommand, now: RoutedCommand): boolean {
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

const changedMeanwhile: Refusal = {
  code: 'EAGAIN',
  detail: 'what this was about has changed while it waited: ask again',
  returnCode: errnoTable.EAGAIN.returnCode,
  retryAfterMs: 0,
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
  const { runtime, principal } = decided;
  if (answer.kind === 'failed') {
    if (answer.failure.outcome === 'unknown') {
      runtime.topology.forget();
      runtime.operations.lose();
    }
    return;
  }
  if (answer.kind === 'malformed') {
    await raiseMalformed(services, request, decided, decision, answer.text);
  } else if (decision.command.hops.length === 0 && answer.reply.layers.at(-1)?.returnCode === 0x0001) {
    runtime.operations.start({
      id: request.id,
      tenant: principal.tenant,
      principal: principal.name,
      command: decision.facts.command,
      opcode: decision.command.opcode,
      startedAtMs: services.nowMs(),
    });
  }
  if (changesFabric(decision, answer)) await runtime.topology.read(send).catch(() => runtime.topology.forget());
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
  const set = decision.command.opcode >> 8;
  const succeeded = answer.kind !== 'reply' || answer.reply.layers.every((layer) => isSuccess(layer.returnCode));
  return succeeded && set >= 0x51 && set <= 0x53;
}
