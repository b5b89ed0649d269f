import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { hostFileSystem } from '../../src/taint/index.ts';
import { COUNTS_LATE_MS } from '../../src/taint/ledger.ts';
import { parseLedger } from '../../src/taint/ledger-file.ts';
import { FaultyStateFileSystem } from './faulty-state-file-system.ts';
import { openIn, raising, SWITCH, temporaryDirectory } from './register.ts';

const PORT = `${SWITCH}/ports/3`;

function onDisk(directory: string): readonly (readonly [string, number])[] {
  const parsed = parseLedger(readFileSync(join(directory, 'taint-sw0.json'), 'utf8'));
  if (!parsed.ok) throw new Error(parsed.why);
  return parsed.state.groups.map(({ letter, scope, count }) => [`${letter} ${scope}`, count] as const);
}

test('repeating what is in force writes nothing and makes nobody decide again, and is counted all the same', async () => {
  const directory = temporaryDirectory();
  const register = await openIn(directory);
  await register.taint('J', raising(PORT));
  const { version } = register.posture();
  const { ino } = statSync(join(directory, 'taint-sw0.json'));
  for (let i = 0; i < 10; i++) await register.taint('J', raising(PORT, `again ${i}`));
  expect(register.posture().version).toBe(version);
  expect(register.posture().taint.counts).toEqual([{ letter: 'J', scope: PORT, count: 11 }]);
  expect(register.posture().taint.entries.at(-1)?.reason).toBe('again 9');
  expect(statSync(join(directory, 'taint-sw0.json')).ino).toBe(ino);
  expect(register.durable).toBe(true);
  await register.flush();
  expect(onDisk(directory)).toEqual([[`J ${PORT}`, 11]]);
  await register.flush();
});

test('counts reach the disk by themselves', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  try {
    const directory = temporaryDirectory();
    const register = await openIn(directory);
    await register.taint('J', raising(PORT));
    await register.taint('J', raising(PORT));
    await register.taint('J', raising(PORT));
    vi.advanceTimersByTime(COUNTS_LATE_MS);
    await vi.waitFor(() => expect(onDisk(directory)).toEqual([[`J ${PORT}`, 3]]), { timeout: 15_000 });
  } finally {
    vi.useRealTimers();
  }
});

test('counts that cannot be written keep nobody from working and are carried by the next write', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  try {
    const directory = temporaryDirectory();
    const fileSystem = new FaultyStateFileSystem(hostFileSystem);
    const register = await openIn(directory, { fileSystem });
    await register.taint('J', raising(PORT));
    await register.taint('J', raising(PORT));
    let failed = 0;
    fileSystem.fails = () => (failed++ === 0 ? 'ENOSPC' : undefined);
    vi.advanceTimersByTime(COUNTS_LATE_MS);
    await vi.waitFor(() => expect(failed).toBe(1), { timeout: 15_000 });
    expect(register.durable).toBe(true);
    await register.taint('M', raising(PORT));
    expect(onDisk(directory)).toContainEqual([`J ${PORT}`, 2]);
  } finally {
    vi.useRealTimers();
  }
});

test('a repetition waits for the disk while the bit itself is not there yet', async () => {
  const directory = temporaryDirectory();
  const register = await openIn(directory);
  const first = register.taint('J', raising(PORT));
  await register.taint('J', raising(PORT));
  expect(onDisk(directory)).toEqual([[`J ${PORT}`, 2]]);
  await first;
});

test('after an acknowledgement the next raising counts as a change again', async () => {
  const register = await openIn(temporaryDirectory());
  await register.taint('X', raising(PORT));
  await register.acknowledge('X', PORT, 'op', 'seen');
  expect(register.activeFor(PORT)).toEqual([]);
  const { version } = register.posture();
  await register.taint('X', raising(PORT));
  expect(register.posture().version).toBeGreaterThan(version);
  expect(register.activeFor(PORT)).toEqual(['X']);
});
