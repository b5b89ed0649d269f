import { spawnSync } from 'node:child_process';
import { hash } from 'node:crypto';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { Ahead } from '../../../src/broker/journal/ahead.ts';
import { type Journal, openJournal, verifyJournal } from '../../../src/broker/journal/index.ts';
import { AHEAD, durably, HELD, intentsOf, someAhead } from './ahead-fixture.ts';
import {
  check,
  DIRECTORY,
  FILE,
  openInMemory,
  openOn,
  PATH,
  signer,
  temporaryDirectory,
  testClock,
} from './fixture.ts';
import { type Call, type Fault, MemoryFileSystem } from './memory-file-system.ts';

function failing(...names: readonly string[]): (call: Call) => Fault {
  return ({ name }) => (names.includes(name) ? 'EIO' : undefined);
}

const ofAhead =
  (fault: Fault) =>
  ({ path, name }: Call): Fault =>
    path === 'ahead.journal' && (name === 'append' || name === 'overwrite') ? fault : undefined;

async function isPromised(journal: Journal, requestId: string): Promise<boolean> {
  return durably(journal, requestId).then(
    () => true,
    () => false,
  );
}

test('a file ahead that takes no bytes refuses one command; the next ones go by way of the segment', async () => {
  const { journal, fileSystem } = await someAhead([]);
  fileSystem.fault = failing('overwrite');
  await expect(durably(journal, 'r-2')).rejects.toThrow(/ahead\.journal/);
  for (const id of ['r-3', 'r-4', 'r-5']) {
    await journal.reopen();
    expect(await isPromised(journal, id)).toBe(true);
  }
  expect(check(fileSystem.text(PATH)).filter(({ kind }) => kind === 'recovery')).toHaveLength(1);
});

