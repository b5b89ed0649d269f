import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  type Journal,
  type JournalFileSystem,
  readJournal,
  showRequest,
  verifyJournal,
} from '../../../src/broker/journal/index.ts';
import { AHEAD, durably, HELD, ids, someAhead } from './ahead-fixture.ts';
import { DIRECTORY, openInMemory, PATH, signer, temporaryDirectory } from './fixture.ts';
import { MemoryFileSystem } from './memory-file-system.ts';

/** What a reader sees while the broker goes on: once, before he opens a file for reading. */
function beside(fileSystem: MemoryFileSystem, opened: string, meanwhile: () => Promise<void>): JournalFileSystem {
  let isDone = false;
  const inner = fileSystem.ofOneProcess();
  return {
    ...inner,
    open: async (path, mode) => {
      if (path === opened && mode === 'read' && !isDone) {
        isDone = true;
        await meanwhile();
      }
      return inner.open(path, mode);
    },
  };
}

/** Files what is ahead, and puts the next one over it. */
async function goesOn(journal: Journal): Promise<void> {
  await journal.flush();
  await durably(journal, 'later');
}

const MOMENTS = [
  { moment: 'before the file ahead is read', opened: AHEAD },
  { moment: 'before the segment is read', opened: PATH },
];

test.each(MOMENTS)(
  'a record that was on disk before is shown, whatever the broker does $moment',
  async ({ opened }) => {
    const { journal, fileSystem } = await someAhead(['r-2']);
    const meanwhile = () => beside(fileSystem, opened, () => goesOn(journal));
    expect(await showRequest(DIRECTORY, 'r-2', { fileSystem: meanwhile() })).toHaveLength(1);
    expect(await ids(readJournal(DIRECTORY, { fileSystem: meanwhile() }))).toEqual(
      expect.arrayContaining(['r-1', 'r-2']),
    );
    const last = await ids(readJournal(DIRECTORY, { fileSystem: meanwhile(), tail: 2 }));
    expect(last).toEqual(expect.arrayContaining(['later']));
  },
);

test.each(MOMENTS)(
  'a journal that reaches as far as its witness verifies, whatever the broker does $moment',
  async ({ opened }) => {
    const witness = join(temporaryDirectory(), 'witness');
    const { journal, fileSystem } = await openInMemory(new MemoryFileSystem(), {
      ...HELD,
      signer,
      checkpointRecords: 3,
      checkpointAfterMs: 1_000_000,
      witnesses: [witness],
    });
    for (const id of ['r-1', 'r-2', 'r-3', 'r-4']) await durably(journal, id);
    await expect.poll(() => existsSync(witness)).toBe(true);
    const verdict = await verifyJournal(DIRECTORY, {
      fileSystem: beside(fileSystem, opened, () => goesOn(journal)),
      keys: [signer.publicKey],
      witnesses: [witness],
    });
    expect(verdict.problems).toEqual([]);
    expect(verdict.records).toBeGreaterThanOrEqual(5);
  },
);

test('a copy of the file ahead, then of the segments, holds all that was on disk when it was begun', async () => {
  const { journal, fileSystem } = await someAhead(['r-2']);
  const copy = new MemoryFileSystem();
  copy.addDirectory(DIRECTORY);
  copy.replace(AHEAD, Buffer.from(fileSystem.text(AHEAD)));
  await goesOn(journal);
  copy.replace(PATH, Buffer.from(fileSystem.text(PATH)));
  expect(await ids(readJournal(DIRECTORY, { fileSystem: copy }))).toContain('r-2');
  expect(await verifyJournal(DIRECTORY, { fileSystem: copy })).toMatchObject({ intact: true });
});

test('a bad last line of the segment hides what follows from the one before it from nobody', async () => {
  const { fileSystem } = await someAhead(['r-2']);
  fileSystem.pullThePlug(1);
  fileSystem.edit(PATH, (data) => Buffer.concat([data, Buffer.from('\0\0\0\n')]));
  expect(await verifyJournal(DIRECTORY, { fileSystem })).toMatchObject({ intact: false, last: { sequence: 2 } });
  expect(await ids(readJournal(DIRECTORY, { fileSystem }))).toContain('r-2');
  expect(await ids(readJournal(DIRECTORY, { fileSystem, tail: 1 }))).toEqual(['r-2']);
});

test('a file ahead that is full of links to the last record is read in one go', async () => {
  const { fileSystem } = await someAhead([]);
  fileSystem.pullThePlug(1);
  const last = /"hash":"([0-9a-f]{64})"}\n$/.exec(fileSystem.text(PATH))?.[1];
  const link = `"prev":"${last}"`;
  for (const text of [link.repeat(200_000), `${link}\n`.repeat(100_000), '{\n'.repeat(1 << 20)]) {
    fileSystem.replace(AHEAD, Buffer.from(text));
    expect(await ids(readJournal(DIRECTORY, { fileSystem }))).toEqual(['r-1']);
    expect(await verifyJournal(DIRECTORY, { fileSystem })).toMatchObject({ intact: true, records: 1 });
  }
});
