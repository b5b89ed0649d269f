import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  type ChainProblemKind,
  type JournalVerdict,
  newSigningKey,
  signerOf,
  verifyJournal,
} from '../../../src/broker/journal/index.ts';
import {
  DIRECTORY,
  FILE,
  intent,
  openInMemory,
  PATH,
  SMALL,
  segmentNames,
  signer,
  temporaryDirectory,
} from './fixture.ts';
import { MemoryFileSystem } from './memory-file-system.ts';

/** The lines of a good journal, without newlines. */
async function goodLines(count: number): Promise<string[]> {
  const { journal, fileSystem } = await openInMemory();
  for (let i = 0; i < count; i++) await journal.append('intent', intent(`r-${i}`), { durable: true });
  return fileSystem.text(PATH).trimEnd().split('\n');
}

function verdictOf(text: string | Buffer): Promise<JournalVerdict> {
  const fileSystem = new MemoryFileSystem();
  fileSystem.addDirectory(DIRECTORY);
  fileSystem.replace(PATH, Buffer.from(text));
  return verifyJournal(DIRECTORY, { fileSystem });
}

const joined = (lines: readonly string[]) => lines.map((line) => `${line}\n`).join('');

/** A line rewritten by somebody who knows how hashes are made. */
function recomputed(line: string, edit: (text: string) => string): string {
  const hashed = edit(line.slice(0, -75));
  return `${hashed},"hash":"${createHash('sha256').update(hashed).digest('hex')}"}`;
}

/** `kind@line(sequence)` of every problem. */
const found = (verdict: JournalVerdict) =>
  verdict.problems.map(({ kind, line, sequence }) => `${kind}@${line}(${sequence ?? ''})`);

test('a good journal is one unbroken chain to its last record', async () => {
  const lines = await goodLines(5);
  const verdict = await verdictOf(joined(lines));
  const hash = JSON.parse(lines[4] ?? '').hash;
  expect(verdict).toEqual({
    intact: true,
    segments: [{ file: FILE, records: 5, firstSequence: 1, lastSequence: 5 }],
    records: 5,
    first: { sequence: 1, at: '2026-01-01T00:00:00.001Z' },
    last: { sequence: 5, at: expect.any(String), hash },
    problems: [],
    problemCount: 0,
    trusted: { file: FILE, line: 5, ordinal: 5, offset: expect.any(Number), sequence: 5, hash },
    witnesses: [],
    openIntents: expect.any(Array),
    summary: '5 records, one unbroken chain',
  });
  expect(verdict.openIntents.map((open) => open.requestId)).toEqual(['r-0', 'r-1', 'r-2', 'r-3', 'r-4']);
});

test('an empty journal is intact and trusts nothing', async () => {
  expect(await verdictOf('')).toMatchObject({ intact: true, records: 0, summary: 'the journal is empty' });
});

test('a file is verified by its own name as well as by its directory', async () => {
  const fileSystem = new MemoryFileSystem();
  fileSystem.addDirectory('/copy');
  fileSystem.replace('/copy/evidence.jsonl', Buffer.from(joined(await goodLines(2))));
  expect(await verifyJournal('/copy/evidence.jsonl', { fileSystem })).toMatchObject({
    intact: true,
    segments: [{ file: 'evidence.jsonl', records: 2 }],
  });
  await expect(verifyJournal('/copy/missing.jsonl', { fileSystem })).rejects.toMatchObject({ code: 'io' });
});

const at = (lines: readonly string[], index: number): string => lines[index] ?? expect.fail('no such line');

