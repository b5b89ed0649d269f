import { expect, test } from 'vitest';
import { type JournalError, PreparedMembers } from '../../../src/broker/journal/index.ts';
import { turns } from '../../support/turns.ts';
import { check, intent, openInMemory, PATH } from './fixture.ts';

const unheard = (error: JournalError): void => expect.fail(`lost: ${error.message}`);

const read = (requestId: string) => ({ ...intent(requestId), verdict: 'allow' as const });

test('a record that nobody waits for is made behind the work of the turn, and is on disk with the next flush', async () => {
  const { journal, fileSystem } = await openInMemory();
  await journal.note('decision', read('r-1'), { lost: unheard });
  expect(journal.health()).toMatchObject({ sequence: 0, pendingBytes: 0 });
  await turns(3);
  expect(journal.health().sequence).toBe(1);
  expect(journal.health().pendingBytes).toBeGreaterThan(0);
  await journal.flush();
  expect(check(fileSystem.text(PATH))).toMatchObject([{ kind: 'decision', requestId: 'r-1' }]);
});

test('the journal has records in the order of the calls, whichever of them were made later', async () => {
  const { journal, fileSystem } = await openInMemory();
  await journal.note('decision', read('r-1'), { lost: unheard });
  await journal.note('decision', read('r-2'), { lost: unheard });
  const { sequence } = await journal.append('intent', intent('r-3'), { durable: true });
  await journal.note('outcome', { requestId: 'r-3', intent: sequence, outcome: 'done' }, { lost: unheard });
  await journal.append('decision', read('r-4'), { durable: false });
  await journal.flush();
  const records = check(fileSystem.text(PATH));
  expect(records.map((record) => `${record.requestId} ${record.kind}`)).toEqual([
    'r-1 decision',
    'r-2 decision',
    'r-3 intent',
    'r-3 outcome',
    'r-4 decision',
  ]);
  expect(journal.openIntents()).toEqual([]);
});

test('flushing and closing take along what is not made yet', async () => {
  const flushed = await openInMemory();
  await flushed.journal.note('decision', read('r-1'), { lost: unheard });
  await flushed.journal.flush();
  expect(check(flushed.fileSystem.text(PATH))).toHaveLength(1);
  const closed = await openInMemory();
  await closed.journal.note('decision', read('r-2'), { lost: unheard });
  await closed.journal.close();
  expect(check(closed.fileSystem.text(PATH))).toMatchObject([{ requestId: 'r-2' }]);
});

test('many in one turn are made before there are too many, so that the limit of what may wait counts them', async () => {
  const { journal } = await openInMemory();
  for (let i = 0; i < 200; i++) await journal.note('decision', read(`r-${i}`), { lost: unheard });
  expect(journal.health().sequence).toBe(192);
});

test('a disk that fails between the call and the making of the record costs it nothing', async () => {
  const { journal, fileSystem } = await openInMemory();
  fileSystem.fault = (call) => (call.name === 'append' ? 'EIO' : undefined);
  const refused = journal.append('intent', intent('r-1'), { durable: true }).catch((error: JournalError) => error.code);
  await journal.note('decision', read('r-2'), { lost: unheard });
  expect(await refused).toBe('io');
  expect(await journal.note('decision', read('r-3'), { lost: unheard }).catch((e: JournalError) => e.code)).toBe(
    'failed',
  );
  fileSystem.fault = () => undefined;
  await journal.reopen();
  await journal.flush();
  const kinds = check(fileSystem.text(PATH)).map((record) => record.kind);
  expect(kinds).toEqual(['intent', 'decision', 'recovery', 'outcome']);
});

test('a journal that is closed takes none', async () => {
  const { journal } = await openInMemory();
  await journal.close();
  await expect(journal.note('decision', read('r-1'), { lost: unheard })).rejects.toMatchObject({ code: 'closed' });
});

test('a record that cannot be made after all is told of, and the next one is good', async () => {
  const { journal, fileSystem } = await openInMemory();
  const lost: string[] = [];
  const body = { ...read('r-1'), hash: 'forged' };
  await journal.note('decision', body, { lost: ({ code }) => void lost.push(code) });
  await journal.note('decision', read('r-2'), { lost: unheard });
  await journal.flush();
  expect(lost).toEqual(['invalid']);
  expect(check(fileSystem.text(PATH))).toMatchObject([{ seq: 1, requestId: 'r-2' }]);
});

test('where every record is durable nobody goes on before this one is', async () => {
  const { journal, fileSystem } = await openInMemory(undefined, { durability: 'strict' });
  await journal.note('decision', read('r-1'), { lost: unheard });
  expect(journal.health()).toMatchObject({ sequence: 1, durableSequence: 1 });
  expect(check(fileSystem.text(PATH))).toHaveLength(1);
});

test('one that may prove too long is made at once, so that its caller hears of it', async () => {
  const { journal } = await openInMemory(undefined, { maxRecordBytes: 20_000 });
  const prepared = new PreparedMembers({ command: 'x'.repeat(30_000) });
  const body = { requestId: 'r-1', verdict: 'allow' as const };
  await expect(journal.note('decision', body, { prepared, lost: unheard })).rejects.toMatchObject({ code: 'invalid' });
});

test('a segment that is full ends before the next record, also where that is made later', async () => {
  const { journal, fileSystem } = await openInMemory(undefined, { segmentBytes: 2000 });
  for (let i = 0; i < 40; i++) await journal.note('decision', read(`r-${i}`), { lost: unheard });
  await journal.flush();
  expect(fileSystem.names().filter((name) => name.endsWith('.jsonl')).length).toBeGreaterThan(2);
});
