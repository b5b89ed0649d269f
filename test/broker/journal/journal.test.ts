import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type JournalError, openJournal, recordKinds } from '../../../src/broker/journal/index.ts';
import { turns } from '../../support/turns.ts';
import { check, FILE, intent, openInMemory, PATH, temporaryDirectory, testClock } from './fixture.ts';

async function codeOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'it succeeded',
    (error: JournalError) => error.code,
  );
}

test('records are on disk as one chain of lines, with the modes that keep others out', async () => {
  const directory = join(temporaryDirectory(), 'a', 'journal');
  const journal = await openJournal({ directory, clock: testClock() });
  const first = await journal.append('start', { version: '1', pid: 7 }, { durable: true });
  const second = await journal.append('intent', intent('r-1', { touched: ['/switches/sw0'] }), { durable: true });
  await journal.flush();
  const records = check(readFileSync(join(directory, FILE), 'utf8'));
  expect(records).toHaveLength(2);
  expect(records[0]).toMatchObject({
    v: 1,
    seq: 1,
    at: '2026-01-01T00:00:00.001Z',
    kind: 'start',
    pid: 7,
    hash: first.hash,
  });
  expect(records[1]).toMatchObject({ seq: second.sequence, kind: 'intent', requestId: 'r-1', prev: first.hash });
  expect(statSync(directory).mode & 0o777).toBe(0o700);
  expect(statSync(join(directory, FILE)).mode & 0o777).toBe(0o600);
  for (const name of ['lock', 'ahead.journal']) expect(statSync(join(directory, name)).mode & 0o777).toBe(0o600);
  await journal.close();
});

test('the line of a record is what docs/journal.md shows', async () => {
  const { journal, fileSystem } = await openInMemory();
  await journal.append('stop', { reason: 'test' }, { durable: true });
  const zeros = '0'.repeat(64);
  const hash = '3e2bd5c7f3d0d3ac0d4a0b32c4b7b9a7a2f0d1e6';
  expect(fileSystem.text(PATH).replace(/"hash":"[0-9a-f]{64}"/, `"hash":"${hash}"`)).toBe(
    `{"v":1,"seq":1,"at":"2026-01-01T00:00:00.001Z","mono":1,"kind":"stop","reason":"test","prev":"${zeros}","hash":"${hash}"}\n`,
  );
});

test('a journal goes on where it was, and knows which switches it tells of', async () => {
  const directory = temporaryDirectory();
  for (const name of ['sw0', 'sw1']) {
    const journal = await openJournal({ directory, clock: testClock() });
    await journal.append('decision', { ...intent('r'), switch: name }, { durable: true });
    await journal.close();
  }
  const journal = await openJournal({ directory, clock: testClock() });
  expect(journal.report).toEqual({
    records: 2,
    verified: 2,
    switches: new Set(['sw0', 'sw1']),
    unknown: [],
  });
  expect(journal.health()).toMatchObject({ state: 'open', sequence: 2, durableSequence: 2 });
  await journal.close();
  check(readFileSync(join(directory, FILE), 'utf8'));
});

test('two brokers cannot write one journal, and the second is told who has it', async () => {
  const directory = temporaryDirectory();
  const journal = await openJournal({ directory, clock: testClock() });
  await expect(openJournal({ directory, clock: testClock() })).rejects.toMatchObject({
    code: 'locked',
    message: expect.stringContaining(`process ${process.pid}`),
  });
  await journal.append('start', { version: '1', pid: 1 }, { durable: true });
  await journal.close();
  await (await openJournal({ directory, clock: testClock() })).close();
});

test('a directory or file that others may open is refused, with the command that mends it', async () => {
  const directory = join(temporaryDirectory(), 'open');
  mkdirSync(directory, { mode: 0o755 });
  await expect(openJournal({ directory, clock: testClock() })).rejects.toMatchObject({
    code: 'insecure',
    message: expect.stringContaining('chmod 0700'),
  });
  const other = temporaryDirectory();
  writeFileSync(join(other, FILE), '', { mode: 0o644 });
  expect(await codeOf(openJournal({ directory: other, clock: testClock() }))).toBe('insecure');
});

test('a directory that cannot be made is an io error', async () => {
  const file = join(temporaryDirectory(), 'file');
  writeFileSync(file, '');
  expect(await codeOf(openJournal({ directory: join(file, 'journal'), clock: testClock() }))).toBe('io');
});

test('many durable records share few syncs, and resolve in the order of the file', async () => {
  const { journal, fileSystem } = await openInMemory();
  const order: number[] = [];
  await Promise.all(
    Array.from({ length: 1000 }, async (_, index) => {
      const { sequence } = await journal.append('intent', intent(`r-${index}`), { durable: true });
      order.push(sequence);
    }),
  );
  expect(order).toEqual(Array.from({ length: 1000 }, (_, index) => index + 1));
  expect(fileSystem.calls.filter((call) => call.name === 'append').length).toBeLessThanOrEqual(2);
  expect(check(fileSystem.text(PATH)).map((record) => record.requestId)).toEqual(order.map((seq) => `r-${seq - 1}`));
});

