import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { hostFileSystem } from '../../src/taint/atomic-file.ts';
import { PostureError } from '../../src/taint/index.ts';
import { ledgerText, parseLedger } from '../../src/taint/ledger-file.ts';
import { FaultyStateFileSystem } from './faulty-state-file-system.ts';
import { openIn, raising, SWITCH, temporaryDirectory } from './register.ts';

/** A directory with a ledger that has something to lose. */
async function written(): Promise<{ directory: string; path: string; text: string }> {
  const directory = temporaryDirectory();
  const register = await openIn(directory);
  await register.taint('R', raising());
  await register.raise('integrity', 'user:local#op', 'x');
  await register.acknowledge('R', SWITCH, 'user:local#op', 'known');
  const path = join(directory, 'taint-sw0.json');
  return { directory, path, text: readFileSync(path, 'utf8') };
}

test('a missing ledger beside a journal that is not empty sets A and locks', async () => {
  const { directory, path } = await written();
  rmSync(path);
  const register = await openIn(directory, { journalNotEmpty: true });
  expect(register.posture().taint.letters).toBe('A');
  expect(register.posture().taint.entries[0]).toMatchObject({ by: 'broker', scope: SWITCH });
  expect(register.posture().lockdown.runTime).toBe('integrity');
  // It was written down at once: the next start finds a ledger and the bit.
  expect((await openIn(directory, { journalNotEmpty: true })).posture().taint.counts).toHaveLength(1);
});

test('a missing ledger beside an empty journal is a beginning, and is made at once', async () => {
  const directory = temporaryDirectory();
  expect((await openIn(directory)).posture().taint.letters).toBe('-');
  expect(readdirSync(directory)).toEqual(['taint-sw0.json']);
  // From now on its absence would be noticed, and its presence is no loss.
  expect((await openIn(directory, { journalNotEmpty: true })).posture().taint.letters).toBe('-');
});

test('a ledger cut off at any byte never means clean', async () => {
  const { directory, path, text } = await written();
  for (let length = 0; length < text.length - 1; length++) {
    expect(parseLedger(text.slice(0, length)).ok).toBe(false);
  }
  for (const length of [0, 1, Math.floor(text.length / 2), text.length - 2]) {
    writeFileSync(path, text.slice(0, length));
    const register = await openIn(directory);
    expect(register.posture().taint.letters).toBe('A');
    expect(register.posture().lockdown.runTime).toBe('confidentiality');
  }
  expect(readFileSync(`${path}.damaged-1`, 'utf8')).toBe('');
  expect(readFileSync(`${path}.damaged-4`, 'utf8')).toBe(text.slice(0, -2));
});

test('a ledger with any one byte changed never means clean', async () => {
  const { text } = await written();
  const bytes = Buffer.from(text.trimEnd());
  for (let at = 0; at < bytes.length; at++) {
    const changed = Buffer.from(bytes);
    changed[at] = (changed[at] ?? 0) ^ 1;
    const parsed = parseLedger(changed.toString('utf8'));
    expect(parsed.ok, `byte ${at}`).toBe(false);
  }
});

test('a ledger with a checksum of its own making and a wrong shape is damaged, not a crash', async () => {
  const { directory, path, text } = await written();
  const state = JSON.parse(text).state;
  const [group] = state.groups;
  const shapes: unknown[] = [
    null,
    [],
    { ...state, bootId: 1 },
    { ...state, ordinal: -1 },
    { ...state, runTime: 'low' },
    { ...state, groups: {} },
    { ...state, groups: [null] },
    { ...state, groups: [{ ...group, letter: 'Z' }] },
    { ...state, groups: [{ ...group, letter: 3 }] },
    { ...state, groups: [{ ...group, first: { ...group.first, atMs: 'x' } }] },
    { ...state, groups: [{ ...group, first: { ...group.first, raisedOn: 4 } }] },
    { ...state, groups: [{ ...group, acknowledgements: [{}] }] },
    { ...state, levelChanges: [{ level: 'none' }] },
  ];
  for (const shape of shapes) expect(parseLedger(ledgerText(shape as never))).toMatchObject({ ok: false });
  for (const other of [
    'null',
    '{}',
    '{"format":"cci taint ledger","version":2}',
    '{"format":"cci taint ledger","version":1}',
  ]) {
    expect(parseLedger(other)).toMatchObject({ ok: false });
  }
  writeFileSync(path, ledgerText(shapes[3] as never));
  expect((await openIn(directory)).posture().taint.letters).toBe('A');
});

test('a ledger that cannot be read is kept aside under another name and sets A', async () => {
  const { directory, text } = await written();
  const fileSystem = new FaultyStateFileSystem(hostFileSystem);
  fileSystem.fails = (call) => (call === 'read' ? 'EACCES' : undefined);
  const register = await openIn(directory, { fileSystem });
  expect(register.posture().taint.letters).toBe('A');
  expect(register.posture().taint.entries[0]?.reason).toContain('taint-sw0.json.damaged-1');
  expect(readFileSync(join(directory, 'taint-sw0.json.damaged-1'), 'utf8')).toBe(text);
});

test('a ledger that can be neither read nor kept aside stops the start', async () => {
  const directory = temporaryDirectory();
  mkdirSync(join(directory, 'taint-sw0.json'));
  await expect(openIn(directory)).rejects.toThrow(PostureError);
  await expect(openIn(directory)).rejects.toMatchObject({ code: 'EIO' });
});

test('a directory full of damaged copies stops the start instead of growing', async () => {
  const { directory, path } = await written();
  writeFileSync(path, 'x');
  const fileSystem = new FaultyStateFileSystem(hostFileSystem);
  fileSystem.fails = (call) => (call === 'link' ? 'EEXIST' : undefined);
  await expect(openIn(directory, { fileSystem })).rejects.toThrow('1000 damaged copies');
});

test('a file system that throws something that is no Error is reported all the same', async () => {
  const { directory } = await written();
  const odd = { ...hostFileSystem, read: () => Promise.reject('odd') };
  const register = await openIn(directory, { fileSystem: odd });
  expect(register.posture().taint.entries[0]?.reason).toContain('odd');
});
