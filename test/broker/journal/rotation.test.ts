import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  type JournalError,
  type JournalRecord,
  newSigningKey,
  readJournal,
  signerOf,
} from '../../../src/broker/journal/index.ts';
import { checkAll, DIRECTORY, intent, openInMemory, SMALL, segmentNames, signer, testClock } from './fixture.ts';
import type { MemoryFileSystem } from './memory-file-system.ts';

const at = (number: number): string => join(DIRECTORY, `journal-${String(number).padStart(6, '0')}.jsonl`);

/** A journal of several small segments, closed. */
async function several(count = 20, more: Parameters<typeof openInMemory>[1] = {}): Promise<MemoryFileSystem> {
  const { journal, fileSystem } = await openInMemory(undefined, { ...SMALL, ...more });
  for (let i = 0; i < count; i++) await journal.append('decision', intent(`r-${i}`), { durable: true });
  await journal.close();
  return fileSystem;
}

async function records(fileSystem: MemoryFileSystem, tail?: number): Promise<JournalRecord[]> {
  const found: JournalRecord[] = [];
  const options = { fileSystem, ...(tail === undefined ? {} : { tail }) };
  for await (const record of readJournal(DIRECTORY, options)) found.push(record);
  return found;
}

const sequences = async (fileSystem: MemoryFileSystem, tail?: number): Promise<number[]> =>
  (await records(fileSystem, tail)).map(({ seq }) => seq);

test('a full segment is sealed by a checkpoint, and the chain goes on in the next one', async () => {
  const fileSystem = await several();
  const names = segmentNames(fileSystem);
  expect(names.length).toBeGreaterThan(3);
  expect(names).toEqual(names.toSorted());
  const all = checkAll(fileSystem);
  for (const name of names) {
    const lines = fileSystem.text(join(DIRECTORY, name)).trimEnd().split('\n');
    expect(JSON.parse(lines.at(-1) ?? '')).toMatchObject({ kind: 'checkpoint', segment: name, key: signer.keyId });
    expect(Buffer.byteLength(lines.join('\n'))).toBeLessThan(SMALL.segmentBytes + 1000);
  }
  expect(await sequences(fileSystem)).toEqual(all.map(({ seq }) => seq));
  expect(await sequences(fileSystem, 9)).toEqual(all.slice(-9).map(({ seq }) => seq));
});

test('a segment that is old enough ends with the next record, however small it is', async () => {
  let now = Date.UTC(2026, 0, 1);
  const clock = { now: () => now, monotonic: () => now };
  const { journal, fileSystem } = await openInMemory(undefined, { signer, segmentAgeMs: 60_000, clock });
  for (const minutes of [0, 0.5, 0.4, 0.2, 5]) {
    now += minutes * 60_000;
    await journal.append('decision', intent('r'), { durable: true });
  }
  await journal.close();
  expect(segmentNames(fileSystem)).toHaveLength(3);
  // The age counts from the first record, over a restart as well.
  const again = await openInMemory(fileSystem, { signer, segmentAgeMs: 60_000, clock });
  now += 59_000;
  await again.journal.append('decision', intent('r'), { durable: true });
  expect(segmentNames(fileSystem)).toHaveLength(3);
  now += 2000;
  await again.journal.append('decision', intent('r'), { durable: true });
  expect(segmentNames(fileSystem)).toHaveLength(4);
  await again.journal.close();
  checkAll(fileSystem);
});

test('records of several segments that wait at once are all written, in order', async () => {
  const { journal, fileSystem } = await openInMemory(undefined, SMALL);
  await Promise.all(
    Array.from({ length: 40 }, (_, i) => journal.append('intent', intent(`r-${i}`), { durable: i % 3 === 0 })),
  );
  await journal.close();
  const records = checkAll(fileSystem).filter(({ kind }) => kind === 'intent');
  expect(records.map(({ requestId }) => requestId)).toEqual(Array.from({ length: 40 }, (_, i) => `r-${i}`));
  expect(segmentNames(fileSystem).length).toBeGreaterThan(5);
});

test('a start reads what came after the last checkpoint, and knows the rest from it', async () => {
  const { journal, fileSystem } = await openInMemory(undefined, SMALL);
  await journal.append('intent', intent('open', { switch: 'sw7' }), { durable: true });
  for (let i = 0; i < 30; i++) await journal.append('decision', intent(`r-${i}`), { durable: true });
  const reads = fileSystem.calls.length;
  const next = await openInMemory(fileSystem, SMALL);
  expect(next.journal.report.records).toBeGreaterThan(30);
  expect(next.journal.report.verified).toBeLessThan(6);
  expect(next.journal.report.switches).toEqual(new Set(['sw0', 'sw7']));
  expect(next.journal.report.unknown).toMatchObject([{ requestId: 'open', switch: 'sw7', sequence: 1 }]);
  const touched = new Set(fileSystem.calls.slice(reads).flatMap(({ name, path }) => (name === 'read' ? [path] : [])));
  expect(touched.size).toBeLessThanOrEqual(2);
  await next.journal.close();
  const records = checkAll(fileSystem);
  expect(records.filter(({ kind }) => kind === 'outcome')).toMatchObject([{ requestId: 'open', outcome: 'unknown' }]);
});

