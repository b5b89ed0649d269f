import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { JournalError, openJournal } from '../../../src/broker/journal/index.ts';
import {
  check,
  DIRECTORY,
  FILE,
  intent,
  openInMemory,
  openOn,
  PATH,
  temporaryDirectory,
  testClock,
} from './fixture.ts';
import { MemoryFileSystem } from './memory-file-system.ts';

/** The bytes of a journal with `count` intents, each with its outcome. */
async function bytesOfJournal(count: number): Promise<Buffer> {
  const { journal, fileSystem } = await openInMemory();
  for (let i = 0; i < count; i++) {
    const { sequence } = await journal.append('intent', intent(`r-${i}`), { durable: true });
    await journal.append('outcome', { requestId: `r-${i}`, intent: sequence, outcome: 'done' }, { durable: true });
  }
  return Buffer.from(fileSystem.text(PATH));
}

function diskWith(data: Buffer): MemoryFileSystem {
  const fileSystem = new MemoryFileSystem();
  fileSystem.addDirectory(DIRECTORY);
  fileSystem.replace(PATH, data);
  return fileSystem;
}

test('a last line torn at any of its bytes is cut off, kept aside, reported and recorded', async () => {
  const whole = await bytesOfJournal(2);
  const lastLineAt = whole.lastIndexOf(0x0a, whole.length - 2) + 1;
  for (let length = lastLineAt + 1; length < whole.length; length++) {
    const { journal, fileSystem } = await openInMemory(diskWith(whole.subarray(0, length)));
    const bytes = length - lastLineAt;
    expect(journal.report.torn).toEqual({ bytes, keptAs: `${FILE}.torn-1`, why: 'it has no end' });
    expect(fileSystem.text(join(DIRECTORY, `${FILE}.torn-1`))).toBe(whole.subarray(lastLineAt, length).toString());
    const records = check(fileSystem.text(PATH));
    expect(records.map((record) => record.kind)).toEqual(['intent', 'outcome', 'intent', 'recovery', 'outcome']);
    expect(records[3]).toMatchObject({ tornBytes: bytes, keptAs: `${FILE}.torn-1` });
    // Its outcome was the torn line, so nobody knows any more.
    expect(records[4]).toMatchObject({ requestId: 'r-1', intent: 3, outcome: 'unknown', flags: ['unknown-outcome'] });
    await journal.close();
  }
});

test.each([
  ['not JSON', 'xxxx\n'],
  ['zeros that a power loss left', `${'\0'.repeat(5000)}`],
  ['JSON that is no record', '{"v":1}\n'],
  ['a record that does not follow', ''],
])('a bad last line, %s, is mended the same way', async (_, line) => {
  const whole = await bytesOfJournal(1);
  const bad = line === '' ? whole.subarray(0, whole.indexOf(0x0a) + 1) : Buffer.from(line);
  const { journal, fileSystem } = await openInMemory(diskWith(Buffer.concat([whole, bad])));
  expect(journal.report.torn?.bytes).toBe(bad.length);
  expect(check(fileSystem.text(PATH)).at(-1)).toMatchObject({ kind: 'recovery', tornBytes: bad.length });
});

test('side files of earlier repairs are never overwritten', async () => {
  const whole = await bytesOfJournal(1);
  const fileSystem = diskWith(Buffer.concat([whole, Buffer.from('first')]));
  await (await openInMemory(fileSystem)).journal.close();
  fileSystem.edit(PATH, (data) => Buffer.concat([data, Buffer.from('second')]));
  await (await openInMemory(fileSystem)).journal.close();
  expect(fileSystem.text(join(DIRECTORY, `${FILE}.torn-1`))).toBe('first');
  expect(fileSystem.text(join(DIRECTORY, `${FILE}.torn-2`))).toBe('second');
});

test('damage before the last line refuses to open and says where', async () => {
  const whole = await bytesOfJournal(3);
  const lineStarts = [0, ...[...whole.keys()].filter((at) => whole[at] === 0x0a).map((at) => at + 1)];
  for (const [line, start] of lineStarts.slice(0, 5).entries()) {
    const data = Buffer.from(whole);
    data[start + 70] = (data[start + 70] ?? 0) ^ 1;
    const error = await openInMemory(diskWith(data)).then(
      () => expect.fail('it opened'),
      (reason: JournalError) => reason,
    );
    expect(error.code).toBe('damaged');
    expect(error.position).toEqual({ file: FILE, line: line + 1, offset: start, afterSequence: line });
    expect(error.message).toContain(`line ${line + 1} `);
  }
});

