import { hash } from 'node:crypto';
import { formatVia, type Json, MASK, toJsonMasked, type Value } from '../../cci/index.ts';
import { type Decision, type Principal, tenantGroup } from '../../policy/index.ts';
import type { Posture } from '../../taint/index.ts';
import type { DeviceFailure } from '../device.ts';
import {
  type AnswerFields,
  type CallerFields,
  type CommandFields,
  JournalError,
  type JournalObject,
  type PostureFields,
  PreparedMembers,
  type RecordBodies,
  type RecordFlag,
} from '../journal/index.ts';
import { shadowFinding } from '../shadow.ts';
import type { Decided, Decoded, Refusal, Request, Services, SwitchRuntime } from './context.ts';
import { durations, postureBefore } from './course.ts';
import { typedRow } from './decode.ts';
import { leaveGap } from './unrecorded.ts';

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

/**
 * Stage 8. Resolves when the record is on disk; rejects when it cannot be, and then nothing may be sent. No more may it be
 * when the record is `undelivered`: a sink that is enforced did not take it, and the journal says so itself.
 */
export async function recordIntent(
  services: Services,
  request: Request,
  decided: Decided,
  decision: Decision,
): Promise<number | 'undelivered'> {
  const { runtime, decoded, principal } = decided;
  const review = reviewed(decoded, decision);
  const body = {
    ...who(request, principal, runtime),
    ...what(services, request, runtime, decoded, decision),
    ...(Object.keys(review).length === 0 ? {} : { details: review }),
  };
  try {
    return (await services.journal.append('intent', body, { durable: true })).sequence;
  } catch (error) {
    if (error instanceof JournalError && error.code === 'undelivered') return 'undelivered';
    throw error;
  }
}

/**
 * Stage 12: what became of a command that was allowed. On the disk within 50 ms, or at once where all records are. The
 * reply waits for a record that has to be put together, because it may prove too long; the others are made behind it, and
 * should that fail, the gap is marked as one that is noticed at once is.
 */
export async function recordOutcome(
  services: Services,
  request: Request,
  decided: Decided,
  decision: Decision,
  ended: Ended,
): Promise<void> {
  const { runtime, decoded, principal } = decided;
  const { intent, outcome } = ended;
  const lost = (error: JournalError): void => void leaveGap(services, request, decided, error);
  const details = endDetails(ended, intent === undefined ? reviewed(decoded, decision) : {});
  const answered: AnswerFields = {
    ...(ended.returnCodes === undefined ? {} : { returnCodes: ended.returnCodes }),
    ...durations(request),
  };
  if (intent !== undefined) {
    const flags: readonly RecordFlag[] = outcome === 'unknown' ? ['unknown-outcome'] : [];
    const body = {
      ...who(request, principal, runtime),
      intent,
      outcome,
      ...answered,
      ...postures(request, runtime),
      flags,
      ...details,
    };
    // The intent is on the disk. Should the broker be killed before the outcome is, it is told as unknown, which it then is.
    await inTime(services, WAITING_OUTCOMES, () => services.journal.note('outcome', body, { lost }));
    return;
  }
  const prepared = preparedFor(services, request, decided, decision, ended);
  if (prepared !== undefined) {
    const body = { ...which(request, runtime), verdict: decision.verdict, ...answered, ...details };
    await inTime(services, WAITING_OUTCOMES, () => services.journal.note('decision', body, { prepared, lost }));
    return;
  }
  const command = what(services, request, runtime, decoded, decision);
  const flags: readonly RecordFlag[] = outcome === 'unknown' ? [...command.flags, 'unknown-outcome'] : command.flags;
  const body = { ...who(request, principal, runtime), ...command, ...answered, flags, ...details };
  await appendInTime(services, body, WAITING_OUTCOMES);
}

/** INVARIANT: nothing is awaited between the last look and the record, or all who wait would look first and write then. */
async function inTime({ journal }: Services, waitingMax: number, write: () => Promise<unknown>): Promise<void> {
  while (journal.health().state === 'open' && journal.health().pendingBytes > waitingMax) await journal.flush();
  await write();
}

