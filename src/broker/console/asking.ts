import { err, ok, type Result } from '../../cci/index.ts';
import type { ConsoleProgramSettings } from '../config/index.ts';
import type { ConsoleAsking } from '../console-api.ts';
import type { Refusal } from '../pipeline/index.ts';
import { badParameter } from './refusals.ts';

const REASON_MIN = 8;
export const REASON_MAX = 500;
const SIZE_MAX = 1000;
const DURATION_MIN_MS = 1000;

/** A text that is going to stand in the journal and on other people's screens. */
export function checkReason(reason: unknown, min = REASON_MIN): Refusal | undefined {
  if (typeof reason !== 'string' || reason.trim().length < min || reason.length > REASON_MAX) {
    return badParameter('reason', `say why, in ${min} to ${REASON_MAX} characters`);
  }
  // Whoever reads it must see what was written: no control characters, nothing that turns the direction of writing.
  return /[\p{Cc}\p{Cs}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/u.test(reason)
    ? badParameter('reason', 'a reason is one line of text without control characters')
    : undefined;
}

export function checkSize(columns: unknown, rows: unknown): Refusal | undefined {
  if (!isSize(columns)) return badParameter('columns', `columns are 1 to ${SIZE_MAX}`);
  return isSize(rows) ? undefined : badParameter('rows', `rows are 1 to ${SIZE_MAX}`);
}

function isSize(value: unknown): boolean {
  return typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= SIZE_MAX;
}

/** How long it may stay open. */
export function durationOf({ durationMs }: ConsoleAsking, { limits }: ConsoleProgramSettings): Result<number, Refusal> {
  if (durationMs === undefined) return ok(limits.timeMs);
  const isRight = Number.isInteger(durationMs) && durationMs >= Math.min(DURATION_MIN_MS, limits.timeMs);
  if (isRight && durationMs <= limits.timeMs) return ok(durationMs);
  return err(badParameter('duration_ms', `the program may be open for at most ${limits.timeMs} ms`));
}