test('a record that nobody waits for is written in time to be on disk within 50 ms', async () => {
  // On a disk in memory: a real one under load may take longer for the sync alone.
  const { journal, fileSystem } = await openInMemory();
  await journal.append('decision', intent('r-1'), { durable: false });
  expect(journal.health()).toMatchObject({ sequence: 1, durableSequence: 0 });
  await new Promise((resolve) => setTimeout(resolve, 50));
  await turns(20);
  expect(journal.health()).toMatchObject({ sequence: 1, durableSequence: 1, pendingBytes: 0 });
  await journal.append('decision', intent('r-2'), { durable: false });
  await journal.flush();
  expect(check(fileSystem.text(PATH))).toHaveLength(2);
  await journal.append('decision', intent('r-3'), { durable: false });
  await journal.close();
  expect(check(fileSystem.text(PATH))).toHaveLength(3);
});

test('a durable record carries the others before it', async () => {
  const { journal, fileSystem } = await openInMemory();
  void journal.append('decision', intent('r-1'), { durable: false });
  await journal.append('intent', intent('r-2'), { durable: true });
  expect(check(fileSystem.text(PATH))).toHaveLength(2);
});

test('with strict durability every record waits for the disk', async () => {
  const { journal, fileSystem } = await openInMemory(undefined, { durability: 'strict' });
  for (let i = 1; i <= 3; i++) {
    await journal.append('decision', intent(`r-${i}`), { durable: false });
    expect(journal.health().durableSequence).toBe(i);
  }
  fileSystem.fault = (call) => (call.name === 'append' ? 'EIO' : undefined);
  expect(await codeOf(journal.append('decision', intent('r-4'), { durable: false }))).toBe('io');
});

test('a flood is refused instead of eating the memory, and accepted again when it was written', async () => {
  const { journal, fileSystem } = await openInMemory(undefined, { maxPendingBytes: 10_000 });
  const all = await Promise.allSettled(
    Array.from({ length: 200 }, (_, index) => journal.append('intent', intent(`r-${index}`), { durable: true })),
  );
  const refused = all.filter((one) => one.status === 'rejected');
  expect(refused.length).toBeGreaterThan(100);
  for (const one of refused) expect(one.reason.code).toBe('overloaded');
  await journal.append('intent', intent('again'), { durable: true });
  expect(check(fileSystem.text(PATH))).toHaveLength(200 - refused.length + 1);
});

test('what JSON or the format cannot carry is refused and leaves no trace', async () => {
  const { journal, fileSystem } = await openInMemory(undefined, { maxRecordBytes: 1000 });
  const circle: Record<string, unknown> = {};
  circle.self = circle;
  const bodies: unknown[] = [
    { requestId: 'r', verdict: 'allow', details: { big: 1n } },
    { requestId: 'r', verdict: 'allow', details: circle },
    { requestId: 'r', verdict: 'allow', seq: 1 },
    { requestId: 'r', verdict: 'allow', hash: 'x' },
    { requestId: 'r', verdict: 'allow', details: { text: 'x'.repeat(1000) } },
    null,
    [],
    undefined,
  ];
  for (const body of bodies) {
    expect(await codeOf(journal.append('intent', body as never, { durable: true }))).toBe('invalid');
  }
  await journal.append('intent', intent('r'), { durable: true });
  expect(check(fileSystem.text(PATH))).toHaveLength(1);
});

test('text of every kind comes back as it went in and never breaks a line', async () => {
  const { journal, fileSystem } = await openInMemory();
  const texts = ['a\nb', '\r\n', '\u2028', '"}\n{"', '\ud800', '\0', '❄', ',"hash":"'];
  for (const reason of texts) await journal.append('stop', { reason }, { durable: true });
  expect(check(fileSystem.text(PATH)).map((record) => record.reason)).toEqual(texts);
});

test('a clock that tells nonsense refuses records instead of writing nonsense', async () => {
  const { journal } = await openInMemory(undefined, { clock: { now: () => Number.NaN, monotonic: () => 0 } });
  expect(await codeOf(journal.append('stop', { reason: 'x' }, { durable: true }))).toBe('io');
});

test('a closed journal says so', async () => {
  const { journal } = await openInMemory();
  await journal.close();
  await journal.close();
  expect(journal.health().state).toBe('closed');
  expect(await codeOf(journal.append('stop', { reason: 'x' }, { durable: true }))).toBe('closed');
  expect(await codeOf(journal.reopen())).toBe('closed');
});

test('open intents are those on disk without an outcome', async () => {
  const { journal } = await openInMemory();
  const first = await journal.append('intent', intent('r-1'), { durable: true });
  const second = await journal.append('intent', intent('r-1'), { durable: true });
  await journal.append('intent', intent('r-2'), { durable: true });
  expect(journal.openIntents().map((open) => open.sequence)).toEqual([1, 2, 3]);
  await journal.append('outcome', { requestId: 'r-1', intent: first.sequence, outcome: 'done' }, { durable: true });
  expect(journal.openIntents().map((open) => open.sequence)).toEqual([second.sequence, 3]);
  await journal.append('outcome', { requestId: 'r-1', outcome: 'done' }, { durable: true });
  await journal.append('outcome', { requestId: 'r-2', outcome: 'done' }, { durable: true });
  expect(journal.openIntents()).toEqual([]);
});

test('every kind has a name of its own', () => {
  expect(new Set(recordKinds).size).toBe(recordKinds.length);
});
