import { mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type Journal, JournalError, openJournal, systemJournalClock } from '../../../src/broker/journal/index.ts';
import { check, DIRECTORY, FILE, intent, openInMemory, PATH, temporaryDirectory } from './fixture.ts';
import type { Fault } from './memory-file-system.ts';

/** Appends an intent that must be refused, and gives the code. */
async function refusedIntent(journal: Journal, requestId: string): Promise<string> {
  return journal.append('intent', intent(requestId), { durable: true }).then(
    () => expect.fail('it was accepted'),
    (error: JournalError) => error.code,
  );
}

const FLUSH_CALLS = ['append', 'file.identity', 'identity'];
const FAULTS: Fault[] = [
  'EIO',
  'ENOSPC',
  'EROFS',
  { take: 0 },
  { take: 40, code: 'ENOSPC' },
  { take: 1e9, code: 'EIO' },
];

for (const name of FLUSH_CALLS) {
  for (const fault of name === 'append' ? FAULTS : ['EIO']) {
    test(`a failing ${name} (${JSON.stringify(fault)}) refuses commands until the journal has recovered, and loses nothing`, async () => {
      const errors: JournalError[] = [];
      let recovered = 0;
      const { journal, fileSystem } = await openInMemory(undefined, {
        onError: (error) => errors.push(error),
        onRecovered: () => {
          recovered += 1;
        },
      });
      await journal.append('intent', intent('before'), { durable: true });
      // The writer looks once more for what has come meanwhile.
      await new Promise((resolve) => setImmediate(resolve));
      await journal.append('decision', intent('read'), { durable: false });
      fileSystem.fault = (call) => (call.name === name ? fault : undefined);
      expect(await refusedIntent(journal, 'during')).toBe('io');
      expect(errors).toHaveLength(1);
      expect(journal.health()).toMatchObject({ state: 'failed', failures: 1, durableSequence: 1 });
      expect(await refusedIntent(journal, 'after')).toBe('failed');
      await expect(journal.append('decision', intent('x'), { durable: false })).rejects.toMatchObject({
        code: 'failed',
      });
      await expect(journal.reopen()).rejects.toThrow(JournalError);
      await expect(journal.flush()).rejects.toThrow(JournalError);
      expect(journal.health().state).toBe('failed');

      fileSystem.fault = () => undefined;
      await journal.reopen();
      expect(recovered).toBe(1);
      expect(journal.health()).toMatchObject({ state: 'open', pendingBytes: 0 });
      await journal.reopen();
      await journal.append('intent', intent('again'), { durable: true });
      const records = check(fileSystem.text(PATH));
      expect(records.map((record) => `${record.kind} ${record.requestId ?? ''}`)).toEqual([
        'intent before',
        'decision read',
        'intent during',
        'recovery ',
        'outcome during',
        'intent again',
      ]);
      expect(records[3]).toMatchObject({ rewritten: 2, refused: [3] });
      expect(records[4]).toMatchObject({ intent: 3, outcome: 'not-sent' });
      expect(journal.openIntents().map((open) => open.requestId)).toEqual(['before', 'again']);
    });
  }
}

test('short writes are no failure', async () => {
  const { journal, fileSystem } = await openInMemory();
  fileSystem.fault = (call) => (call.name === 'append' ? { take: 7 } : undefined);
  await journal.append('intent', intent('r'), { durable: true });
  check(fileSystem.text(PATH));
});

