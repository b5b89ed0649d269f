import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import {
  effectiveLevel,
  hostBootId,
  isHigher,
  lockdownLevels,
  parseLockdown,
  readKernelLevel,
} from '../../src/taint/index.ts';

const directory = mkdtempSync(join(tmpdir(), 'lockdown-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function file(text: string): string {
  const path = join(directory, 'file');
  writeFileSync(path, text);
  return path;
}

test.each([
  ['[none] integrity confidentiality\n', 'none'],
  ['none [integrity] confidentiality\n', 'integrity'],
  ['none integrity [confidentiality]\n', 'confidentiality'],
])('the kernel line %j is read as %s', (text, level) => {
  expect(parseLockdown(text)).toBe(level);
  expect(readKernelLevel('read', file(text))).toBe(level);
  expect(readKernelLevel('not-built', file(text))).toBe(level);
});

test.each([
  '',
  '\n',
  'none\n',
  '[none]\n',
  'none integrity confidentiality\n',
  '[none] [integrity] confidentiality\n',
  '[none] integrity confidentiality',
  ' [none] integrity confidentiality\n',
  '[none] integrity confidentiality\n\n',
  '[none]  integrity confidentiality\n',
  '[None] integrity confidentiality\n',
  '[none] integrity confidentiality extra\n',
  'integrity [none] confidentiality\n',
  '[none] integrity confidentiality\0\n',
])('a kernel line that is not exactly one of three, %j, locks', (text) => {
  expect(parseLockdown(text)).toBeUndefined();
  expect(readKernelLevel('read', file(text))).toBe('integrity');
  expect(readKernelLevel('not-built', file(text))).toBe('integrity');
});

test('a missing kernel file locks unless the operator declared that the LSM is not built', () => {
  const missing = join(directory, 'missing');
  expect(readKernelLevel('read', missing)).toBe('integrity');
  expect(readKernelLevel('not-built', missing)).toBe('none');
});

test('a kernel file that is there and cannot be read locks, whatever was declared', () => {
  // A directory: open succeeds and read fails, for every user.
  expect(readKernelLevel('read', directory)).toBe('integrity');
  expect(readKernelLevel('not-built', directory)).toBe('integrity');
  // A file in the place of a directory: ENOTDIR, which is not ENOENT.
  expect(readKernelLevel('not-built', join(file('x'), 'lockdown'))).toBe('integrity');
});

test('the effective level is the highest, for every combination', () => {
  for (const a of lockdownLevels) {
    for (const b of lockdownLevels) {
      for (const c of lockdownLevels) {
        const rank = Math.max(...[a, b, c].map((level) => lockdownLevels.indexOf(level)));
        expect(effectiveLevel(a, b, c)).toBe(lockdownLevels[rank]);
      }
      expect(isHigher(a, b)).toBe(lockdownLevels.indexOf(a) > lockdownLevels.indexOf(b));
    }
  }
  expect(effectiveLevel()).toBe('none');
});

test('the boot id is a UUID or not known', () => {
  expect(hostBootId(file('0f8b3e0c-1d2a-4b5c-8d7e-9f0a1b2c3d4e\n'))).toBe('0f8b3e0c-1d2a-4b5c-8d7e-9f0a1b2c3d4e');
  for (const text of ['', '\n', 'boot\n', '0f8b3e0c-1d2a-4b5c-8d7e-9f0a1b2c3d4e']) {
    expect(hostBootId(file(text))).toBeUndefined();
  }
  expect(hostBootId(join(directory, 'missing'))).toBeUndefined();
  expect(hostBootId()).toMatch(/^[0-9a-f-]{36}$/);
});
