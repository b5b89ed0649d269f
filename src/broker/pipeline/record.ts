import { createHash } from 'node:crypto';
import { formatVia, toJsonMasked, type Value } from '../../cci/index.ts';
import { type Decision, type Principal, tenantGroup } from '../../policy/index.ts';
import type { DeviceFailure } from '../device.ts';
import type {
  AnswerFields,
  CallerFields,
  CommandFields,
  PostureFields,
  RecordBodies,
  RecordFlag,
} from '../journal/index.ts';
import type { Decided, Decoded, Refusal, Request, Services, SwitchRuntime } from './context.ts';
import { typedRow } from './decode.ts';

/** How a command ended. `unknown`: it may have been executed, nobody can say. */
export interface Ended {
  readonly outcome: 'done' | 'not-sent' | 'unknown';
  /** Sequence of the intent; absent for reads, which have one record only. */
  readonly intent: number | undefined;
  /** Return codes of all layers, outermost first. */
  readonly returnCodes?: readonly number[];
  readonly failure?: DeviceFailure;
  readonly note?: string;
}

/** Stage 8. Resolves when the record is on disk; rejects when it cannot be, and then nothing may be sent. */
export async function recordIntent(
  services: Services,
  request: Request,
  decided: Decided,
  decision: Decision,
): Promise<number> {
  const { runtime, decoded, principal } = decided;
  const body = { ...who(request, principal, runtime), ...what(runtime, decoded, decision) };
  const { sequence } = await services.journal.append('intent', body, { durable: true });
  return sequence;
}

/** Stage 12: what became of a command that was allowed. Durable where an intent waits for it. */
export async function recordOutcome(
  services: Services,
  request: Request,
  decided: Decided,
  decision: Decision,
  ended: Ended,
): Promise<void> {
  const { runtime, decoded, principal } = decided;
  const { intent, outcome } = ended;
  const details = endDetails(ended);
  const answered: AnswerFields = {
    ...(ended.returnCodes === undefined ? {} : { returnCodes: ended.returnCodes }),
    durationMs: services.nowMs() - request.startedMs,
  };
  if (intent !== undefined) {
    const flags: readonly RecordFlag[] = outcome === 'unknown' ? ['unknown-outcome'] : [];
    const posture = postureFields(runtime);
    const body = {
      ...who(request, principal, runtime),
      intent,
      outcome,
      ...answered,
      posture,
      flags,
      ...details,
    };
    await services.journal.append('outcome', body, { durable: true });
    return;
  }
  const command = what(runtime, decoded, decision);
  const flags: readonly RecordFlag[] = outcome === 'unknown' ? [...command.flags, 'unknown-outcome'] : command.flags;
  const body = { ...who(request, principal, runtime), ...command, ...answered, flags, ...details };
  await appendInTime(services, body, WAITING_OUTCOMES);
}

/**
 * Bytes that may wait for the disk before a refusal, or the outcome of a read, waits as well. Refusals wait first: they
 * are what a caller can make without end.
 */
const WAITING_REFUSALS = 1 << 20;
const WAITING_OUTCOMES = 4 << 20;

/**
 * Holds a caller back to the pace of the disk. Without this, one tenant's refusals could fill what the journal keeps in
 * memory, and then everybody's commands would be refused for want of a record.
 */
async function appendInTime({ journal }: Services, body: RecordBodies['decision'], waitingMax: number): Promise<void> {
  // INVARIANT: no turn between the last look and the append, or all who wait would append at once.
  while (journal.health().state === 'open' && journal.health().pendingBytes > waitingMax) await journal.flush();
  await journal.append('decision', body, { durable: false });
}

function endDetails({ failure, note, outcome, intent }: Ended) {
  const details = {
    ...(intent === undefined ? { outcome } : {}),
    ...(failure === undefined ? {} : { failure: { errno: failure.errno, text: failure.text } }),
    ...(note === undefined ? {} : { note }),
  };
  return Object.keys(details).length === 0 ? {} : { details };
}

