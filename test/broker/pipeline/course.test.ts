import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Request } from '../../../src/broker/pipeline/context.ts';
import { began, durations, postureBefore, reached } from '../../../src/broker/pipeline/course.ts';
import { fakePosture } from '../../support/fake-policy.ts';

let now = 0;
beforeEach(() => {
  now = 1000;
  vi.spyOn(performance, 'now').mockImplementation(() => now);
});
afterEach(() => {
  vi.restoreAllMocks();
});

const request = (): Request => ({ id: 'r', source: 's', startedMs: 0 });
const runtimeAt = (version: number) => ({ posture: { posture: () => fakePosture({ version }) } }) as never;

it('a request that no switch was named for took no time, and met no posture', () => {
  const other = request();
  reached(other, 'turn');
  expect(durations(other)).toEqual({});
  expect(postureBefore(other, fakePosture({ version: 9 }))).toBeUndefined();
});

it('times run from the first look, to the microsecond, and only for what was reached', () => {
  const one = request();
  began(one, runtimeAt(3));
  now = 1007.12345678;
  expect(durations(one)).toStrictEqual({ durationMs: 7.123 });
  reached(one, 'turn');
  expect(durations(one)).toStrictEqual({ durationMs: 7.123, queueMs: 7.123 });
  now = 1010;
  reached(one, 'sent');
  now = 1012.5;
  expect(durations(one)).toStrictEqual({ durationMs: 12.5, queueMs: 7.123 });
  reached(one, 'answered');
  now = 1020;
  expect(durations(one)).toStrictEqual({ durationMs: 20, queueMs: 7.123, deviceMs: 2.5 });
});

it('what was answered without being sent has no time at the device', () => {
  const one = request();
  began(one, runtimeAt(3));
  reached(one, 'answered');
  expect(durations(one)).toStrictEqual({ durationMs: 0 });
});

it('the posture before is told where it is another one now', () => {
  const one = request();
  began(one, runtimeAt(3));
  expect(postureBefore(one, fakePosture({ version: 3 }))).toBeUndefined();
  expect(postureBefore(one, fakePosture({ version: 4 }))).toMatchObject({ version: 3 });
});