test('without a key all segments are verified at the start', async () => {
  const fileSystem = await several();
  const { signer: _, ...keyless } = SMALL;
  const { journal } = await openInMemory(fileSystem, keyless);
  expect(journal.report.verified).toBe(journal.report.records);
});

test('a journal of the time before checkpoints is read once, and signed from then on', async () => {
  const { journal, fileSystem } = await openInMemory();
  for (let i = 0; i < 5; i++) await journal.append('decision', intent(`r-${i}`), { durable: true });
  await journal.close();
  const next = await openInMemory(fileSystem, SMALL);
  expect(next.journal.report.verified).toBe(5);
  await next.journal.close();
  expect(checkAll(fileSystem).at(-1)).toMatchObject({ kind: 'checkpoint', seq: 6 });
  const last = await openInMemory(fileSystem, SMALL);
  expect(last.journal.report).toMatchObject({ records: 6, verified: 0 });
});

test('another key is told by a record, and its first start reads everything', async () => {
  const fileSystem = await several();
  const other = signerOf(newSigningKey());
  const { journal } = await openInMemory(fileSystem, { ...SMALL, signer: other });
  expect(journal.report).toMatchObject({ formerKey: signer.keyId });
  expect(journal.report.verified).toBe(journal.report.records);
  await journal.close();
  const records = checkAll(fileSystem);
  const told = records.find(({ kind }) => kind === 'recovery');
  expect(told?.reason).toBe(
    `checkpoints were signed with key ${signer.keyId} up to here and are signed with key ${other.keyId} from here on`,
  );
  const next = await openInMemory(fileSystem, { ...SMALL, signer: other });
  expect(next.journal.report).not.toHaveProperty('formerKey');
  expect(next.journal.report.verified).toBe(0);
});

test('a crash right after a segment was begun leaves an empty one, which is gone on with', async () => {
  const fileSystem = await several();
  const count = segmentNames(fileSystem).length;
  fileSystem.replace(at(count + 1), Buffer.alloc(0));
  const { journal } = await openInMemory(fileSystem, SMALL);
  expect(journal.report.verified).toBe(0);
  await journal.append('decision', intent('next'), { durable: true });
  await journal.close();
  expect(segmentNames(fileSystem)).toHaveLength(count + 1);
  expect(checkAll(fileSystem).at(-2)).toMatchObject({ requestId: 'next' });
});

test('the last line of the last segment may be torn, that of no other', async () => {
  const fileSystem = await several();
  const count = segmentNames(fileSystem).length;
  fileSystem.replace(at(count + 1), Buffer.from('{"v":1,"se'));
  const { journal } = await openInMemory(fileSystem, SMALL);
  expect(journal.report.torn).toEqual({
    bytes: 10,
    keptAs: `journal-00000${count + 1}.jsonl.torn-1`,
    why: 'it has no end',
  });
  await journal.close();
  checkAll(fileSystem);
  // The checkpoint at the end of the one before is torn; what follows it was not written after a torn line.
  const harmed = await several();
  harmed.edit(at(count), (data) => data.subarray(0, -10));
  harmed.replace(at(count + 1), Buffer.from('{"v":1,"se'));
  await expect(openInMemory(harmed, SMALL)).rejects.toMatchObject({ code: 'damaged' });
});

