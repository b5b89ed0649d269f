import { hash } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  type JournalError,
  type JournalOptions,
  openJournal,
  readJournal,
  showRequest,
  verifyJournal,
} from '../../../src/broker/journal/index.ts';
import { AHEAD, HELD, ids, someAhead } from './ahead-fixture.ts';
import {
  check,
  DIRECTORY,
  FILE,
  intent,
  openInMemory,
  openOn,
  PATH,
  signer,
  temporaryDirectory,
  testClock,
} from './fixture.ts';
import { MemoryFileSystem } from './memory-file-system.ts';

function codeOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'it succeeded',
    (error: JournalError) => error.code,
  );
}

/** A journal with three intents on disk: the first one in its segment, the others ahead of it. */
async function twoAhead(more: Partial<JournalOptions> = {}) {
  const opened = await someAhead(['r-2', 'r-3'], more);
  expect(check(opened.fileSystem.text(PATH))).toHaveLength(1);
  return opened;
}

test('a record is on disk ahead of its segment when its caller hears so, and in its segment soon after', async () => {
  const { journal, fileSystem } = await openInMemory(new MemoryFileSystem(), { aheadBytes: 8192 });
  const { hash } = await journal.append('intent', intent('r-1'), { durable: true });
  expect(fileSystem.text(AHEAD)).toContain(hash);
  expect(fileSystem.text(PATH)).toBe('');
  expect(journal.health()).toMatchObject({ durableSequence: 1 });
  await expect.poll(() => fileSystem.text(PATH)).toContain(hash);
  await expect.poll(() => journal.health().pendingBytes).toBe(0);
});

test('a caller who writes without a pause does not keep his records out of their segment', async () => {
  const { journal, fileSystem } = await openInMemory(new MemoryFileSystem(), { aheadBytes: 1 << 20, flushAfterMs: 5 });
  for (let i = 0; !fileSystem.text(PATH).includes('"r-0"'); i++) {
    await journal.append('intent', intent(`r-${i}`), { durable: true });
    await new Promise((resolve) => setImmediate(resolve));
  }
  await journal.flush();
  check(fileSystem.text(PATH));
});

test('what is not durable comes along with what is, in the order of the journal', async () => {
  const { journal, fileSystem } = await openInMemory(new MemoryFileSystem(), HELD);
  await journal.append('decision', intent('r-1'), { durable: false });
  await journal.append('intent', intent('r-2'), { durable: true });
  expect(await ids(readJournal(DIRECTORY, { fileSystem }))).toEqual(['r-1', 'r-2']);
});

test('readers are given records that are ahead, once each', async () => {
  const { fileSystem, journal } = await twoAhead();
  expect(await ids(readJournal(DIRECTORY, { fileSystem }))).toEqual(['r-1', 'r-2', 'r-3']);
  expect(await ids(readJournal(DIRECTORY, { fileSystem, tail: 2 }))).toEqual(['r-2', 'r-3']);
  expect(await ids(readJournal(DIRECTORY, { fileSystem, tail: 3 }))).toEqual(['r-1', 'r-2', 'r-3']);
  expect(await ids(readJournal(DIRECTORY, { fileSystem, tail: 1, filter: { requestId: 'r-2' } }))).toEqual(['r-2']);
  expect(await showRequest(DIRECTORY, 'r-3', { fileSystem })).toHaveLength(1);
  // One segment by itself is what it is.
  expect(await ids(readJournal(PATH, { fileSystem }))).toEqual(['r-1']);
  await journal.flush();
  expect(await ids(readJournal(DIRECTORY, { fileSystem }))).toEqual(['r-1', 'r-2', 'r-3']);
  expect(await ids(readJournal(DIRECTORY, { fileSystem, tail: 2 }))).toEqual(['r-2', 'r-3']);
});