const cases: [string, (lines: string[]) => string[], string[], number | undefined][] = [
  ['a changed word', (l) => l.with(2, at(l, 2).replace('acme', 'evil')), ['changed@3(3)'], 2],
  [
    'a changed hash',
    (l) =>
      l.with(
        2,
        at(l, 2).replace(/.(?="}$)/, (c) => (c === '0' ? '1' : '0')),
      ),
    ['changed@3(3)', 'changed@3(3)'],
    2,
  ],
  [
    'a changed record with a new hash',
    (l) =>
      l.with(
        2,
        recomputed(at(l, 2), (t) => t.replace('acme', 'evil')),
      ),
    ['changed@3(3)'],
    2,
  ],
  ['a changed first record', (l) => l.with(0, at(l, 0).replace('acme', 'evil')), ['changed@1(1)'], undefined],
  ['a removed record', (l) => l.toSpliced(2, 1), ['removed@3(3)'], 2],
  ['three removed records', (l) => l.toSpliced(2, 3), ['removed@3(3)'], 2],
  ['a removed beginning', (l) => l.slice(2), ['removed@1(1)'], undefined],
  ['a duplicated record', (l) => l.toSpliced(3, 0, at(l, 2)), ['duplicated@4(3)'], 3],
  ['a record duplicated far away', (l) => l.toSpliced(5, 0, at(l, 0)), ['duplicated@6(1)'], 5],
  ['two swapped records', (l) => l.with(2, at(l, 3)).with(3, at(l, 2)), ['reordered@4(3)'], 2],
  [
    'a record moved up',
    (l) => l.toSpliced(5, 1).toSpliced(1, 0, at(l, 5)),
    ['reordered@3(2)', 'reordered@4(3)', 'reordered@5(4)', 'reordered@6(5)'],
    1,
  ],
  [
    'a forged record put in',
    (l) =>
      l.toSpliced(
        2,
        0,
        recomputed(at(l, 2), (t) => t.replace('acme', 'evil')),
      ),
    ['inserted@3(3)'],
    2,
  ],
  [
    'a forged first record',
    (l) =>
      l.toSpliced(
        0,
        0,
        recomputed(at(l, 0), (t) => t.replace('acme', 'evil')),
      ),
    ['inserted@1(1)'],
    undefined,
  ],
  [
    'a forged record with an old number',
    (l) =>
      l.toSpliced(
        4,
        0,
        recomputed(at(l, 1), (t) => t.replace('acme', 'evil')),
      ),
    ['inserted@5(2)'],
    4,
  ],
  [
    'a forged record beside the last one',
    (l) =>
      l.toSpliced(
        5,
        0,
        recomputed(at(l, 5), (t) => t.replace('acme', 'evil')),
      ),
    ['inserted@7(6)'],
    5,
  ],
  [
    'a forged record put in before a removed one',
    (l) =>
      l
        .toSpliced(
          2,
          0,
          recomputed(at(l, 2), (t) => t.replace('acme', 'evil')),
        )
        .toSpliced(4, 1),
    ['inserted@4(3)', 'removed@5(4)'],
    2,
  ],
  [
    'a foreign first record',
    (l) =>
      l.with(
        0,
        recomputed(at(l, 0), (t) => t.replace('0000', '1111')),
      ),
    ['changed@1(1)', 'changed@1(1)'],
    undefined,
  ],
  ['a line that is no record', (l) => l.with(2, 'x'), ['unreadable@3()'], 2],
  ['an empty line put in', (l) => l.toSpliced(2, 0, ''), ['unreadable@3()'], 2],
  ['a line that is JSON and no record', (l) => l.with(2, '{"v":1}'), ['unreadable@3()'], 2],
  ['a record of another version', (l) => l.with(2, at(l, 2).replace('"v":1', '"v":2')), ['unreadable@3()'], 2],
];

test.each(cases)(
  '%s is found and named, and what comes before is still trusted',
  async (_, edit, problems, trusted) => {
    const verdict = await verdictOf(joined(edit(await goodLines(6))));
    expect(verdict.intact).toBe(false);
    expect(found(verdict)).toEqual(problems);
    expect(verdict.trusted?.line).toBe(trusted);
    expect(verdict.summary).toMatch(/can't be relied on|nothing in it/);
  },
);

test('a torn tail is told apart from damage', async () => {
  const text = joined(await goodLines(3));
  const verdict = await verdictOf(text.slice(0, -1));
  expect(verdict).toMatchObject({ intact: false, problems: [], records: 2, torn: { line: 3 }, trusted: { line: 2 } });
  expect(verdict.summary).toContain('the last line is incomplete');
  expect(await verdictOf('{"v"')).toMatchObject({ intact: false, records: 0, torn: { line: 1, bytes: 4 } });
});

test('a journal of garbage is counted, not listed without end', async () => {
  const verdict = await verdictOf('x\n'.repeat(5000));
  expect(verdict.problemCount).toBe(5000);
  expect(verdict.problems).toHaveLength(100);
  expect(verdict.trusted).toBeUndefined();
});

test('a file of nothing but gaps stays bounded', async () => {
  const [line = ''] = await goodLines(1);
  const gaps = Array.from({ length: 10_100 }, (_, i) =>
    recomputed(line, (text) => text.replace('"seq":1', `"seq":${2 * i + 5}`)),
  );
  const verdict = await verdictOf(joined(gaps));
  expect(verdict.problemCount).toBe(10_100);
});

test('any one edit of any byte, and any removal, copy or move of whole lines, is found (400 cases)', async () => {
  const lines = await goodLines(12);
  const whole = Buffer.from(joined(lines));
  const edit = fc.oneof(
    fc.record({ at: fc.nat(whole.length - 1), xor: fc.integer({ min: 1, max: 255 }) }).map(({ at: place, xor }) => {
      const data = Buffer.from(whole);
      data[place] = (data[place] ?? 0) ^ xor;
      return { data, first: data.subarray(0, place).filter((byte) => byte === 0x0a).length };
    }),
    fc.record({ from: fc.nat(11), to: fc.nat(11) }).map(({ from, to }) => {
      const data = Buffer.from(
        joined(
          from === to
            ? lines.toSpliced(from, 0, at(lines, from))
            : lines.toSpliced(from, 1).toSpliced(to, 0, at(lines, from)),
        ),
      );
      return { data, first: from === to ? from + 1 : Math.min(from, to) };
    }),
    // The last line may go without a trace: the chain is not signed.
    fc.nat(10).map((gone) => ({ data: Buffer.from(joined(lines.toSpliced(gone, 1))), first: gone })),
  );
  await fc.assert(
    fc.asyncProperty(edit, async ({ data, first }) => {
      const verdict = await verdictOf(data);
      expect(verdict.intact).toBe(false);
      expect(verdict.trusted?.line ?? 0).toBeLessThanOrEqual(first);
    }),
    { numRuns: 400 },
  );
});

test('kinds that a newer broker writes do not break the chain', async () => {
  const { journal, fileSystem } = await openInMemory();
  await journal.append('weather' as 'stop', { reason: 'rain' }, { durable: true });
  expect(await verdictOf(fileSystem.text(PATH))).toMatchObject({ intact: true, records: 1 });
  const again = await openInMemory(fileSystem);
  expect(again.journal.report.records).toBe(1);
});

test('every kind of problem occurs in these cases', () => {
  const named = new Set(cases.flatMap(([, , problems]) => problems.map((problem) => problem.split('@')[0])));
  const all: ChainProblemKind[] = ['changed', 'unreadable', 'removed', 'inserted', 'reordered', 'duplicated'];
  expect(named).toEqual(new Set(all));
});

test('the verifier printed in docs/journal.md agrees', async () => {
  const page = readFileSync(join(import.meta.dirname, '../../../docs/journal.md'), 'utf8');
  const [, program = ''] = /```js\n(.*?)```/s.exec(page) ?? [];
  const directory = temporaryDirectory();
  const script = join(directory, 'verify.mjs');
  writeFileSync(script, program);
  const { journal, fileSystem } = await openInMemory(undefined, SMALL);
  for (let i = 0; i < 9; i++) await journal.append('intent', intent(`r-${i}`), { durable: true });
  await journal.close();
  const segments = segmentNames(fileSystem).map((name) => fileSystem.text(join(DIRECTORY, name)));
  const run = (texts: readonly string[], key = signer.publicKey) => {
    const paths = [key, ...texts].map((text, index) => {
      const path = join(directory, `${index}`);
      writeFileSync(path, text);
      return path;
    });
    return execFileSync(process.execPath, [script, ...paths], { encoding: 'utf8', stdio: 'pipe' });
  };
  const count = segments.join('').split('\n').length - 1;
  expect(segments.length).toBeGreaterThan(1);
  expect(run(segments)).toMatch(new RegExp(`^${count} records, signed up to ${count}, last hash [0-9a-f]{64}\n$`));
  expect(() => run(segments.map((text) => text.replace('acme', 'evil')))).toThrow('line 1: content and hash differ');
  expect(() => run(segments.slice(1))).toThrow('does not follow');
  expect(() => run(segments, signerOf(newSigningKey()).publicKey)).toThrow('not signed with this key');
});