test('it is tried again after ten seconds, and both is told once', async () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  const told: string[] = [];
  try {
    const { journal, fileSystem } = await someAhead([], {
      onAheadFailed: ({ code, message }) => told.push(`${code} ${message}`),
      onAheadRecovered: () => told.push('recovered'),
    });
    fileSystem.fault = failing('overwrite');
    await isPromised(journal, 'r-2');
    fileSystem.fault = () => undefined;
    await journal.reopen();
    vi.advanceTimersByTime(9_000);
    fileSystem.fault = failing('open.overwrite');
    await durably(journal, 'r-3');
    expect(fileSystem.text(AHEAD)).not.toContain('"r-3"');
    vi.advanceTimersByTime(1_001);
    await durably(journal, 'r-4');
    fileSystem.fault = () => undefined;
    vi.advanceTimersByTime(10_001);
    expect(told).toEqual([expect.stringMatching(/^io .*ahead\.journal` can't be written: EIO/)]);
    await durably(journal, 'r-5');
    await durably(journal, 'r-6');
    expect(fileSystem.text(AHEAD)).toContain('"r-6"');
    expect(told.slice(1)).toEqual(['recovered']);
  } finally {
    vi.useRealTimers();
  }
});

test('a file ahead that cannot be made anew keeps nothing out of the segment', async () => {
  const { journal, fileSystem } = await someAhead(['r-2']);
  fileSystem.remove(AHEAD);
  expect(await isPromised(journal, 'r-3')).toBe(false);
  fileSystem.fault = ofAhead({ take: 100, code: 'ENOSPC' });
  await journal.reopen();
  expect(intentsOf(fileSystem)).toEqual(['r-1', 'r-2', 'r-3']);
  expect(await isPromised(journal, 'r-4')).toBe(true);
});

test('a start without room for the file ahead says what it needs', async () => {
  const fileSystem = new MemoryFileSystem();
  fileSystem.fault = ofAhead({ take: 100, code: 'ENOSPC' });
  await expect(openOn(fileSystem, HELD)).rejects.toThrow(/ahead\.journal` needs 8192 bytes more: ENOSPC/);
});

test('a file ahead that somebody made longer is taken as it is', async () => {
  const { journal, fileSystem } = await someAhead(['r-2']);
  fileSystem.edit(AHEAD, (data) => Buffer.concat([data, Buffer.from('\n')]));
  await expect(journal.flush()).rejects.toMatchObject({ code: 'replaced' });
  await journal.reopen();
  await durably(journal, 'r-3');
  await journal.close();
  expect(intentsOf(fileSystem)).toEqual(['r-1', 'r-2', 'r-3']);
});

test('what was cut off the segment is told of, also where the file ahead cannot be opened again', async () => {
  const { journal, fileSystem } = await someAhead([]);
  fileSystem.edit(PATH, (data) => Buffer.concat([data, Buffer.from('somebody was here')]));
  await isPromised(journal, 'r-2');
  await expect(journal.flush()).rejects.toMatchObject({ code: 'replaced' });
  fileSystem.fault = failing('open.overwrite');
  await journal.reopen().catch(() => undefined);
  fileSystem.fault = () => undefined;
  await journal.reopen();
  const recovery = check(fileSystem.text(PATH)).find(({ kind }) => kind === 'recovery');
  expect(recovery).toMatchObject({ keptAs: `${FILE}.torn-1` });
  expect(fileSystem.text(join(DIRECTORY, `${FILE}.torn-1`))).toContain('somebody was here');
});

test('a record that somebody puts into the file ahead of an idle broker is noticed, and never becomes one', async () => {
  const { journal, fileSystem } = await someAhead([], { signer, checkEveryMs: 5, checkpointAfterMs: 1_000_000 });
  const [{ seq, hash: prev } = { seq: 0, hash: '' }] = check(fileSystem.text(PATH));
  const body = `{"v":1,"seq":${seq + 1},"at":"2026-01-01T00:00:00.009Z","mono":9,"kind":"outcome","requestId":"r-1","outcome":"not-sent","intent":1,"prev":"${prev}"`;
  const line = `${body},"hash":"${hash('sha256', body)}"}\n`;
  // Once the broker has looked at the file as it left it.
  const looks = () =>
    fileSystem.calls.filter(({ name, path }) => name === 'file.identity' && path === basename(AHEAD)).length;
  const before = looks();
  await expect.poll(looks, { interval: 5 }).toBeGreaterThan(before + 6);
  fileSystem.edit(AHEAD, (data) => Buffer.concat([Buffer.from(line), data.subarray(line.length)]));
  await expect.poll(() => journal.health().state).toBe('failed');
  await journal.reopen();
  fileSystem.killTheProcess();
  await (await openOn(fileSystem, { ...HELD, signer })).close();
  const outcomes = check(fileSystem.text(PATH)).filter(({ kind }) => kind === 'outcome');
  expect(outcomes).toMatchObject([{ requestId: 'r-1', outcome: 'unknown' }]);
});

test("a file ahead that changes, and in which nothing follows from the last record, is in nobody's way", async () => {
  const { journal, fileSystem } = await someAhead([], { checkEveryMs: 5 });
  for (const byte of [10, 0, 120]) {
    fileSystem.edit(AHEAD, (data) => Buffer.alloc(data.length, byte));
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
  expect(journal.health()).toMatchObject({ state: 'open', failures: 0 });
  await durably(journal, 'r-2');
  await journal.close();
  expect(intentsOf(fileSystem)).toEqual(['r-1', 'r-2']);
});

test('a file ahead that is removed while it is written promises nothing that it does not keep', async () => {
  const { journal, fileSystem } = await someAhead([]);
  fileSystem.fault = ({ name }): Fault => {
    if (name === 'overwrite') setImmediate(() => fileSystem.remove(AHEAD));
    return undefined;
  };
  const promised = await isPromised(journal, 'r-2');
  fileSystem.fault = () => undefined;
  fileSystem.pullThePlug(0);
  await (await openOn(fileSystem, HELD)).close();
  expect(promised && !intentsOf(fileSystem).includes('r-2')).toBe(false);
});

test('nobody writes behind the last record of a segment that is left', async () => {
  for (const aheadBytes of [0, 8192]) {
    const small = { aheadBytes, signer, segmentBytes: 700, checkpointRecords: 3, checkpointAfterMs: 1_000_000 };
    const { journal, fileSystem } = await someAhead([], small);
    for (const id of ['r-2', 'r-3']) await durably(journal, id).then(() => journal.flush());
    fileSystem.edit(PATH, (data) => Buffer.concat([data, Buffer.from('somebody')]));
    for (let i = 4; i < 12; i++) {
      await isPromised(journal, `r-${i}`);
      await journal.reopen();
    }
    await journal.close();
    expect(await verifyJournal(DIRECTORY, { fileSystem })).toMatchObject({ intact: true, problems: [] });
    expect(fileSystem.names()).toContain(`${FILE}.torn-1`);
  }
});

test('a journal whose segments were taken away begins anew', async () => {
  const { journal, fileSystem } = await openInMemory(new MemoryFileSystem(), HELD);
  await durably(journal, 'old');
  await journal.close();
  fileSystem.remove(PATH);
  await openOn(fileSystem, HELD);
  // Before there is a record in it.
  fileSystem.killTheProcess();
  const last = await openOn(fileSystem, HELD);
  await durably(last, 'new');
  await last.close();
  expect(intentsOf(fileSystem)).toEqual(['new']);
});

test('a file ahead that is open to others is refused before anything of it is taken', async () => {
  const directory = temporaryDirectory();
  const { fileSystem } = await someAhead(['r-2']);
  chmodSync(directory, 0o700);
  writeFileSync(join(directory, FILE), '', { mode: 0o600 });
  writeFileSync(join(directory, 'ahead.journal'), fileSystem.text(AHEAD));
  chmodSync(join(directory, 'ahead.journal'), 0o666);
  await expect(openJournal({ directory, clock: testClock() })).rejects.toMatchObject({ code: 'insecure' });
  expect(readFileSync(join(directory, FILE), 'utf8')).toBe('');
});

test.each(['ahead.journal', FILE])('a pipe in the place of %s keeps nobody waiting', async (name) => {
  const directory = temporaryDirectory();
  chmodSync(directory, 0o700);
  writeFileSync(join(directory, FILE), '', { mode: 0o600 });
  const path = join(directory, name);
  spawnSync('rm', ['-f', path]);
  expect(spawnSync('mkfifo', ['-m', '0600', path]).status).toBe(0);
  await expect(openJournal({ directory, clock: testClock() })).rejects.toThrow(`\`${path}\` is no file`);
  await expect(verifyJournal(directory)).rejects.toThrow(`\`${path}\` is no file`);
});

test('nothing is put where it would not be read again', async () => {
  const fileSystem = new MemoryFileSystem();
  fileSystem.addDirectory(DIRECTORY);
  const ahead = await Ahead.open(fileSystem, DIRECTORY, (16 << 20) + 4096);
  expect(ahead.hasRoom(16 << 20)).toBe(true);
  expect(ahead.hasRoom((16 << 20) + 1)).toBe(false);
});