test('readers are given them where the segment is empty still, too', async () => {
  const { journal, fileSystem } = await openInMemory(new MemoryFileSystem(), HELD);
  await journal.append('intent', intent('r-1'), { durable: true });
  expect(fileSystem.text(PATH)).toBe('');
  expect(await ids(readJournal(DIRECTORY, { fileSystem }))).toEqual(['r-1']);
  expect(await ids(readJournal(DIRECTORY, { fileSystem, tail: 5 }))).toEqual(['r-1']);
  expect((await verifyJournal(DIRECTORY, { fileSystem })).records).toBe(1);
});

test('who follows is given those that were ahead once, not again when they are in their segment', async () => {
  const { fileSystem, journal } = await twoAhead();
  const stop = new AbortController();
  const seen: unknown[] = [];
  const following = (async () => {
    const options = { fileSystem, tail: 1, follow: true, pollMs: 1, signal: stop.signal };
    for await (const record of readJournal(DIRECTORY, options)) seen.push('requestId' in record && record.requestId);
  })();
  await expect.poll(() => seen).toEqual(['r-3']);
  await journal.append('intent', intent('r-4'), { durable: true });
  await journal.flush();
  await expect.poll(() => seen).toEqual(['r-3', 'r-4']);
  stop.abort();
  await following;
});

test('verifying counts what is ahead, and its checkpoints', async () => {
  const { fileSystem } = await twoAhead({ signer, checkpointRecords: 3 });
  const verdict = await verifyJournal(DIRECTORY, { fileSystem, keys: [signer.publicKey] });
  expect(verdict).toMatchObject({
    intact: true,
    records: 4,
    last: { sequence: 4 },
    signed: { checkpoints: 1, unsigned: 0 },
  });
  expect(verdict.openIntents.map((open) => open.requestId)).toEqual(['r-1', 'r-2', 'r-3']);
  expect(await verifyJournal(PATH, { fileSystem })).toMatchObject({ records: 1 });
});

test('after a power loss the next start takes what was ahead into its segment, before anything else', async () => {
  const { fileSystem } = await twoAhead();
  fileSystem.pullThePlug(0);
  const next = await openOn(fileSystem, HELD);
  const records = check(fileSystem.text(PATH));
  expect(records.map(({ kind, requestId }) => `${kind} ${requestId}`)).toEqual([
    ...['r-1', 'r-2', 'r-3'].map((id) => `intent ${id}`),
    ...['r-1', 'r-2', 'r-3'].map((id) => `outcome ${id}`),
  ]);
  expect(next.report).toMatchObject({ records: 3, verified: 3 });
  expect(next.report.unknown).toHaveLength(3);
  await next.close();
});

test('what is ahead of a half record of the segment is kept, and so is the half record', async () => {
  const { fileSystem } = await twoAhead();
  fileSystem.pullThePlug(0);
  fileSystem.edit(PATH, (data) => Buffer.concat([data, Buffer.from('{"v":1,"seq":2,"at"')]));
  expect(await verifyJournal(DIRECTORY, { fileSystem })).toMatchObject({
    intact: false,
    records: 3,
    torn: { bytes: 19 },
  });
  const next = await openOn(fileSystem, HELD);
  expect(check(fileSystem.text(PATH)).map(({ kind }) => kind)).toEqual([
    ...['intent', 'intent', 'intent', 'recovery'],
    ...['outcome', 'outcome', 'outcome'],
  ]);
  expect(next.report.torn).toMatchObject({ bytes: 19 });
  await next.close();
});

test('old records, which are in their segment, never come back', async () => {
  const { fileSystem, journal } = await twoAhead();
  await journal.close();
  expect(fileSystem.text(AHEAD)).toContain('"r-3"');
  for (let start = 0; start < 3; start++) await (await openOn(fileSystem, HELD)).close();
  const records = check(fileSystem.text(PATH));
  expect(records.filter(({ kind }) => kind === 'intent')).toHaveLength(3);
  expect(await ids(readJournal(DIRECTORY, { fileSystem, filter: { kinds: ['intent'] } }))).toHaveLength(3);
});

