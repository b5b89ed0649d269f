import { expect, test } from 'vitest';
import { type Journal, openJournal } from '../../../src/broker/journal/index.ts';
import { checkAll, DIRECTORY, intent, signer, testClock } from './fixture.ts';
import { MemoryFileSystem } from './memory-file-system.ts';

// What an earlier process left unsynced is the next one's business: a promise rests on names and bytes that it did not write.

class World {
  readonly disk = new MemoryFileSystem();
  readonly promised = new Map<number, string>();
  readonly #aheadBytes: number;
  #requests = 0;

  constructor(aheadBytes: number) {
    this.#aheadBytes = aheadBytes;
  }

  open(): Promise<Journal | undefined> {
    return openJournal({
      directory: DIRECTORY,
      clock: testClock(),
      fileSystem: this.disk.ofOneProcess(),
      lock: async () => ({ release: () => undefined }),
      retryAfterMs: 1_000_000,
      checkEveryMs: 1_000_000,
      flushAfterMs: 1_000_000,
      checkpointAfterMs: 1_000_000,
      signer,
      segmentBytes: 900,
      aheadBytes: this.#aheadBytes,
    }).catch(() => undefined);
  }

  /** Commands, every second of them followed by a flush, and a recovery where that was refused. */
  async commands(journal: Journal | undefined, count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      await journal?.append('intent', intent(`r-${this.#requests++}`), { durable: true }).then(
        ({ sequence, hash }) => this.promised.set(sequence, hash),
        () => undefined,
      );
      if (i % 2 === 0) continue;
      await journal?.flush().catch(() => undefined);
      if (journal?.health().state === 'failed') await journal.reopen().catch(() => undefined);
    }
  }
}

/** Dies, or fails once, at one call; is started again; then the power goes. False when there was no such call. */
async function play(how: 'killed' | 'failed', at: number, aheadBytes: number, after: number): Promise<boolean> {
  const world = new World(aheadBytes);
  const { disk, promised } = world;
  let met = false;
  disk.fault = ({ number }) => {
    if (number === at) {
      met = true;
      if (how === 'killed') disk.killTheProcess();
      return 'EIO';
    }
    return how === 'killed' && number > at ? 'EIO' : undefined;
  };
  await world.commands(await world.open(), 6);
  const { name = '', path = '' } = disk.calls[at] ?? {};
  const where = `${how} at call ${at}, ${name} of ${path}`;
  disk.fault = () => undefined;
  await world.commands(await world.open(), after);
  disk.pullThePlug(0);
  const last = (await world.open()) ?? expect.fail(`${where}: it does not open again`);
  await last.close();
  const records = checkAll(disk);
  for (const [sequence, hash] of promised)
    expect(records[sequence - 1]?.hash, `${where}: record ${sequence}`).toBe(hash);
  return met;
}

const CASES = [0, 1024].flatMap((aheadBytes) => [0, 1, 2, 5].map((after) => ({ aheadBytes, after })));

test.each(CASES)(
  'killed or failed at any call, started again, $after commands, power loss: nothing promised is lost ($aheadBytes bytes ahead)',
  { timeout: 60_000 },
  async ({ aheadBytes, after }) => {
    for (const how of ['killed', 'failed'] as const) {
      for (let at = 0; await play(how, at, aheadBytes, after); at++);
    }
  },
);