test('a failure at any call of recovering is followed by a recovery that loses nothing', async () => {
  const play = async (number: number, fault: Fault): Promise<number> => {
    const { journal, fileSystem } = await openInMemory();
    await journal.append('intent', intent('before'), { durable: true });
    fileSystem.fault = (call) => (call.name === 'append' ? { take: 50, code: 'EIO' } : undefined);
    await journal.append('decision', intent('read'), { durable: false });
    await refusedIntent(journal, 'during');
    const start = fileSystem.calls.length;
    fileSystem.fault = (call) => (call.number === start + number ? fault : undefined);
    await journal.reopen().catch((error: unknown) => expect(error).toBeInstanceOf(JournalError));
    const used = fileSystem.calls.length - start;
    fileSystem.fault = () => undefined;
    await journal.reopen();
    const records = check(fileSystem.text(PATH));
    expect(records.map((record) => record.kind)).toEqual(['intent', 'decision', 'intent', 'recovery', 'outcome']);
    // What our own writes left is no evidence of anybody else.
    expect(fileSystem.names()).toEqual([FILE]);
    return used;
  };
  const calls = await play(-1, undefined);
  expect(calls).toBeGreaterThan(8);
  for (let number = 0; number < calls; number++) {
    await play(number, 'EIO');
    await play(number, { take: 90, code: 'ENOSPC' });
  }
});

test('the journal recovers on its own when the disk has room again', async () => {
  let recovered: (() => void) | undefined;
  const done = new Promise<void>((resolve) => {
    recovered = resolve;
  });
  const { journal, fileSystem } = await openInMemory(undefined, { retryAfterMs: 1, onRecovered: () => recovered?.() });
  let full = 5;
  fileSystem.fault = (call) => (call.name === 'append' && full-- > 0 ? 'ENOSPC' : undefined);
  await refusedIntent(journal, 'during');
  await done;
  await journal.append('intent', intent('again'), { durable: true });
  expect(check(fileSystem.text(PATH)).map((record) => record.kind)).toEqual([
    'intent',
    'recovery',
    'outcome',
    'intent',
  ]);
});

test('closing a failed journal saves what was accepted if it can, and says so if it cannot', async () => {
  const { journal, fileSystem } = await openInMemory();
  fileSystem.fault = (call) => (call.name === 'append' ? 'EIO' : undefined);
  await refusedIntent(journal, 'during');
  fileSystem.fault = () => undefined;
  await journal.close();
  expect(check(fileSystem.text(PATH)).map((record) => record.kind)).toEqual(['intent', 'recovery', 'outcome']);

  const other = await openInMemory();
  other.fileSystem.fault = (call) => (call.name === 'append' ? 'EIO' : undefined);
  await other.journal.append('decision', intent('read'), { durable: false });
  await expect(other.journal.close()).rejects.toMatchObject({ code: 'io' });
});

test('a file cut off by somebody else is noticed at the next record, and nothing is recorded in it any more', async () => {
  const { journal, fileSystem } = await openInMemory();
  await journal.append('intent', intent('r-1'), { durable: true });
  fileSystem.edit(PATH, (data) => data.subarray(0, 100));
  expect(await refusedIntent(journal, 'r-2')).toBe('truncated');
  await expect(journal.reopen()).rejects.toMatchObject({ code: 'replaced' });
  fileSystem.edit(PATH, (data) => data.subarray(0, 100));
  await expect(journal.reopen()).rejects.toMatchObject({ code: 'truncated' });
  expect(journal.health().state).toBe('failed');
  expect(fileSystem.text(PATH)).toHaveLength(100);
});

test('a file whose content was exchanged is noticed, and never written over', async () => {
  const { journal, fileSystem } = await openInMemory();
  await journal.append('intent', intent('r-1'), { durable: true });
  const forged = Buffer.from(fileSystem.text(PATH).replace('acme', 'evil'));
  fileSystem.replace(PATH, forged);
  expect(await refusedIntent(journal, 'r-2')).toBe('replaced');
  await expect(journal.reopen()).rejects.toMatchObject({ code: 'replaced' });
  expect(fileSystem.text(PATH)).toBe(forged.toString());
});

test('a faithful copy in the place of the file is taken over', async () => {
  const { journal, fileSystem } = await openInMemory();
  await journal.append('intent', intent('r-1'), { durable: true });
  fileSystem.replace(PATH, Buffer.from(fileSystem.text(PATH)));
  expect(await refusedIntent(journal, 'r-2')).toBe('replaced');
  await journal.reopen();
  await journal.append('intent', intent('r-3'), { durable: true });
  expect(check(fileSystem.text(PATH)).map((record) => record.kind)).toEqual([
    'intent',
    'intent',
    'recovery',
    'outcome',
    'intent',
  ]);
});

