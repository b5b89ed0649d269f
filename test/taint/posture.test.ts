import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { activeAnywhere, type PostureError, type TaintLetter } from '../../src/taint/index.ts';
import { openIn, raising, SWITCH, temporaryDirectory } from './register.ts';

/** Over the limit of a path. */
const LONG = `/switches/sw0/${'x'.repeat(600)}`;

async function codeOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'it succeeded',
    (error: PostureError) => error.code,
  );
}

test('a fresh register says what its configuration says and nothing else', async () => {
  const register = await openIn(temporaryDirectory(), { lockdown: 'integrity', profile: 'bmc', rawAllowAll: true });
  expect(register.posture()).toEqual({
    version: 1,
    lockdown: { effective: 'integrity', kernel: 'not-consulted', config: 'integrity', runTime: 'none' },
    profile: 'bmc',
    rawCommands: 'off',
    rawAllowAll: true,
    underLockdown: 'allow',
    taint: { mask: 0, letters: '-', entries: [], acknowledgements: [], counts: [] },
  });
  expect(register.posture()).toBe(register.posture());
  expect(register.durable).toBe(true);
});

test('raising a bit changes version, mask and letters, and is on disk with mode 0600 when it resolves', async () => {
  const directory = temporaryDirectory();
  const register = await openIn(directory);
  await register.taint('V', raising('/switches/sw0/ports/3'));
  await register.taint('R', raising('/switches/sw0/ports/3'));
  const { version, taint } = register.posture();
  expect(version).toBe(2);
  expect(taint.letters).toBe('RV');
  expect(taint.mask).toBe(3);
  expect(taint.entries).toEqual([
    { letter: 'V', atMs: 1, ...raising('/switches/sw0/ports/3'), ordinal: 1 },
    { letter: 'R', atMs: 2, ...raising('/switches/sw0/ports/3'), ordinal: 2 },
  ]);
  const path = join(directory, 'taint-sw0.json');
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(JSON.parse(readFileSync(path, 'utf8')).state.groups).toHaveLength(2);
});

test('taint and run-time level survive a broker restart', async () => {
  const directory = temporaryDirectory();
  const before = await openIn(directory);
  await before.taint('M', raising('/switches/sw0/ports/3/lds/1'));
  await before.raise('integrity', 'user:local#op', 'maintenance');
  const after = await openIn(directory, { journalNotEmpty: true });
  expect(after.posture().taint).toEqual(before.posture().taint);
  expect(after.posture().lockdown).toEqual(before.posture().lockdown);
  expect(after.activeFor('/switches/sw0/ports/3/lds/1')).toEqual(['M']);
  expect(after.activeFor('/switches/sw0/ports/4')).toEqual([]);
});

test('a new boot ends the run-time level and every bit but F', async () => {
  const directory = temporaryDirectory();
  const before = await openIn(directory);
  for (const letter of 'RVJOCEMXFAB') await before.taint(letter as TaintLetter, raising());
  await before.raise('confidentiality', 'user:local#op', 'incident');
  const after = await openIn(directory, { bootId: () => 'boot-2', journalNotEmpty: true });
  expect(after.posture().taint.letters).toBe('F');
  expect(after.posture().lockdown.runTime).toBe('none');
});

test('F stays with its serial from boot to boot until it is acknowledged', async () => {
  const directory = temporaryDirectory();
  await (await openIn(directory)).taint('F', raising());
  const other = await openIn(directory, { bootId: () => 'boot-2', serial: 'S2' });
  expect(other.posture().taint.letters).toBe('-');
  expect(await codeOf(other.acknowledge('F', SWITCH, 'op', 'not this device'))).toBe('ENOENT');
  const restarted = await openIn(directory, { bootId: () => 'boot-2' });
  expect(restarted.posture().taint.letters).toBe('F');
  const back = await openIn(directory, { bootId: () => 'boot-3' });
  expect(back.posture().taint.letters).toBe('F');
  await back.acknowledge('F', SWITCH, 'user:local#op', 'image checked');
  expect(back.posture().taint.letters).toBe('F');
  expect(activeAnywhere(back.posture().taint)).toEqual([]);
  const last = await openIn(directory, { bootId: () => 'boot-4' });
  expect(last.posture().taint.letters).toBe('-');
});

test('an F raised again after its acknowledgement outlives the boot again', async () => {
  const directory = temporaryDirectory();
  const register = await openIn(directory);
  await register.taint('F', raising());
  await register.acknowledge('F', SWITCH, 'user:local#op', 'image checked');
  await register.taint('F', raising());
  expect((await openIn(directory, { bootId: () => 'boot-2' })).posture().taint.letters).toBe('F');
});

test('a device swapped within one boot clears nothing', async () => {
  const directory = temporaryDirectory();
  const first = await openIn(directory);
  await first.taint('M', raising());
  await first.taint('F', raising());
  const second = await openIn(directory, { serial: 'S2' });
  expect(second.posture().taint.letters).toBe('MF');
  await second.taint('F', raising());
  expect(second.posture().taint.counts).toHaveLength(3);
  await second.acknowledge('F', SWITCH, 'user:local#op', 'both');
  expect(activeAnywhere(second.posture().taint)).toEqual(['M']);
});

