import { randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { type ProgramExit, type SessionBackend, SessionError } from '../../backend/console/index.ts';
import { err, ok, type Result } from '../../cci/index.ts';
import type { ConsoleSettings } from '../config/index.ts';
import type { ConsoleEnd } from '../console-api.ts';
import { JournalError } from '../journal/index.ts';
import type { Refusal, Request, Services, SwitchRuntime } from '../pipeline/index.ts';
import type { CreateRecording, Recording } from '../recording/index.ts';
import {
  endDetails,
  noteConsole,
  recordConsole,
  recordConsoleIntent,
  recordConsoleOutcome,
  recordConsoleRefusal,
  recordLeaseChanges,
  recordLink,
  type Subject,
} from './records.ts';
import { consoleRefusals } from './refusals.ts';
import type { ConsoleRequest, Party } from './requests.ts';
import { consoleGrant, isSamePerson, objections, refusalFor } from './rules.ts';
import { ConsoleSession } from './session.ts';
import type { SessionSettings } from './session-settings.ts';
import { type Lease, leaseSwitch } from './switch-lease.ts';

export interface ConsoleParts {
  readonly services: Pick<Services, 'policy' | 'journal' | 'log' | 'metrics' | 'switches' | 'nowMs'>;
  readonly settings: ConsoleSettings;
  readonly backend: SessionBackend;
  readonly createRecording: CreateRecording;
  readonly recordingDirectory: string;
  /** PEM. */
  readonly publicKey: string | undefined;
}

/** What has been done and has to be undone, or ended, whatever happens. */
interface Begun {
  readonly subject: Subject;
  readonly lease: Lease;
  intent?: number;
  recording?: Recording;
  recordingFailed?: string;
}

/** Where the rights of everybody concerned stand now. */
function standing(parts: ConsoleParts, runtime: SwitchRuntime, asked: ConsoleRequest, party: Party) {
  const { services } = parts;
  const against = objections(services, runtime, party.principal, asked.program);
  if (against.length > 0) return { refusal: refusalFor(party.principal, against), against };
  const { decided } = asked;
  if (parts.settings.approval === 'none') return undefined;
  const confirms =
    decided !== undefined &&
    !isSamePerson(decided.principal, party.principal) &&
    decided.principal.scopes.includes('cci:approve') &&
    consoleGrant(services, decided.principal, asked.program, 'console-approve').allowed;
  if (confirms) return undefined;
  const text = 'who confirmed it may not do so any more';
  return { refusal: consoleRefusals.approvalGone, against: [{ rule: 'approval', text }] };
}

async function mayOpen(parts: ConsoleParts, runtime: SwitchRuntime, asked: ConsoleRequest, party: Party) {
  if (!(await party.stillValid())) return { refusal: consoleRefusals.tokenEnded, against: [] };
  if (parts.settings.approval === 'required' && asked.decided !== undefined && !(await asked.decided.stillValid())) {
    const text = 'the token of who confirmed it is not valid any more';
    return { refusal: consoleRefusals.approvalGone, against: [{ rule: 'approval', text }] };
  }
  return standing(parts, runtime, asked, party);
}

/**
 * Opens a console: takes the switch, sets taint C, records the intent, begins the recording, and only then starts the
 * program. Everything that allowed it is looked at again before the first and after the last of these. What fails undoes
 * the rest.
 */
export async function openConsole(
  parts: ConsoleParts,
  runtime: SwitchRuntime,
  asked: ConsoleRequest,
  party: Party,
  from: Request,
  size: { readonly columns: number; readonly rows: number },
): Promise<Result<ConsoleSession, Refusal>> {
  const { services, settings } = parts;
  // The session's own id is that of the request in every record of it.
  const request: Request = { ...from, id: randomUUID() };
  const subject: Subject = { request, party, runtime, program: asked.program };
  const first = await mayOpen(parts, runtime, asked, party);
  if (first !== undefined) return refused(parts, subject, asked, first.refusal, first.against);
  let lease: Lease;
  try {
    lease = await leaseSwitch(runtime, settings.whileOpen);
  } catch (error) {
    services.log.warn({ switch: runtime.name, err: error }, 'the switch could not be taken for a console');
    return refused(parts, subject, asked, consoleRefusals.inUse, []);
  }
  const begun: Begun = { subject, lease };
  const isStarted = { yes: false };
  try {
    const path = `/switches/${runtime.name}`;
    const reason = `console program ${asked.program.name}`;
    await runtime.posture.taint('C', { by: party.principal.name, record: request.id, scope: path, reason });
    const intent = await recordConsoleIntent(services, subject, asked);
    if (intent === 'undelivered')
      return await undone(parts, begun, consoleRefusals.notRecorded, 'no sink took the intent');
    begun.intent = intent;
    const session = await recorded(parts, begun, asked, size);
    const late = await mayOpen(parts, runtime, asked, party);
    if (late !== undefined) {
      await recordConsoleRefusal(services, subject, late.refusal, late.against);
      return await undone(parts, begun, late.refusal, late.refusal.detail);
    }
    const terminal = await parts.backend.open(programOf(asked), request.id, size, session.listener);
    isStarted.yes = true;
    session.begin(terminal);
    const details = { reason: asked.reason, columns: size.columns, rows: size.rows, recording: begun.recording?.file };
    noteConsole(services, subject, 'opened', { session: request.id, request: asked.id, details });
    return ok(session);
  } catch (error) {
    if (isStarted.yes) throw error;
    const text = error instanceof Error ? error.message : String(error);
    services.log.error({ switch: runtime.name, err: error }, 'a console could not be opened');
    const refusal = error instanceof SessionError ? consoleRefusals.notStarted : consoleRefusals.notRecorded;
    return await undone(parts, begun, refusal, text);
  }
}

function programOf({ program }: ConsoleRequest) {
  const { memoryBytes, processes, files } = program.limits;
  return { ...program, limits: { memoryBytes, processes, files } };
}

/** The session with its recording, before there is a program. */
async function recorded(
  parts: ConsoleParts,
  begun: Begun,
  asked: ConsoleRequest,
  size: { readonly columns: number; readonly rows: number },
): Promise<ConsoleSession> {
  const { services, publicKey } = parts;
  const { subject } = begun;
  await mkdir(parts.recordingDirectory, { recursive: true, mode: 0o700 });
  const startedAtMs = services.nowMs();
  const failed = { session: undefined as ConsoleSession | undefined };
  const recording = await parts.createRecording({
    directory: parts.recordingDirectory,
    session: subject.request.id,
    switch: subject.runtime.name,
    program: subject.program.name,
    width: size.columns,
    height: size.rows,
    startedAtMs,
    principal: subject.party.principal.name,
    ...(publicKey === undefined ? {} : { publicKey }),
    chain: (link) => recordLink(services, subject, link),
    onFailed: (error) => {
      begun.recordingFailed = error.message;
      services.log.error({ err: error }, 'a console could not be recorded any more');
      failed.session?.end('not-recorded');
    },
  });
  begun.recording = recording;
  const session = new ConsoleSession(sessionSettings(parts, begun, asked, size, startedAtMs), recording);
  failed.session = session;
  return session;
}

function sessionSettings(
  parts: ConsoleParts,
  begun: Begun,
  asked: ConsoleRequest,
  size: { readonly columns: number; readonly rows: number },
  openedAtMs: number,
): SessionSettings {
  const { services, settings } = parts;
  const { subject } = begun;
  const { runtime, program, party, request } = subject;
  return {
    id: request.id,
    program,
    reason: asked.reason,
    opener: party,
    approvedBy: asked.decided?.principal.name,
    ...size,
    openedAtMs,
    endsAtMs: openedAtMs + asked.durationMs,
    watcher: settings.watcher,
    watcherMs: settings.watcherMs,
    resumeMs: settings.resumeMs,
    nowMs: services.nowMs,
    note: (change, by) => {
      const details = by === undefined ? {} : { details: { watcher: by } };
      noteConsole(services, subject, change, { session: request.id, ...details });
    },
    inspect: async (opener) => {
      if (!(await opener.stillValid())) return { why: 'token-ended', detail: 'the token is not valid any more' };
      if (begun.recordingFailed !== undefined)
        return { why: 'not-recorded', detail: 'it could not be recorded any more' };
      const against = objections(services, runtime, opener.principal, program);
      if (against.length === 0) return undefined;
      return { why: 'not-permitted', detail: `not permitted any more: ${against.map(({ text }) => text).join('; ')}` };
    },
    onEnded: (end, exit) => ended(parts, begun, end, exit),
  };
}

/** After the last process is gone: the recording is closed, the fabric read, and then the records say how it ended. */
async function ended(parts: ConsoleParts, begun: Begun, end: ConsoleEnd, exit: ProgramExit | undefined): Promise<void> {
  const { services } = parts;
  const { subject } = begun;
  const problem = await closeRecording(begun);
  const changes = await begun.lease.giveBack();
  const leftBehind = exit !== undefined && exit.leftBehind.length > 0 ? exit.leftBehind : undefined;
  if (leftBehind !== undefined) {
    services.log.error({ session: subject.request.id, pids: leftBehind }, 'processes of a console could not be ended');
  }
  services.metrics.consoleEnds.inc({ switch: subject.runtime.name, why: end.why });
  try {
    await recordLeaseChanges(services, subject, changes);
    const details = endDetails(end, { recording: begun.recording?.file ?? '', leftBehind, problem });
    await recordConsole(services, subject, 'closed', { session: subject.request.id, details });
    if (begun.intent !== undefined) await recordConsoleOutcome(services, subject, begun.intent, 'done', end.detail);
  } catch (error) {
    services.log.error({ session: subject.request.id, err: error }, 'the end of a console could not be recorded');
  }
}

/** @returns why it is not whole */
async function closeRecording(begun: Begun): Promise<string | undefined> {
  try {
    await begun.recording?.close();
    return begun.recordingFailed;
  } catch (error) {
    return begun.recordingFailed ?? (error instanceof Error ? error.message : String(error));
  }
}

/** No program was started. */
async function undone(
  { services }: ConsoleParts,
  begun: Begun,
  refusal: Refusal,
  why: string,
): Promise<Result<ConsoleSession, Refusal>> {
  await closeRecording(begun);
  const changes = await begun.lease.giveBack();
  try {
    await recordLeaseChanges(services, begun.subject, changes);
    if (begun.intent !== undefined) await recordConsoleOutcome(services, begun.subject, begun.intent, 'not-sent', why);
  } catch (error) {
    // An intent without its outcome is told as unknown at the next start, which is then the truth.
    if (!(error instanceof JournalError)) throw error;
    services.log.error({ err: error }, 'that a console was not opened could not be recorded');
  }
  return err(refusal);
}

async function refused(
  { services }: ConsoleParts,
  subject: Subject,
  asked: ConsoleRequest,
  refusal: Refusal,
  against: Parameters<typeof recordConsoleRefusal>[3],
): Promise<Result<ConsoleSession, Refusal>> {
  await recordConsoleRefusal(services, subject, refusal, against, asked.reason);
  return err(refusal);
}
