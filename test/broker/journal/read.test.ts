import { appendFileSync, renameSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  type JournalRecord,
  openJournal,
  type ReadOptions,
  type RecordFilter,
  readJournal,
  showRequest,
  systemJournalClock,
} from '../../../src/broker/journal/index.ts';
import { DIRECTORY, FILE, intent, openInMemory, PATH, temporaryDirectory } from './fixture.ts';

async function collect(path: string, options: ReadOptions): Promise<number[]> {
  const sequences: number[] = [];
  for await (const record of readJournal(path, options)) sequences.push(record.seq);
  return sequences;
}

/** Records 1 to 6 of two tenants. */
async function sample() {
  const { journal, fileSystem } = await openInMemory();
  const add = (kind: 'intent' | 'decision', id: string, more: Partial<Parameters<typeof intent>[1]> = {}) =>
    journal.append(kind, intent(id, more), { durable: true });
  await add('intent', 'r-1', { class: 'raw', flags: ['unaudited'] });
  await journal.append('outcome', { requestId: 'r-1', tenant: 'acme', outcome: 'done' }, { durable: true });
  await add('decision', 'r-2', { tenant: 'globex', flags: ['denied'] });
  await add('decision', 'r-3', { switch: 'sw1' });
  await journal.append('policy', { change: 'loaded', snapshot: 'abc' }, { durable: true });
  await add('decision', 'r-1');
  return { fileSystem, journal };
}

const filters: [RecordFilter, number[]][] = [
  [{}, [1, 2, 3, 4, 5, 6]],
  [{ kinds: ['intent', 'outcome'] }, [1, 2]],
  [{ kinds: [] }, []],
  [{ tenant: 'globex' }, [3]],
  [{ requestId: 'r-1' }, [1, 2, 6]],
  [{ requestId: 'r' }, []],
  [{ switch: 'sw1' }, [4]],
  [{ class: 'raw' }, [1]],
  [{ flag: 'denied' }, [3]],
  [{ sinceMs: Date.parse('2026-01-01T00:00:00.003Z') }, [3, 4, 5, 6]],
  [{ untilMs: Date.parse('2026-01-01T00:00:00.003Z') }, [1, 2]],
  [{ tenant: 'acme', kinds: ['decision'] }, [4, 6]],
];

test.each(filters)('the filter %j keeps %j, forwards and from the end', async (filter, expected) => {
  const { fileSystem } = await sample();
  expect(await collect(DIRECTORY, { filter, fileSystem })).toEqual(expected);
  expect(await collect(PATH, { filter, fileSystem, tail: 2 })).toEqual(expected.slice(-2));
  expect(await collect(PATH, { filter, fileSystem, tail: 100 })).toEqual(expected);
  expect(await collect(PATH, { filter, fileSystem, tail: 0 })).toEqual([]);
});

test('one request is told from its first record to its last', async () => {
  const { fileSystem } = await sample();
  const story = await showRequest(DIRECTORY, 'r-1', { fileSystem });
  expect(story.map((record) => record.kind)).toEqual(['intent', 'outcome', 'decision']);
  expect(await showRequest(DIRECTORY, 'r-9', { fileSystem })).toEqual([]);
});

test('lines that are no records are left out and reported', async () => {
  const { fileSystem } = await sample();
  fileSystem.edit(PATH, (data) => Buffer.concat([Buffer.from('garbage\n'), data, Buffer.from('{"v":1,"half')]));
  const whys: string[] = [];
  const onUnreadable = ({ why }: { why: string }) => whys.push(why);
  expect(await collect(DIRECTORY, { fileSystem, onUnreadable })).toEqual([1, 2, 3, 4, 5, 6]);
  expect(await collect(DIRECTORY, { fileSystem, onUnreadable, tail: 100 })).toEqual([1, 2, 3, 4, 5, 6]);
  expect(await collect(DIRECTORY, { fileSystem, tail: 100 })).toHaveLength(6);
  expect(whys).toEqual(['it is not JSON', 'it is not JSON']);
});

test('a journal that is not there is an io error', async () => {
  await expect(collect(join(temporaryDirectory(), 'missing'), {})).rejects.toMatchObject({ code: 'io' });
});

test('following gives old records, then new ones as they are written, and stops at the signal', async () => {
  const directory = temporaryDirectory();
  const journal = await openJournal({ directory, clock: systemJournalClock });
  for (let i = 1; i <= 3; i++) await journal.append('decision', intent(`r-${i}`), { durable: true });
  const stop = new AbortController();
  const seen: string[] = [];
  const following = (async () => {
    for await (const record of readJournal(directory, { follow: true, tail: 1, pollMs: 1, signal: stop.signal })) {
      seen.push((record as JournalRecord & { requestId: string }).requestId);
      if (seen.length === 11) stop.abort();
    }
  })();
  await expect.poll(() => seen).toEqual(['r-3']);
  for (let i = 4; i <= 13; i++) {
    await journal.append('decision', intent(`r-${i}`), { durable: true });
    await new Promise((resolve) => setTimeout(resolve, 3));
  }
  await following;
  expect(seen).toEqual(Array.from({ length: 11 }, (_, i) => `r-${i + 3}`));
  await journal.close();
});

test('following waits for a half line to become whole, and stops while it waits', async () => {
  const directory = temporaryDirectory();
  const { fileSystem } = await sample();
  const path = join(directory, FILE);
  const [first = '', second = ''] = fileSystem.text(PATH).split('\n');
  writeFileSync(path, `${first}\n${second.slice(0, 50)}`);
  const stop = new AbortController();
  const seen: number[] = [];
  const following = (async () => {
    for await (const record of readJournal(path, { follow: true, pollMs: 1, signal: stop.signal }))
      seen.push(record.seq);
  })();
  await expect.poll(() => seen).toEqual([1]);
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(seen).toEqual([1]);
  appendFileSync(path, `${second.slice(50)}\n`);
  await expect.poll(() => seen).toEqual([1, 2]);
  stop.abort();
  await following;
});

test('following notices that the journal was cut off or replaced', async () => {
  const { fileSystem } = await sample();
  for (const [harm, code] of [
    [(path: string) => truncateSync(path, 10), 'truncated'],
    [(path: string) => renameSync(path, `${path}.moved`), 'replaced'],
  ] as const) {
    const path = join(temporaryDirectory(), FILE);
    writeFileSync(path, fileSystem.text(PATH));
    const following = async () => {
      for await (const record of readJournal(path, { follow: true, pollMs: 1 })) if (record.seq === 6) harm(path);
    };
    await expect(following()).rejects.toMatchObject({ code });
  }
});

test('a follower that is told to stop before it begins gives nothing more', async () => {
  const { fileSystem } = await sample();
  expect(await collect(DIRECTORY, { fileSystem, follow: true, signal: AbortSignal.abort() })).toEqual([1]);
  expect(await collect(DIRECTORY, { fileSystem, follow: true, tail: 0, signal: AbortSignal.abort() })).toEqual([]);
});