/** A refusal with every reason, whatever the caller was told (R22). */
export async function recordRefusal(
  services: Services,
  request: Request,
  principal: Principal,
  refusal: Refusal,
  seen?: { readonly runtime: SwitchRuntime; readonly decoded: Decoded; readonly decision: Decision },
): Promise<void> {
  const body = {
    ...who(request, principal, seen?.runtime),
    ...(seen === undefined ? {} : what(seen.runtime, seen.decoded, seen.decision)),
    verdict: 'deny' as const,
    outward: refusal.code,
    flags: [...new Set<RecordFlag>(['denied', ...(seen === undefined ? [] : flagsOf(seen.decision))])],
    details: { said: refusal.detail },
  };
  await appendInTime(services, body, WAITING_REFUSALS);
}

function who(request: Request, principal: Principal, runtime: SwitchRuntime | undefined): CallerFields {
  return {
    requestId: request.id,
    source: request.source,
    ...(runtime === undefined ? {} : { switch: runtime.name }),
    principal: principal.name,
    tenant: principal.tenant,
    tokenId: principal.tokenId,
    groups: principal.names.filter((name) => name !== principal.name && name !== tenantGroup(principal.tenant)),
    scopes: principal.scopes,
  };
}

function what(runtime: SwitchRuntime, decoded: Decoded, decision: Decision) {
  const { facts, command, reasons, basis } = decision;
  return {
    path: formatVia(command.hops),
    opcode: command.opcode,
    command: facts.command,
    class: facts.class,
    scope: facts.scope,
    reach: facts.reach,
    touched: facts.touched,
    tenants: facts.tenants,
    conditions: facts.conditions,
    activeTaint: facts.activeTaint,
    verdict: decision.verdict,
    grants: decision.grants.map((grant) => ({
      resource: grant.resource,
      allowed: grant.allowed,
      ...(grant.rule === undefined ? {} : { rule: grant.rule.text, source: grant.rule.source }),
    })),
    reasons: reasons.map(({ step, rule, errno, text }) => ({ step, rule, errno, text })),
    ...fields(decoded, decision),
    payloadDigest: createHash('sha256').update(command.payload).digest('hex'),
    payloadBytes: command.payload.length,
    snapshot: basis.snapshot,
    topology: basis.topology,
    posture: postureFields(runtime),
    flags: flagsOf(decision),
  } satisfies Omit<CommandFields, keyof CallerFields>;
}

function postureFields(runtime: SwitchRuntime): PostureFields {
  const { version, lockdown, taint, profile, underLockdown } = runtime.posture.posture();
  return { version, lockdown: lockdown.effective, taint: taint.letters, profile, underLockdown };
}

/**
 * Fields as they were asked for, secrets masked, and what narrowing left of them. Raw payloads are bytes of unknown
 * content: only their digest is kept.
 */
function fields(decoded: Decoded, decision: Decision): Pick<CommandFields, 'fields' | 'narrowed'> {
  const row = typedRow(decision.command.opcode);
  if (row === undefined || decoded.asked === undefined || decision.facts.class === 'raw') return {};
  const asked = toJsonMasked(row.request, decoded.asked as Value);
  if (decision.narrowing === undefined) return { fields: asked };
  const { asked: ids, kept } = decision.narrowing;
  return { fields: asked, narrowed: { asked: ids, kept } };
}

function flagsOf({ facts, verdict }: Decision): readonly RecordFlag[] {
  const wide = facts.reach === 'cross-tenant' || facts.reach === 'switch' || facts.reach === 'opaque';
  return [
    ...(facts.class === 'raw' ? (['unaudited'] as const) : []),
    ...(verdict === 'deny' ? (['denied'] as const) : []),
    ...(wide ? (['cross-tenant'] as const) : []),
  ];
}