const DAMAGED: readonly { readonly what: string; readonly change: (text: string) => string; readonly left: number }[] =
  [
    { what: 'a half record at the end', change: (text) => cutAt(text, '"r-3"'), left: 2 },
    { what: 'a changed record', change: (text) => text.replace('"r-3"', '"r-9"'), left: 2 },
    { what: 'a changed record before others', change: (text) => text.replace('"r-2"', '"r-9"'), left: 1 },
    { what: 'the link of a record in a text', change: (text) => text.replace(/^/, `{"text":"\\"prev\\""}\n`), left: 3 },
    { what: 'a line that names the last record and is none', change: (text) => `{${link(text)}}\n${text}`, left: 3 },
    { what: 'zeros', change: (text) => '\0'.repeat(text.length), left: 1 },
    { what: 'nothing', change: () => '', left: 1 },
  ];

function cutAt(text: string, where: string): string {
  const at = text.indexOf(where);
  return text.slice(0, at) + '\n'.repeat(text.length - at);
}

/** The link from `r-2` to what is before it. */
function link(text: string): string {
  return /"prev":"[0-9a-f]{64}"/.exec(text.slice(text.indexOf('"r-2"')))?.[0] ?? expect.fail('no link');
}

test.each(DAMAGED)(
  'of a file ahead with $what, those records count that follow from the last one',
  async ({ change, left }) => {
    const { fileSystem } = await twoAhead();
    fileSystem.pullThePlug(0);
    fileSystem.edit(AHEAD, (data) => Buffer.from(change(data.toString())));
    expect(await ids(readJournal(DIRECTORY, { fileSystem }))).toHaveLength(left);
    expect(await verifyJournal(DIRECTORY, { fileSystem })).toMatchObject({ intact: true, records: left });
    const next = await openOn(fileSystem, HELD);
    expect(check(fileSystem.text(PATH)).filter(({ kind }) => kind === 'intent')).toHaveLength(left);
    await next.append('intent', intent('r-4'), { durable: true });
    await next.close();
    check(fileSystem.text(PATH));
  },
);

