import { appendFile, mkdir, mkdtemp, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  type Journal,
  newSigningKey,
  openJournal,
  signerOf,
  systemJournalClock,
  verifyJournal,
} from '../../../src/broker/journal/index.ts';
import { createRecording, newRecordingKey, type Recording } from '../../../src/broker/recording/index.ts';
import { cli } from '../../support/command-line.ts';
import { eventually } from '../../support/eventually.ts';

const FIRST = '0198f7c2-2b7e-7cc3-9c0c-000000000001';
const SECOND = '0198f7c2-2b7e-7cc3-9c0c-000000000002';
const signer = signerOf(newSigningKey());
const pair = newRecordingKey();

let state = '';
let journal: Journal;
const at = (name: string): string => join(state, name);
const recorded = (session: string): string => at(`recordings/${session}.cast.jwe`);

beforeEach(async () => {
  state = await mkdtemp(join(tmpdir(), 'recorded-'));
  await mkdir(at('recordings'), { mode: 0o700 });
  journal = await openJournal({ directory: at('journal'), clock: systemJournalClock, signer });
});
afterEach(async () => {
  await journal.close().catch(() => undefined);
  await rm(state, { recursive: true, force: true });
});

/** A session of ten seconds, with a link to each; not ended. */
async function record(session: string, publicKey: string | undefined = pair.publicKey): Promise<Recording> {
  let linked = 0;
  const recording = await createRecording(
    {
      directory: at('recordings'),
      session,
      switch: 'sw0',
      program: 'vendor-tool',
      width: 80,
      height: 24,
      startedAtMs: 0,
      principal: 'user:local#ann',
      ...(publicKey === undefined ? {} : { publicKey }),
      chain: async (link) => {
        await journal.append(
          'console',
          { requestId: 'r-1', switch: 'sw0', change: 'recording', session, recording: link },
          { durable: true },
        );
        linked = link.elapsedMs;
      },
      onFailed: (error) => {
        throw error;
      },
    },
    { linkAfterMs: 1 },
  );
  for (let second = 1; second <= 10; second++) {
    recording.output(Buffer.from(`second ${second}\r\n`), second * 1000);
    await eventually(() => linked).toBe(second * 1000);
  }
  return recording;
}

const look = () => verifyJournal(at('journal'), { recordings: at('recordings') });

test('recordings that nobody touched are whole, encrypted or not, and no private key is asked for', async () => {
  await (await record(FIRST)).close();
  await (await record(SECOND, undefined as never)).close();
  await journal.close();
  const verdict = await look();
  expect(verdict.problems).toEqual([]);
  expect(verdict.intact).toBe(true);
  expect(verdict.recordings?.files).toMatchObject([
    { session: FIRST, state: 'whole', trustedMs: 10_000, unlinkedBytes: 0 },
    { session: SECOND, state: 'whole', trustedMs: 10_000, unlinkedBytes: 0 },
  ]);
  expect(verdict.summary).toContain('2 recordings of consoles as written');
});

describe('what was done to a recording is found, with the second up to which it is good', () => {
  test.each<[string, () => Promise<void>, string, number]>([
    [
      'a character changed',
      () => changeLines((lines) => lines.with(-2, `${lines.at(-2)}Q`)),
      'recording-changed',
      9000,
    ],
    ['the header changed', () => change((text) => `f${text.slice(1)}`), 'recording-changed', 0],
    [
      'two blocks moved',
      () => changeLines(([e = '', h = '', a = '', b = '', ...rest]) => [e, h, b, a, ...rest]),
      'recording-changed',
      0,
    ],
    ['a block removed', () => changeLines((lines) => lines.toSpliced(6, 1)), 'recording-changed', 4000],
    ['a block put in', () => changeLines((lines) => lines.toSpliced(6, 0, lines[5] ?? '')), 'recording-changed', 4000],
    ['the end cut off', () => changeLines((lines) => lines.slice(0, -3)), 'recording-cut', 8000],
    ['one byte cut off', () => truncate(recorded(FIRST), recordedBytes - 1), 'recording-cut', 10_000],
    ['all of it cut off', () => truncate(recorded(FIRST), 0), 'recording-cut', 0],
    ['something put behind it', () => appendFile(recorded(FIRST), 'more'), 'recording-extended', 10_000],
    ['the file removed', () => rm(recorded(FIRST)), 'recording-missing', 0],
    ['another recording in its place', () => rename(recorded(SECOND), recorded(FIRST)), 'recording-changed', 0],
  ])('%s', async (_name, edit, kind, trustedMs) => {
    await (await record(FIRST)).close();
    await (await record(SECOND)).close();
    recordedBytes = (await readFile(recorded(FIRST))).length;
    await journal.close();
    await edit();
    const verdict = await look();
    expect(verdict.intact).toBe(false);
    expect(verdict.problems.find(({ text }) => text.includes(FIRST))?.kind).toBe(kind);
    expect(verdict.recordings?.files[0]).toMatchObject({ state: 'damaged', trustedMs });
  });

  let recordedBytes = 0;
  const change = async (edit: (text: string) => string): Promise<void> =>
    writeFile(recorded(FIRST), edit(await readFile(recorded(FIRST), 'utf8')));
  const changeLines = (edit: (lines: string[]) => string[]): Promise<void> =>
    change((text) => `${edit(text.trimEnd().split('\n')).join('\n')}\n`);
});