test.each([
  ['a removed record', (lines: string[]) => lines.toSpliced(2, 1)],
  ['a removed beginning', (lines: string[]) => lines.slice(1)],
  ['a duplicated record', (lines: string[]) => lines.toSpliced(2, 0, lines[1] ?? '')],
  ['two swapped records', (lines: string[]) => lines.with(1, lines[2] ?? '').with(2, lines[1] ?? '')],
  ['an empty line', (lines: string[]) => lines.toSpliced(2, 0, '')],
])('%s refuses to open', async (_, edit) => {
  const lines = (await bytesOfJournal(3)).toString().trimEnd().split('\n');
  const data = Buffer.from(`${edit(lines).join('\n')}\n`);
  await expect(openInMemory(diskWith(data))).rejects.toMatchObject({ code: 'damaged' });
});

test('a start after a crash between sending and recording gives each open intent the outcome unknown, once', async () => {
  const { journal, fileSystem } = await openInMemory();
  for (let i = 0; i < 600; i++) await journal.append('intent', intent(`r-${i}`), { durable: true });
  const next = await openInMemory(fileSystem);
  expect(next.journal.report.unknown).toHaveLength(600);
  expect(next.journal.openIntents()).toEqual([]);
  await next.journal.close();
  const records = check(fileSystem.text(PATH));
  expect(records).toHaveLength(1200);
  expect(records[600]).toMatchObject({
    kind: 'outcome',
    requestId: 'r-0',
    intent: 1,
    outcome: 'unknown',
    reason: 'the broker stopped between sending and recording',
    switch: 'sw0',
    tenant: 'acme',
    principal: 'user:local#alice',
  });
  expect((await openInMemory(fileSystem)).journal.report.unknown).toEqual([]);
});

test('a failure at any call of opening leaves a journal that opens afterwards, with nothing lost', async () => {
  const whole = await bytesOfJournal(2);
  const torn = Buffer.concat([whole.subarray(0, -30)]);
  const { fileSystem: counted } = await openInMemory(diskWith(torn));
  for (let number = 0; number < counted.calls.length; number++) {
    for (const fault of ['EIO', { take: 3, code: 'ENOSPC' }]) {
      const fileSystem = diskWith(torn);
      fileSystem.fault = (call) => (call.number === number ? fault : undefined);
      await openInMemory(fileSystem).then(
        ({ journal }) => journal.close(),
        (error: JournalError) => expect(error.name).toBe('JournalError'),
      );
      fileSystem.fault = () => undefined;
      const { journal } = await openInMemory(fileSystem);
      await journal.close();
      const records = check(fileSystem.text(PATH));
      expect(records.slice(0, 3).map((record) => record.kind)).toEqual(['intent', 'outcome', 'intent']);
      expect(records.filter((record) => record.outcome === 'unknown')).toHaveLength(1);
      expect(fileSystem.names().some((name) => name.startsWith(`${FILE}.torn-`))).toBe(true);
    }
  }
});

test('a power loss at any call of making a journal leaves none or an empty one', async () => {
  for (let number = 0; number < 12; number++) {
    const fileSystem = new MemoryFileSystem();
    fileSystem.fault = (call) => (call.number >= number ? 'EIO' : undefined);
    await openInMemory(fileSystem).catch(() => undefined);
    fileSystem.pullThePlug(0);
    fileSystem.fault = () => undefined;
    const { journal } = await openInMemory(fileSystem);
    expect(journal.report.records).toBe(0);
  }
});

test('on the real file system a torn line is mended too', async () => {
  const directory = temporaryDirectory();
  const whole = await bytesOfJournal(1);
  writeFileSync(join(directory, FILE), whole.subarray(0, -1), { mode: 0o600 });
  const journal = await openJournal({ directory, clock: testClock() });
  await journal.close();
  expect(readdirSync(directory)).toContain(`${FILE}.torn-1`);
  check(readFileSync(join(directory, FILE), 'utf8'));
});

test('what a killed process had written and not made durable is durable before anything follows it', async () => {
  const fileSystem = new MemoryFileSystem();
  const first = await openOn(fileSystem);
  await first.append('intent', intent('r-1'), { durable: true });
  // The bytes are in the file; whether they are on the disk nobody was told.
  fileSystem.fault = (call) => (call.name === 'append' ? { take: 1e9, code: 'EIO' } : undefined);
  await expect(first.append('intent', intent('r-2'), { durable: true })).rejects.toThrow(JournalError);
  fileSystem.fault = () => undefined;
  fileSystem.killTheProcess();
  const second = await openOn(fileSystem);
  await second.append('intent', intent('r-3'), { durable: true });
  fileSystem.pullThePlug(0);
  const records = check(fileSystem.text(PATH));
  expect(records.map((record) => record.requestId)).toEqual(['r-1', 'r-2', 'r-1', 'r-2', 'r-3']);
});
