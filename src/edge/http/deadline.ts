import type { IncomingMessage } from 'node:http';
import { transportProblem } from './problems.ts';

/** Header with the time within which a command has to be sent to its device, in milliseconds. */
export const DEADLINE_HEADER = 'cci-deadline-ms';
export const DEADLINE_MOST_MS = 600_000;

/** What the header says; undefined where there is none. A value that is none is a problem, never ignored. */
export function deadlineOf(
  request: IncomingMessage,
):
  | { readonly ok: true; readonly deadlineMs: number | undefined }
  | { readonly ok: false; readonly problem: ReturnType<typeof transportProblem> } {
  const text = request.headers[DEADLINE_HEADER];
  if (text === undefined) return { ok: true, deadlineMs: undefined };
  const deadlineMs = typeof text === 'string' && /^[1-9][0-9]{0,5}$/.test(text) ? Number(text) : Number.NaN;
  if (deadlineMs <= DEADLINE_MOST_MS) return { ok: true, deadlineMs };
  return { ok: false, problem: transportProblem('badDeadline', { field: DEADLINE_HEADER }) };
}