test.each<[string, (fileSystem: MemoryFileSystem, count: number) => void, RegExp]>([
  [
    'a segment after the last checkpoint is missing',
    (disk, count) => {
      disk.edit(at(count - 1), (data) => data.subarray(0, data.indexOf(0x0a) + 1));
      disk.remove(at(count));
    },
    /no segment/,
  ],
  [
    'a record after the last checkpoint was changed',
    (disk, count) => disk.edit(at(count + 1), (data) => Buffer.from(data.toString().replace('tail-0', 'tail-9'))),
    /damaged at line 1 \(byte 0/,
  ],
])('%s: the broker does not start, and says where', async (_, harm, message) => {
  const fileSystem = await several(20);
  const count = segmentNames(fileSystem).length;
  const { journal } = await openInMemory(fileSystem, SMALL);
  for (let i = 0; i < 3; i++) await journal.append('decision', intent(`tail-${i}`), { durable: true });
  expect(segmentNames(fileSystem)).toHaveLength(count + 1);
  harm(fileSystem, count);
  const error = await openInMemory(fileSystem, SMALL).then(
    () => expect.fail('it opened'),
    (reason: JournalError) => reason,
  );
  expect(error.code).toBe('damaged');
  expect(error.message).toMatch(message);
});

test('a checkpoint that names our key and was not signed by it keeps the broker from starting', async () => {
  const liar = { ...signer, sign: () => new Uint8Array(64) };
  const fileSystem = await several(20, { signer: liar });
  await expect(openInMemory(fileSystem, SMALL)).rejects.toMatchObject({
    code: 'damaged',
    message: expect.stringContaining('was not signed by the key that it names'),
  });
});

test('old segments that an operator has taken away are not missed, and the journal is still the same one', async () => {
  const fileSystem = await several();
  const [first] = checkAll(fileSystem);
  const count = segmentNames(fileSystem).length;
  for (let number = 1; number < count; number++) fileSystem.remove(at(number));
  const { journal } = await openInMemory(fileSystem, SMALL);
  await journal.append('decision', intent('after'), { durable: true });
  await journal.close();
  const kept = (await records(fileSystem)).at(-1);
  expect(kept).toMatchObject({ kind: 'checkpoint', journal: first?.hash });
  // Also for a broker with another key, which reads all that is left.
  const other = await openInMemory(fileSystem, { ...SMALL, signer: signerOf(newSigningKey()) });
  await other.journal.close();
  expect((await records(fileSystem)).at(-1)).toMatchObject({
    journal: first?.hash,
  });
});

test('a file in the way of the next segment refuses commands until it is moved', async () => {
  const { journal, fileSystem } = await openInMemory(undefined, SMALL);
  fileSystem.replace(at(2), Buffer.from('not ours'));
  const append = () => journal.append('intent', intent('r'), { durable: true });
  await expect(
    (async () => {
      for (let i = 0; i < 20; i++) await append();
    })(),
  ).rejects.toMatchObject({ code: 'replaced', message: expect.stringContaining('in the way') });
  await expect(journal.reopen()).rejects.toMatchObject({ code: 'replaced' });
  expect(fileSystem.text(at(2))).toBe('not ours');
  fileSystem.remove(at(2));
  await journal.reopen();
  await append();
  await journal.close();
  checkAll(fileSystem);
});

test('following goes on into the next segment without losing a record', async () => {
  const { journal, fileSystem } = await openInMemory(undefined, SMALL);
  await journal.append('decision', intent('r-first'), { durable: true });
  const stop = new AbortController();
  const seen: number[] = [];
  const following = (async () => {
    const options = { fileSystem, follow: true, tail: 0, pollMs: 1, signal: stop.signal };
    for await (const { seq } of readJournal(DIRECTORY, options)) seen.push(seq);
  })();
  for (let i = 0; i < 30; i++) {
    await journal.append('decision', intent(`r-${i}`), { durable: true });
    if (i % 7 === 0) await new Promise((resolve) => setTimeout(resolve, 2));
  }
  await journal.close();
  const records = checkAll(fileSystem);
  await expect.poll(() => seen.length).toBe(records.length - 1);
  stop.abort();
  await following;
  expect(seen).toEqual(records.slice(1).map(({ seq }) => seq));
  expect(segmentNames(fileSystem).length).toBeGreaterThan(5);
});

test('reading goes on behind a segment that is missing', async () => {
  const fileSystem = await several();
  const all = await sequences(fileSystem);
  fileSystem.remove(at(2));
  const rest = await sequences(fileSystem);
  expect(rest.length).toBeLessThan(all.length);
  expect(rest.at(-1)).toBe(all.at(-1));
});

test('a clock that goes back ends no segment', async () => {
  const clock = testClock();
  let back = 0;
  const { journal, fileSystem } = await openInMemory(undefined, {
    signer,
    segmentAgeMs: 1000,
    clock: { ...clock, now: () => clock.now() - back },
  });
  await journal.append('decision', intent('r'), { durable: true });
  back = 3_600_000;
  await journal.append('decision', intent('r'), { durable: true });
  expect(segmentNames(fileSystem)).toHaveLength(1);
});

test.each([
  ['at once', 'append'],
  ['behind the reply', 'note'],
] as const)(
  'a segment begun for a record that %s proves impossible to make does not take the end of the one before on recovery',
  async (_, call) => {
    const { journal, fileSystem } = await openInMemory(undefined, SMALL);
    const made = await journal.append('decision', intent('r-1', { details: { text: 'x'.repeat(2000) } }), {
      durable: true,
    });
    expect(made.sequence).toBe(1);
    const impossible = { ...intent('r-2'), hash: 'forged' };
    if (call === 'note') await journal.note('decision', impossible, { lost: () => undefined });
    else await expect(journal.append('decision', impossible, { durable: true })).rejects.toThrow();
    fileSystem.fault = ({ name }) => (name === 'append' ? 'EIO' : undefined);
    await expect(journal.flush()).rejects.toMatchObject({ code: 'io' });
    fileSystem.fault = () => undefined;
    await journal.reopen();
    await journal.close();
    checkAll(fileSystem);
    const [first, second] = segmentNames(fileSystem).map((name) =>
      fileSystem
        .text(join(DIRECTORY, name))
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line)),
    );
    expect(first?.map(({ kind }) => kind)).toEqual(['decision', 'checkpoint']);
    expect(first?.at(-1)).toMatchObject({ segment: 'journal-000001.jsonl' });
    expect(second?.[0]).toMatchObject({ kind: 'recovery', rewritten: 1 });
  },
);
