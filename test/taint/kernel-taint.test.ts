import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { kernelTaintPaths } from '../../src/taint/index.ts';
import { mirrorToKernel, panicMask } from '../../src/taint/kernel-taint.ts';
import { openIn, raising, temporaryDirectory } from './register.ts';

function kernel(commandLine: string) {
  const directory = temporaryDirectory();
  const paths = { tainted: join(directory, 'tainted'), commandLine: join(directory, 'cmdline') };
  writeFileSync(paths.tainted, '0\n');
  writeFileSync(paths.commandLine, commandLine);
  return { directory, paths };
}

test.each([
  ['', 0n],
  ['quiet root=/dev/sda\n', 0n],
  ['panic_on_taint=0x40\n', 0x40n],
  ['quiet panic_on_taint=40,nousertaint ro\n', 0x40n],
  ['panic_on_taint=0x200 panic_on_taint=41\n', 0x241n],
  ['"panic_on_taint=40"\n', 0x40n],
  ['panic-on-taint=40\n', 0x40n],
  ['no_panic_on_taint=40\n', 0n],
  ['panic_on_taint=\n', 0xffff_ffff_ffff_ffffn],
  ['panic_on_taint=zz\n', 0xffff_ffff_ffff_ffffn],
  ['panic_on_taint=40x\n', 0xffff_ffff_ffff_ffffn],
])('the boot parameters %j list the bits %s', (line, mask) => {
  expect(panicMask(line)).toBe(mask);
});

test('the mirror is off unless asked for', async () => {
  const { directory, paths } = kernel('quiet\n');
  const register = await openIn(directory, { kernelTaintPaths: paths });
  await register.taint('R', raising());
  expect(register.kernelMirror.state).toBe('off');
  expect(readFileSync(paths.tainted, 'utf8')).toBe('0\n');
});

test('the first raising sets bit 6 of the kernel mask, once', async () => {
  const { directory, paths } = kernel('quiet\n');
  const register = await openIn(directory, { kernelTaintPaths: paths, mirrorKernelTaint: true });
  expect(register.kernelMirror.state).toBe('off');
  await register.taint('R', raising());
  expect(register.kernelMirror.state).toBe('set');
  expect(readFileSync(paths.tainted, 'utf8')).toBe('64\n');
  writeFileSync(paths.tainted, '0\n');
  await register.taint('R', raising());
  expect(readFileSync(paths.tainted, 'utf8')).toBe('0\n');
});

test('a machine that would stop is left alone, and the taint is recorded all the same', async () => {
  const { directory, paths } = kernel('panic_on_taint=0x40\n');
  const register = await openIn(directory, { kernelTaintPaths: paths, mirrorKernelTaint: true });
  await register.taint('R', raising());
  expect(register.kernelMirror).toMatchObject({ state: 'skipped' });
  expect(readFileSync(paths.tainted, 'utf8')).toBe('0\n');
  expect(register.posture().taint.letters).toBe('R');
});

test('without a look at the boot parameters nothing is written', async () => {
  const { paths } = kernel('');
  expect(await mirrorToKernel({ ...paths, commandLine: `${paths.commandLine}.missing` })).toMatchObject({
    state: 'failed',
  });
  expect(readFileSync(paths.tainted, 'utf8')).toBe('0\n');
});

test('a refusal of the kernel is reported, not thrown', async () => {
  const { directory, paths } = kernel('');
  chmodSync(paths.tainted, 0o400);
  expect(await mirrorToKernel({ ...paths, tainted: directory })).toMatchObject({ state: 'failed' });
});

test('the default paths are those of Linux', async () => {
  expect(kernelTaintPaths).toEqual({ tainted: '/proc/sys/kernel/tainted', commandLine: '/proc/cmdline' });
});