test('a checkpoint ahead that names our key and was not signed with it is refused', async () => {
  const { fileSystem } = await twoAhead({ signer, checkpointRecords: 3 });
  fileSystem.pullThePlug(0);
  const other = 'A'.repeat(86);
  fileSystem.edit(AHEAD, (data) =>
    Buffer.from(rehashed(data.toString().replace(/"signature":"[^"]{86}"/, `"signature":"${other}"`))),
  );
  await expect(openOn(fileSystem, { ...HELD, signer })).rejects.toMatchObject({ code: 'damaged' });
  // Without it they are refused by nobody: there is none to hold them against.
  await (await openOn(fileSystem, HELD)).close();
});

/** Gives the checkpoint of a text the hash that it has to have now. */
function rehashed(text: string): string {
  const line = text.split('\n').find((one) => one.includes('"kind":"checkpoint"')) ?? expect.fail('no checkpoint');
  const body = line.slice(0, line.lastIndexOf(',"hash":'));
  return text.replace(line, `${body},"hash":"${hash('sha256', body)}"}`);
}

test('a full file ahead is no reason to wait: the segment takes all', async () => {
  const { journal, fileSystem } = await openInMemory(new MemoryFileSystem(), { ...HELD, aheadBytes: 1000 });
  for (let i = 0; i < 20; i++) {
    await journal.append('intent', intent(`r-${i}`), { durable: true });
    expect(await ids(readJournal(DIRECTORY, { fileSystem }))).toHaveLength(i + 1);
  }
  expect(fileSystem.calls.filter(({ name }) => name === 'overwrite').length).toBeGreaterThan(5);
});

test('a large commit goes into its segment at once', async () => {
  const { journal, fileSystem } = await openInMemory(new MemoryFileSystem(), { ...HELD, aheadBytes: 1 << 20 });
  await journal.append('intent', intent('r-1', { details: { text: 'x'.repeat(70_000) } }), { durable: true });
  expect(check(fileSystem.text(PATH))).toHaveLength(1);
  await journal.append('intent', intent('r-2'), { durable: true });
  expect(check(fileSystem.text(PATH))).toHaveLength(1);
});

const TAKEN: readonly { readonly what: string; readonly take: (fileSystem: MemoryFileSystem) => void }[] = [
  { what: 'the file ahead is removed', take: (fileSystem) => fileSystem.remove(AHEAD) },
  { what: 'the file ahead is replaced', take: (fileSystem) => fileSystem.replace(AHEAD, Buffer.alloc(8192, 10)) },
  { what: 'the segment is removed', take: (fileSystem) => fileSystem.remove(PATH) },
  { what: 'the directory is removed', take: (fileSystem) => fileSystem.remove(DIRECTORY) },
];

test.each(TAKEN)(
  '$what: the next intent is refused, and nothing is lost when the journal is mended',
  async ({ what, take }) => {
    const { journal, fileSystem } = await twoAhead();
    take(fileSystem);
    expect(await codeOf(journal.append('intent', intent('r-4'), { durable: true }))).toBe('replaced');
    expect(journal.health()).toMatchObject({ state: 'failed' });
    if (what.includes('directory')) fileSystem.addDirectory(DIRECTORY);
    await journal.reopen();
    await journal.append('intent', intent('r-5'), { durable: true });
    expect(fileSystem.text(AHEAD)).toContain('"r-5"');
    await journal.close();
    const records = check(fileSystem.text(PATH));
    expect(records.filter(({ kind }) => kind === 'intent').map(({ requestId }) => requestId)).toEqual([
      'r-1',
      'r-2',
      'r-3',
      'r-4',
      'r-5',
    ]);
    expect(records.find(({ kind, requestId }) => kind === 'outcome' && requestId === 'r-4')).toMatchObject({
      outcome: 'not-sent',
    });
  },
);

test('a file ahead that was cut off is noticed when its records are to be in their segment', async () => {
  const { journal, fileSystem } = await twoAhead();
  fileSystem.edit(AHEAD, (data) => data.subarray(0, 100));
  await expect(journal.flush()).rejects.toMatchObject({ code: 'truncated' });
  await journal.reopen();
  expect(check(fileSystem.text(PATH)).filter(({ kind }) => kind === 'intent')).toHaveLength(3);
  expect(fileSystem.text(AHEAD)).toHaveLength(8192);
});

test('a file ahead that others may read, or that is a link, is refused', async () => {
  const open = (directory: string) => openJournal({ directory, clock: testClock() });
  const directory = temporaryDirectory();
  chmodSync(directory, 0o700);
  const path = join(directory, 'ahead.journal');
  writeFileSync(path, '\n'.repeat(100), { mode: 0o644 });
  expect(await codeOf(open(directory))).toBe('insecure');
  chmodSync(path, 0o600);
  const journal = await open(directory);
  expect(statSync(path).size).toBe(1 << 20);
  await journal.close();
  rmSync(path);
  const elsewhere = join(directory, 'elsewhere');
  writeFileSync(elsewhere, '', { mode: 0o600 });
  symlinkSync(elsewhere, path);
  expect(await codeOf(open(directory))).toBe('io');
  expect(readFileSync(elsewhere, 'utf8')).toBe('');
  rmSync(path);
  mkdirSync(path, { mode: 0o700 });
  expect(await codeOf(open(directory))).toBe('io');
});

test('a longer file ahead, of a broker that is set up otherwise, is taken as it is', async () => {
  const directory = temporaryDirectory();
  const wide = await openJournal({ directory, clock: testClock(), aheadBytes: 1 << 16 });
  await wide.append('intent', intent('r-1'), { durable: true });
  await wide.close();
  const narrow = await openJournal({ directory, clock: testClock(), aheadBytes: 4096 });
  await narrow.append('intent', intent('r-2'), { durable: true });
  await narrow.close();
  expect(statSync(join(directory, 'ahead.journal')).size).toBe(1 << 16);
  expect(check(readFileSync(join(directory, FILE), 'utf8')).filter(({ kind }) => kind === 'intent')).toHaveLength(2);
});