test('any one byte that is changed in a recording is found', async () => {
  await (await record(FIRST)).close();
  await journal.close();
  const bytes = await readFile(recorded(FIRST));
  for (let offset = 0; offset < bytes.length; offset += 211) {
    const edited = Buffer.from(bytes);
    edited[offset] = (edited[offset] ?? 0) ^ 1;
    await writeFile(recorded(FIRST), edited);
    expect(
      (await look()).problems.map(({ kind }) => kind),
      `byte ${offset}`,
    ).toEqual(['recording-changed']);
  }
});

test('a recording that the journal does not name was put there', async () => {
  await (await record(FIRST)).close();
  await journal.close();
  await writeFile(recorded(SECOND), 'x');
  const { problems } = await look();
  expect(problems).toMatchObject([{ kind: 'recording-unknown', text: expect.stringContaining(SECOND) }]);
});

test('a session under way is good so far; what is behind the last link is told apart', async () => {
  const recording = await record(FIRST);
  await appendFile(recorded(FIRST), 'not linked');
  const verdict = await look();
  expect(verdict.problems).toEqual([]);
  expect(verdict.recordings?.files).toMatchObject([{ state: 'running', trustedMs: 10_000, unlinkedBytes: 10 }]);
  await recording.close();
});

test('a session whose broker was killed is unfinished, and no damage', async () => {
  const recording = await record(FIRST);
  await journal.append('start', { version: '1', pid: 1 }, { durable: true });
  const verdict = await look();
  expect(verdict.intact).toBe(true);
  expect(verdict.recordings?.files).toMatchObject([{ state: 'unfinished', trustedMs: 10_000 }]);
  await recording.close();
});

test('a session that was closed without the end of its recording is unfinished, and no damage', async () => {
  const recording = await record(FIRST);
  await journal.append('console', { requestId: 'r-1', change: 'closed', session: FIRST }, { durable: true });
  expect((await look()).recordings?.files).toMatchObject([{ state: 'unfinished', trustedMs: 10_000 }]);
  await recording.close();
});

test('a link that names a file elsewhere opens nothing there', async () => {
  await journal.append(
    'console',
    {
      requestId: 'r-1',
      change: 'recording',
      recording: { file: '../../etc/passwd', link: 0, bytes: 1, digest: '0'.repeat(64), elapsedMs: 0 },
    },
    { durable: true },
  );
  expect((await look()).recordings?.files).toEqual([]);
});

describe('cci audit verify', () => {
  test('says of each recording what is good, and ends with 1 where one is not', async () => {
    await (await record(FIRST)).close();
    await (await record(SECOND)).close();
    await journal.close();
    const good = await cli(['audit', 'verify', '--journal', at('journal')]);
    expect(good).toMatchObject({
      code: 0,
      out: expect.stringContaining(`${FIRST}.cast.jwe is whole and as it was written`),
    });
    await truncate(recorded(SECOND), 1500);
    const bad = await cli(['audit', 'verify', '--journal', at('journal')]);
    expect(bad.code).toBe(1);
    expect(bad.out).toMatch(/recording-cut: recording 0198f7c2-\S+2\.cast\.jwe was cut at byte 1500 of \d+/);
    expect(bad.out).toMatch(/recording \S+2\.cast\.jwe can't be relied on after second \d/);
  });

  test('looks at a copy, and says when recordings were not looked at', async () => {
    await (await record(FIRST)).close();
    await journal.close();
    const copy = await mkdtemp(join(tmpdir(), 'copy-'));
    await rename(at('journal'), join(copy, 'journal'));
    const without = await cli(['audit', 'verify', '--journal', join(copy, 'journal')]);
    expect(without).toMatchObject({ code: 0, err: expect.stringContaining('not looked at: give --recordings') });
    const given = await cli(['audit', 'verify', '--journal', join(copy, 'journal'), '--recordings', at('recordings')]);
    expect(given).toMatchObject({ code: 0, out: expect.stringContaining('is whole') });
    await rm(copy, { recursive: true, force: true });
  });
});