/** The members that the record of a repeated read has each time, made the first time. */
function preparedFor(
  services: Services,
  request: Request,
  { runtime, decoded, principal, repeat }: Decided,
  decision: Decision,
  { outcome, failure }: Ended,
): PreparedMembers | undefined {
  if (repeat === undefined || repeat.decision !== decision || outcome !== 'done' || failure !== undefined)
    return undefined;
  const now = runtime.posture.posture();
  // A posture that changed on the way is told in the record itself.
  if (now.version !== decision.basis.posture || postureBefore(request, now) !== undefined) return undefined;
  if (repeat.record === undefined) {
    const { verdict: _verdict, ...command } = what(services, request, runtime, decoded, decision);
    repeat.record = new PreparedMembers({ ...whose(principal), ...command });
  }
  return repeat.record;
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
async function appendInTime(services: Services, body: RecordBodies['decision'], waitingMax: number): Promise<void> {
  await inTime(services, waitingMax, () => services.journal.append('decision', body, { durable: false }));
}

function endDetails({ failure, note, outcome, intent }: Ended, review: JournalObject) {
  const details = {
    ...review,
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
    ...(seen === undefined ? {} : what(services, request, seen.runtime, seen.decoded, seen.decision)),
    verdict: 'deny' as const,
    outward: refusal.code,
    flags: [...new Set<RecordFlag>(['denied', ...(seen === undefined ? [] : flagsOf(seen.decision))])],
    details: { ...(seen === undefined ? {} : reviewed(seen.decoded, seen.decision)), said: refusal.detail },
  };
  await appendInTime(services, body, WAITING_REFUSALS);
}

export function who(request: Request, principal: Principal, runtime: SwitchRuntime | undefined): CallerFields {
  return { ...which(request, runtime), ...whose(principal) };
}

function which(request: Request, runtime: SwitchRuntime | undefined): CallerFields {
  const { id: requestId, source } = request;
  return runtime === undefined ? { requestId, source } : { requestId, source, switch: runtime.name };
}

function whose(principal: Principal): Omit<CallerFields, 'requestId'> {
  const { name, names, tenant, tokenId, scopes, keyThumbprint, bound } = principal;
  const everybody = tenantGroup(tenant);
  const groups = names.filter((one) => one !== name && one !== everybody);
  return {
    principal: name,
    tenant,
    tokenId,
    ...(keyThumbprint === undefined ? {} : { tokenKey: keyThumbprint }),
    ...(bound === undefined ? {} : { bound }),
    groups,
    scopes,
  };
}

function what(services: Services, request: Request, runtime: SwitchRuntime, decoded: Decoded, decision: Decision) {
  const { facts, reasons, basis, command } = decision;
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
    ...(decision.taints.length === 0 ? {} : { taints: decision.taints }),
    verdict: decision.verdict,
    ...ruleOf(decision),
    grants: decision.grants.map((grant) => ({
      resource: grant.resource,
      allowed: grant.allowed,
      ...(grant.rule === undefined ? {} : { rule: grant.rule.text, source: grant.rule.source }),
    })),
    reasons: reasons.map(({ step, rule, errno, text }) => ({ step, rule, errno, text })),
    ...fields(decoded, decision, services.recording?.payloads ?? 'none'),
    snapshot: basis.snapshot,
    topology: basis.topology,
    ...postures(request, runtime),
    ...shadowOf(services, decision),
    flags: flagsOf(decision),
  } satisfies Omit<CommandFields, keyof CallerFields>;
}

/** The posture now, and the one before where the request met another one. */
function postures(request: Request, runtime: SwitchRuntime): Pick<CommandFields, 'posture' | 'postureBefore'> {
  const now = runtime.posture.posture();
  const before = postureBefore(request, now);
  return {
    posture: postureFields(now),
    ...(before === undefined ? {} : { postureBefore: postureFields(before) }),
  };
}

/** What decided: the first thing that stands against it, else the row that allowed the first resource. */
function ruleOf({ reasons, grants }: Decision): Pick<CommandFields, 'rule'> {
  const rule = reasons[0]?.rule ?? grants[0]?.rule?.source;
  return rule === undefined ? {} : { rule };
}

function postureFields({ version, lockdown, taint, profile, underLockdown }: Posture): PostureFields {
  return { version, lockdown: lockdown.effective, taint: taint.letters, profile, underLockdown };
}

/**
 * Fields as they were asked for, secrets masked, what narrowing left of them, and the bytes that are sent by digest or,
 * where the configuration says so, themselves. Raw payloads are bytes of unknown content.
 */
function fields(
  decoded: Decoded,
  decision: Decision,
  payloads: 'none' | 'masked' | 'all',
): Pick<CommandFields, 'fields' | 'narrowed' | 'payload' | 'payloadBytes' | 'payloadDigest'> {
  const { command, facts, narrowing } = decision;
  const row = typedRow(command.opcode, decoded.commands);
  const isRaw = row === undefined || facts.class === 'raw';
  const asked = isRaw || decoded.asked === undefined ? undefined : toJsonMasked(row.request, decoded.asked as Value);
  const payloadBytes = command.payload.length;
  const content = {
    ...(asked === undefined ? {} : { fields: asked }),
    ...(asked === undefined || narrowing === undefined
      ? {}
      : { narrowed: { asked: narrowing.asked, kept: narrowing.kept } }),
    payloadBytes,
  };
  // A passphrase could be guessed from its digest.
  if (asked !== undefined && holdsMask(asked)) return content;
  const keeps = payloads === 'all' || (payloads === 'masked' && !isRaw);
  return {
    ...content,
    payloadDigest: hash('sha256', command.payload),
    ...(keeps ? { payload: Buffer.from(command.payload).toString('hex') } : {}),
  };
}

function holdsMask(json: Json): boolean {
  if (typeof json === 'string') return json === MASK;
  if (typeof json !== 'object' || json === null) return false;
  return Object.values(json).some(holdsMask);
}

/** Who answers for a vendor command that was submitted as the typed command that he reviewed. */
function reviewed({ commands }: Decoded, { command, facts }: Decision): JournalObject {
  const vendor = facts.class === 'raw' ? undefined : commands.rowByOpcode(command.opcode)?.vendor;
  if (vendor === undefined) return {};
  const { reviewer, date, reference } = vendor.review;
  return { reviewed: { reviewer, date, reference } };
}

/** What a candidate policy would have made of it, where it differs. */
function shadowOf({ metrics }: Services, decision: Decision): Pick<CommandFields, 'shadow'> {
  const finding = shadowFinding(decision);
  if (finding === undefined) return {};
  metrics.shadowDifferences.inc({ difference: finding.difference });
  return { shadow: finding };
}

function flagsOf(decision: Decision): readonly RecordFlag[] {
  const { facts, verdict } = decision;
  const wide = facts.reach === 'cross-tenant' || facts.reach === 'switch' || facts.reach === 'opaque';
  return [
    ...(facts.class === 'raw' ? (['unaudited'] as const) : []),
    ...(verdict === 'deny' ? (['denied'] as const) : []),
    ...(wide ? (['cross-tenant'] as const) : []),
    ...(shadowFinding(decision) === undefined ? [] : (['shadow'] as const)),
  ];
}