test('a boot that cannot be told from the last one clears nothing', async () => {
  const directory = temporaryDirectory();
  const unknown = { bootId: () => undefined };
  const first = await openIn(directory, unknown);
  await first.taint('M', raising());
  await first.raise('integrity', 'user:local#op', 'x');
  const second = await openIn(directory);
  expect(second.posture().taint.letters).toBe('M');
  expect(second.posture().lockdown.runTime).toBe('integrity');
  const third = await openIn(directory, unknown);
  expect(third.posture().taint.letters).toBe('M');
  const fourth = await openIn(directory, { bootId: () => 'boot-2' });
  expect(fourth.posture().taint.letters).toBe('-');
});

test('the run-time level only rises; an equal or lower request is EPERM', async () => {
  const register = await openIn(temporaryDirectory());
  const raise = (level: string) => codeOf(register.raise(level as 'none', 'user:local#op', 'test'));
  expect(await raise('none')).toBe('EPERM');
  expect(await raise('integrity')).toBe('it succeeded');
  expect(await raise('integrity')).toBe('EPERM');
  expect(await raise('none')).toBe('EPERM');
  expect(await raise('confidentiality')).toBe('it succeeded');
  expect(await raise('confidentiality')).toBe('EPERM');
  expect(await raise('integrity')).toBe('EPERM');
  expect(await raise('off')).toBe('EINVAL');
  expect(register.posture().lockdown.runTime).toBe('confidentiality');
});

test('a level that the configuration already demands cannot be raised to', async () => {
  const register = await openIn(temporaryDirectory(), { lockdown: 'integrity' });
  expect(await codeOf(register.raise('integrity', 'user:local#op', 'test'))).toBe('EPERM');
  await register.raise('confidentiality', 'user:local#op', 'test');
  expect(register.posture().lockdown).toEqual({
    effective: 'confidentiality',
    kernel: 'not-consulted',
    config: 'integrity',
    runTime: 'confidentiality',
  });
});

test('a kernel level that rises while the broker runs is seen by the next decision', async () => {
  const directory = temporaryDirectory();
  const kernelLockdownPath = join(directory, 'lockdown');
  writeFileSync(kernelLockdownPath, '[none] integrity confidentiality\n');
  const register = await openIn(directory, { consultKernel: true, kernelLockdownPath });
  const before = register.posture();
  expect(before.lockdown.effective).toBe('none');
  writeFileSync(kernelLockdownPath, 'none integrity [confidentiality]\n');
  const after = register.posture();
  expect(after.lockdown).toEqual({
    effective: 'confidentiality',
    kernel: 'confidentiality',
    config: 'none',
    runTime: 'none',
  });
  expect(after.version).toBe(before.version + 1);
  expect(register.posture()).toBe(after);
});

test('the real kernel file is the default', async () => {
  const register = await openIn(temporaryDirectory(), { consultKernel: true });
  expect(['none', 'integrity', 'confidentiality']).toContain(register.posture().lockdown.kernel);
});

test.each([
  '/switches/sw1',
  '/switches/sw00',
  '/switches',
  'sw0',
  '',
  '/switches/sw0/',
  '/switches/sw0//ports/1',
  LONG,
])('a taint outside the switch or on a sloppy path, %.30s, is a mistake of the caller', async (scope) => {
  const register = await openIn(temporaryDirectory());
  expect(await codeOf(register.taint('M', raising(scope)))).toBe('EINVAL');
  expect(await codeOf(register.acknowledge('M', scope, 'op', 'x'))).toBe('EINVAL');
  expect(register.posture().taint.letters).toBe('-');
});

test('an unknown letter is a mistake of the caller', async () => {
  const register = await openIn(temporaryDirectory());
  expect(await codeOf(register.taint('Z' as TaintLetter, raising()))).toBe('EINVAL');
});

test('only a bit that was raised on exactly that path can be acknowledged, and it stays', async () => {
  const register = await openIn(temporaryDirectory());
  await register.taint('X', raising('/switches/sw0/ports/3'));
  expect(await codeOf(register.acknowledge('X', SWITCH, 'op', 'x'))).toBe('ENOENT');
  expect(await codeOf(register.acknowledge('M', '/switches/sw0/ports/3', 'op', 'x'))).toBe('ENOENT');
  await register.acknowledge('X', '/switches/sw0/ports/3', 'user:local#op', 'cable was pulled');
  const { taint } = register.posture();
  expect(taint.letters).toBe('X');
  expect(taint.acknowledgements).toEqual([
    { letter: 'X', scope: '/switches/sw0/ports/3', atMs: 4, by: 'user:local#op', reason: 'cable was pulled', upTo: 1 },
  ]);
  expect(register.activeFor('/switches/sw0/ports/3')).toEqual([]);
  await register.taint('X', raising('/switches/sw0/ports/3'));
  expect(register.activeFor('/switches/sw0/ports/3')).toEqual(['X']);
});
