import type { Posture } from '../../taint/index.ts';
import type { Request, SwitchRuntime } from './context.ts';

/** How a request went, for its records. Times are milliseconds of `performance.now()`. */
export interface Course {
  readonly beganMs: number;
  readonly before: Posture;
  turnMs: number | undefined;
  sentMs: number | undefined;
  answeredMs: number | undefined;
}

/** The request is about this switch now. */
export function began(request: Request, { posture }: SwitchRuntime): void {
  request.course = {
    beganMs: performance.now(),
    before: posture.posture(),
    turnMs: undefined,
    sentMs: undefined,
    answeredMs: undefined,
  };
}

/** Its turn has come; it was sent; the device has answered, or is not waited for any more. */
export function reached(request: Request, step: 'turn' | 'sent' | 'answered'): void {
  const { course } = request;
  if (course === undefined) return;
  const nowMs = performance.now();
  if (step === 'turn') course.turnMs = nowMs;
  else if (step === 'sent') course.sentMs = nowMs;
  else course.answeredMs = nowMs;
}

/** The posture when the request came in, where it is another one now. */
export function postureBefore(request: Request, now: Posture): Posture | undefined {
  const before = request.course?.before;
  return before === undefined || before.version === now.version ? undefined : before;
}

export interface Durations {
  /** From the first look at it to now. */
  readonly durationMs?: number;
  /** Of these, until its turn came. */
  readonly queueMs?: number;
  /** Of these, from sending to the answer. */
  readonly deviceMs?: number;
}

export function durations(request: Request): Durations {
  const { course } = request;
  if (course === undefined) return {};
  const { beganMs, turnMs, sentMs, answeredMs } = course;
  return {
    durationMs: rounded(performance.now() - beganMs),
    ...(turnMs === undefined ? {} : { queueMs: rounded(turnMs - beganMs) }),
    ...(sentMs === undefined || answeredMs === undefined ? {} : { deviceMs: rounded(answeredMs - sentMs) }),
  };
}

/** To the microsecond. */
function rounded(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