test('bytes that somebody else wrote are kept aside as evidence', async () => {
  const { journal, fileSystem } = await openInMemory();
  await journal.append('intent', intent('r-1'), { durable: true });
  fileSystem.edit(PATH, (data) => Buffer.concat([data, Buffer.from('forged\n')]));
  expect(await refusedIntent(journal, 'r-2')).toBe('replaced');
  await journal.reopen();
  expect(fileSystem.text(join(DIRECTORY, `${FILE}.torn-1`))).toContain('forged\n');
  expect(check(fileSystem.text(PATH))[2]).toMatchObject({ kind: 'recovery', keptAs: `${FILE}.torn-1` });
});

test('an idle journal notices by itself that its file is gone', async () => {
  let noticed: ((error: JournalError) => void) | undefined;
  const error = new Promise<JournalError>((resolve) => {
    noticed = resolve;
  });
  const { journal, fileSystem } = await openInMemory(undefined, {
    checkEveryMs: 5,
    onError: (reason) => noticed?.(reason),
  });
  await journal.append('intent', intent('r-1'), { durable: true });
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(journal.health().state).toBe('open');
  fileSystem.remove(PATH);
  expect(await error).toMatchObject({ code: 'replaced' });
  await journal.reopen();
  // And goes on working, also for records that come while it looks.
  for (let i = 0; i < 50; i++) {
    await journal.append('intent', intent(`r-${i}`), { durable: true });
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  expect(check(fileSystem.text(PATH))).toHaveLength(52);
});

test('a lock that cannot be had again keeps the journal failed', async () => {
  let locked = false;
  const { journal, fileSystem } = await openInMemory(undefined, {
    lock: async () => {
      if (locked) throw new JournalError('locked', 'another broker has it');
      return { release: () => undefined };
    },
  });
  fileSystem.fault = (call) => (call.name === 'append' ? 'EIO' : undefined);
  await refusedIntent(journal, 'r-1');
  fileSystem.fault = () => undefined;
  locked = true;
  await expect(journal.reopen()).rejects.toMatchObject({ code: 'locked' });
  locked = false;
  await journal.reopen();
  check(fileSystem.text(PATH));
});

test('a directory that was removed refuses commands; when it is back the journal is restored whole', async () => {
  const parent = temporaryDirectory();
  const directory = join(parent, 'journal');
  const journal = await openJournal({ directory, clock: systemJournalClock, retryAfterMs: 1_000_000 });
  await journal.append('intent', intent('r-1'), { durable: true });
  rmSync(directory, { recursive: true });
  expect(await refusedIntent(journal, 'r-2')).toBe('replaced');
  await expect(journal.reopen()).rejects.toMatchObject({ code: 'io', message: expect.stringContaining('is gone') });
  mkdirSync(directory, { mode: 0o755 });
  await expect(journal.reopen()).rejects.toMatchObject({ code: 'insecure' });
  rmSync(directory, { recursive: true });
  mkdirSync(directory, { mode: 0o700 });
  await journal.reopen();
  await journal.append('intent', intent('r-3'), { durable: true });
  await journal.close();
  const records = check(readFileSync(join(directory, FILE), 'utf8'));
  expect(records.map((record) => record.requestId ?? record.kind)).toEqual(['r-1', 'r-2', 'recovery', 'r-2', 'r-3']);
});

test('a file that was moved away is restored from the open descriptor', async () => {
  const directory = temporaryDirectory();
  const journal = await openJournal({ directory, clock: systemJournalClock, retryAfterMs: 1_000_000 });
  await journal.append('intent', intent('r-1'), { durable: true });
  renameSync(join(directory, FILE), join(directory, 'stolen'));
  expect(await refusedIntent(journal, 'r-2')).toBe('replaced');
  await journal.reopen();
  await journal.close();
  check(readFileSync(join(directory, FILE), 'utf8'));
});
