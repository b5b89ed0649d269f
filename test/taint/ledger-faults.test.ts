import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { hostFileSystem } from '../../src/taint/atomic-file.ts';
import { parseLedger } from '../../src/taint/ledger-file.ts';
import { FaultyStateFileSystem } from './faulty-state-file-system.ts';
import { openIn, raising, temporaryDirectory } from './register.ts';

/** Calls of one write of the ledger, in order. */
const STEPS = [
  'create',
  'file.write',
  'file.sync',
  'file.close',
  'rename',
  'openDirectory',
  'directory.sync',
  'directory.close',
];

async function faulty() {
  const directory = temporaryDirectory();
  const fileSystem = new FaultyStateFileSystem(hostFileSystem);
  const register = await openIn(directory, { fileSystem });
  await register.taint('R', raising());
  fileSystem.calls.length = 0;
  return { directory, fileSystem, register };
}

test('a write of the ledger is exactly: temporary file, sync, rename, sync of the directory', async () => {
  const { fileSystem, register } = await faulty();
  await register.taint('M', raising());
  expect(fileSystem.calls).toEqual(STEPS);
});

test.each(STEPS)(
  'a failure of %s rejects the raising, keeps the bit in force, and leaves a whole ledger',
  async (step) => {
    const { directory, fileSystem, register } = await faulty();
    fileSystem.fails = (call) => (call === step ? 'ENOSPC' : undefined);
    await expect(register.taint('M', raising())).rejects.toMatchObject({ name: 'PostureError', code: 'EIO' });
    expect(register.posture().taint.letters).toBe('RM');
    expect(register.durable).toBe(false);
    // What a crash now would find: the old register or the new one, never neither.
    const parsed = parseLedger(readFileSync(join(directory, 'taint-sw0.json'), 'utf8'));
    expect(parsed.ok && parsed.state.groups.length).toBeGreaterThanOrEqual(1);

    await expect(register.retry()).rejects.toMatchObject({ code: 'EIO' });
    fileSystem.fails = () => undefined;
    await register.retry();
    expect(register.durable).toBe(true);
    fileSystem.calls.length = 0;
    await register.retry();
    expect(fileSystem.calls).toEqual([]);
    expect((await openIn(directory)).posture().taint.letters).toBe('RM');
  },
);

test('the next raising carries a bit that could not be written', async () => {
  const { directory, fileSystem, register } = await faulty();
  fileSystem.fails = (call) => (call === 'rename' ? 'EIO' : undefined);
  await expect(register.taint('M', raising())).rejects.toThrow('EIO');
  fileSystem.fails = () => undefined;
  await register.taint('X', raising());
  expect((await openIn(directory)).posture().taint.letters).toBe('RMX');
});

test('a level that could not be written is in force, and the same request may be repeated', async () => {
  const { directory, fileSystem, register } = await faulty();
  fileSystem.fails = () => 'EROFS';
  await expect(register.raise('integrity', 'op', 'x')).rejects.toMatchObject({ code: 'EIO' });
  expect(register.posture().lockdown.effective).toBe('integrity');
  await expect(register.raise('integrity', 'op', 'x')).rejects.toMatchObject({ code: 'EIO' });
  await expect(register.raise('none', 'op', 'x')).rejects.toMatchObject({ code: 'EPERM' });
  fileSystem.fails = () => undefined;
  await register.raise('integrity', 'op', 'x');
  await expect(register.raise('integrity', 'op', 'x')).rejects.toMatchObject({ code: 'EPERM' });
  expect((await openIn(directory)).posture().lockdown.runTime).toBe('integrity');
});

test('a register that cannot be written at the start does not open', async () => {
  const fileSystem = new FaultyStateFileSystem(hostFileSystem);
  fileSystem.fails = (call) => (call === 'create' ? 'EROFS' : undefined);
  await expect(openIn(temporaryDirectory(), { fileSystem })).rejects.toMatchObject({ code: 'EIO' });
});

test('raisings at the same time share a write, and none resolves before its bit is on disk', async () => {
  const { directory, fileSystem, register } = await faulty();
  const path = join(directory, 'taint-sw0.json');
  const seen: number[] = [];
  await Promise.all(
    Array.from({ length: 200 }, async (_, index) => {
      await register.taint('J', raising('/switches/sw0/ports/1', `raising ${index}`));
      const parsed = parseLedger(readFileSync(path, 'utf8'));
      seen.push(parsed.ok ? parsed.state.ordinal - 1 - index : -1);
    }),
  );
  expect(Math.min(...seen)).toBeGreaterThan(0);
  expect(fileSystem.calls.filter((call) => call === 'rename').length).toBeLessThan(10);
});
