import { afterEach, expect, test } from 'vitest';
import { ConsoleSession } from '../../../src/broker/console/session.ts';
import type { SessionSettings } from '../../../src/broker/console/session-settings.ts';
import type { Recording } from '../../../src/broker/recording/index.ts';

/** What the one at a session can make the broker write without a program that writes anything. */

const limits = {
  ...{ timeMs: 60_000, idleMs: 60_000, outputBytes: 64 * 100 },
  ...{ memoryBytes: 1 << 30, processes: 10, files: 100 },
};
const principal = { name: 'user:x#ann', subject: 'ann', tenant: 'fabric', scopes: [] };
const party = { principal, stillValid: async () => true };

let session: ConsoleSession | undefined;
afterEach(() => session?.end('closed'));

function start(watcher: 'none' | 'required', replaced: Partial<Recording> = {}) {
  const lines: string[] = [];
  const recording = {
    ...{ file: 'x.cast', pendingBytes: 0, output: () => {}, input: () => {} },
    resize: () => lines.push('resize'),
    marker: (text: string) => lines.push(text),
    ...{ flush: async () => {}, close: async () => ({}) },
    ...replaced,
  } as unknown as Recording;
  const settings = {
    ...{ id: 'session', program: { limits, switch: 'sw0', name: 'tool' }, reason: 'a test', opener: party },
    ...{ approvedBy: undefined, columns: 80, rows: 24, openedAtMs: Date.now(), endsAtMs: Date.now() + 60_000 },
    ...{ watcher, watcherMs: 60_000, resumeMs: 60_000, nowMs: Date.now, note: () => {} },
    ...{ inspect: async () => undefined, onEnded: async () => {} },
  } as unknown as SessionSettings;
  session = new ConsoleSession(settings, recording);
  const terminal = {
    ...{ pid: 1, pendingInput: 0, pause: () => {}, resume: () => {}, write: async () => {} },
    ...{ echo: () => 'on', resize: () => {}, freeze: async () => {}, thaw: async () => {}, end: () => {} },
  };
  session.begin(terminal as Parameters<ConsoleSession['begin']>[0]);
  return { session, lines };
}

test('changes of size count as output, and one to the same size is none: the disk is not filled with them', () => {
  const { session: one, lines } = start('none');
  for (let i = 0; i < 50; i++) one.resize(80, 24);
  expect(lines).toEqual([]);
  for (let i = 0; i < 10_000; i++) one.resize(1 + (i % 2), 24);
  expect(one.isEnding).toBe(true);
  expect(lines.filter((line) => line === 'resize').length).toBeLessThan(110);
});

test('what is typed while a session is paused is said to be thrown away once for each pause', async () => {
  const { session: one, lines } = start('required');
  for (let i = 0; i < 100; i++) await one.write(i, new Uint8Array(1));
  expect(lines.filter((line) => line.includes('thrown away'))).toHaveLength(1);
});

test('a recording that fails while much waits for it does not keep the broker busy for ever', async () => {
  let asked = 0;
  const flush = (): Promise<void> => {
    asked += 1;
    // A session that asks on and on would leave no turn to anybody, this test included.
    return asked > 100 ? new Promise(() => {}) : Promise.reject(new Error('no space left'));
  };
  const { session: one } = start('none', { pendingBytes: 2 << 20, flush });
  one.listener.onOutput(new Uint8Array(10));
  await new Promise((done) => setTimeout(done, 20));
  expect(asked).toBeLessThan(10);
});
