import type { ConsoleProgramSettings } from '../config/index.ts';
import type { ConsoleEnd } from '../console-api.ts';
import { JournalError, type JournalObject, type RecordBodies } from '../journal/index.ts';
import type { Refusal, Request, Services, SwitchRuntime } from '../pipeline/index.ts';
import { who } from '../pipeline/record.ts';
import type { RecordingLink } from '../recording/index.ts';
import type { ConsoleRequest, Party } from './requests.ts';
import type { Objection } from './rules.ts';
import type { LeaseChanges } from './switch-lease.ts';

/** Whom and what the records of one console are about. */
export interface Subject {
  readonly request: Request;
  readonly party: Party;
  readonly runtime: SwitchRuntime;
  readonly program: ConsoleProgramSettings;
}

type Change = RecordBodies['console']['change'];
type Parts = Pick<Services, 'journal' | 'log'>;

const WORDS = { class: 'raw', scope: 3, reach: 'opaque' } as const;

function subjectOf({ request, party, runtime, program }: Subject) {
  return { ...who(request, party.principal, runtime), program: program.name };
}

function commandOf({ request, party, runtime, program }: Subject) {
  const path = `/switches/${runtime.name}`;
  return { ...who(request, party.principal, runtime), command: `console:${program.name}`, ...WORDS, touched: [path] };
}

/** Something happened with a console; on the disk when this resolves. @throws JournalError */
export async function recordConsole(
  { journal }: Parts,
  subject: Subject,
  change: Change,
  more: { readonly session?: string; readonly request?: string; readonly details?: JournalObject } = {},
): Promise<void> {
  await journal.append('console', { ...subjectOf(subject), change, ...more }, { durable: true });
}

/** The same for what must not stop anything: where it cannot be recorded, the session ends by its recording anyway. */
export function noteConsole(
  parts: Parts,
  ...rest: Parameters<typeof recordConsole> extends [unknown, ...infer R] ? R : never
): void {
  recordConsole(parts, ...rest).catch((error: unknown) =>
    parts.log.error({ err: error }, 'what happened in a console could not be recorded'),
  );
}

/** A refusal with everything that stood against it, whatever the caller was told. */
export async function recordConsoleRefusal(
  { journal }: Parts,
  subject: Subject,
  refusal: Refusal,
  objections: readonly Objection[],
  reason?: string,
): Promise<void> {
  const body = {
    ...commandOf(subject),
    verdict: 'deny' as const,
    outward: refusal.code,
    reasons: objections.map(({ rule, text }) => ({ step: 'console', rule, errno: refusal.code, text })),
    flags: ['denied', 'unaudited'] as const,
    details: { said: refusal.detail, ...(reason === undefined ? {} : { reason }) },
  };
  await journal.append('decision', body, { durable: false });
}

/**
 * Before the program starts: on the disk when this resolves with the intent's sequence. `undelivered`: a sink that is
 * enforced did not take it, and nothing may be started. @throws JournalError
 */
export async function recordConsoleIntent(
  { journal }: Parts,
  subject: Subject,
  { id, reason, durationMs, digest, decided }: ConsoleRequest,
): Promise<number | 'undelivered'> {
  const { program, request, runtime } = subject;
  const { version, lockdown, taint, profile, underLockdown } = runtime.posture.posture();
  const body = {
    ...commandOf(subject),
    verdict: 'allow' as const,
    posture: { version, lockdown: lockdown.effective, taint: taint.letters, profile, underLockdown },
    flags: ['unaudited'] as const,
    details: {
      session: request.id,
      request: id,
      reason,
      durationMs,
      digest,
      path: program.path,
      arguments: program.arguments,
      ...(program.user === undefined ? {} : { user: program.user }),
      ...(decided === undefined ? {} : { approvedBy: decided.principal.name, approvedWith: decided.principal.tokenId }),
    },
  };
  try {
    return (await journal.append('intent', body, { durable: true })).sequence;
  } catch (error) {
    if (error instanceof JournalError && error.code === 'undelivered') return 'undelivered';
    throw error;
  }
}

/** What became of it. */
export async function recordConsoleOutcome(
  { journal }: Parts,
  { request, party, runtime }: Subject,
  intent: number,
  outcome: 'done' | 'not-sent',
  reason: string,
): Promise<void> {
  const body = { ...who(request, party.principal, runtime), intent, outcome, reason, flags: ['unaudited'] as const };
  await journal.append('outcome', body, { durable: true });
}

/** Up to where the recording is as it was written; on the disk when this resolves: until then it vouches for nothing. @throws JournalError */
export async function recordLink({ journal }: Parts, subject: Subject, link: RecordingLink): Promise<void> {
  const body = { ...subjectOf(subject), change: 'recording' as const, session: subject.request.id, recording: link };
  await journal.append('console', body, { durable: true });
}

/** What is different on the switch: done by this session, since nobody else had a turn. */
export async function recordLeaseChanges(
  { journal }: Parts,
  { request, party, runtime, program }: Subject,
  { differences, read, before, after }: LeaseChanges,
): Promise<void> {
  if (read && differences.length === 0) return;
  const body = {
    switch: runtime.name,
    requestId: request.id,
    change: 'by-console',
    by: party.principal.name,
    details: { session: request.id, program: program.name, read, before, after, differences },
  };
  await journal.append('topology', body, { durable: true });
}

/** How it ended, for the record `closed`. */
export function endDetails(
  { why, detail, exitCode, signal }: ConsoleEnd,
  more: {
    readonly recording: string;
    readonly leftBehind?: readonly number[] | undefined;
    readonly problem?: string | undefined;
  },
): JournalObject {
  return { why, detail, exitCode, signal, ...more };
}
