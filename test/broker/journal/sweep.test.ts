import { expect, test } from 'vitest';
import { type Journal, JournalError, openJournal } from '../../../src/broker/journal/index.ts';
import { checkAll, DIRECTORY, intent, PATH, SMALL, testClock } from './fixture.ts';
import { type Fault, MemoryFileSystem } from './memory-file-system.ts';

/** A broker on a disk that fails at one call, and what it did: a command counts as sent when its intent was promised. */
class World {
  readonly disk = new MemoryFileSystem();
  readonly #aheadBytes: number;
  /** Hash by sequence of all that was promised to be on disk. */
  readonly promised = new Map<number, string>();
  readonly sent = new Set<string>();
  readonly refused = new Set<string>();
  constructor(aheadBytes: number) {
    this.#aheadBytes = aheadBytes;
  }

  #requests = 0;
  /** What the dead are told does not count. */
  #dead = false;

  async open(): Promise<Journal | undefined> {
    return openJournal({
      directory: DIRECTORY,
      clock: testClock(),
      fileSystem: this.disk,
      lock: async () => ({ release: () => undefined }),
      flushAfterMs: 1_000_000,
      retryAfterMs: 1_000_000,
      checkEveryMs: 1_000_000,
      aheadBytes: this.#aheadBytes,
      ...SMALL,
      segmentBytes: 900,
      checkpointRecords: 3,
    }).catch((error: unknown) => {
      expect(error).toBeInstanceOf(JournalError);
      return undefined;
    });
  }

  /** One command: an intent, and when that is on disk the command is sent and has an outcome. */
  async command(journal: Journal | undefined): Promise<void> {
    if (journal === undefined || this.#dead) return;
    const requestId = `r-${this.#requests++}`;
    try {
      const { sequence, hash } = await journal.append('intent', intent(requestId), { durable: true });
      if (this.#dead) return;
      this.sent.add(requestId);
      this.promised.set(sequence, hash);
      await journal.append('outcome', { requestId, intent: sequence, outcome: 'done' }, { durable: false });
    } catch (error) {
      expect(error).toBeInstanceOf(JournalError);
      if (!this.sent.has(requestId) && !this.#dead) this.refused.add(requestId);
    }
  }

  get isAlive(): boolean {
    return !this.#dead;
  }

  die(fraction: number): void {
    this.#dead = true;
    this.disk.pullThePlug(fraction);
  }

  async revive(): Promise<Journal> {
    this.#dead = false;
    this.disk.fault = () => undefined;
    return (await this.open()) ?? expect.fail('it does not open again');
  }

  /** What an inquiry relies on. */
  holds(): void {
    const records = checkAll(this.disk);
    for (const [sequence, hash] of this.promised) expect(records[sequence - 1]?.hash, `record ${sequence}`).toBe(hash);
    const outcomes = new Map(
      records.filter(({ kind }) => kind === 'outcome').map((one) => [one.requestId, one.outcome]),
    );
    for (const requestId of this.sent) expect(['done', 'unknown']).toContain(outcomes.get(requestId));
    for (const requestId of this.refused) {
      const isThere = records.some((record) => record.kind === 'intent' && record.requestId === requestId);
      expect(['not-sent', 'unknown'].includes(String(outcomes.get(requestId))), requestId).toBe(isThere);
    }
  }
}

type Scenario = (world: World) => Promise<Journal | undefined>;

const rotates: Scenario = async (world) => {
  const journal = await world.open();
  for (let i = 0; i < 5; i++) await world.command(journal);
  await journal?.close().catch(() => undefined);
  const next = await world.open();
  for (let i = 0; i < 3; i++) await world.command(next);
  return next;
};

const restores: Scenario = async (world) => {
  const journal = await world.open();
  await world.command(journal);
  if (world.disk.names().includes('journal-000001.jsonl')) world.disk.remove(PATH);
  await world.command(journal);
  await journal?.reopen().catch(() => undefined);
  await world.command(journal);
  return journal;
};

/** Plays with a fault at one call; tells how many calls there were. */
async function play(
  { scenario, aheadBytes }: Sweep,
  faults: (number: number, world: World) => Fault,
): Promise<[World, number]> {
  const world = new World(aheadBytes);
  world.disk.fault = ({ number }) => faults(number, world);
  const journal = await scenario(world);
  const calls = world.disk.calls.length;
  world.disk.fault = () => undefined;
  // As it is without a restart, where it is still open; else after one.
  if (journal !== undefined && journal.health().state !== 'closed') {
    if (world.isAlive) {
      await journal.reopen();
      expect(journal.health().state).toBe('open');
      await world.command(journal);
    }
    await journal.close().catch(() => undefined);
  }
  return [world, calls];
}

const COMMON = ['append', 'datasync', 'open.append', 'open.create', 'syncDirectory'];
const ROTATES = ['close', 'file.identity', 'identity', 'list', 'makeDirectory', 'open.read', 'read'];
const AHEAD = ['open.overwrite', 'overwrite'];

interface Sweep {
  readonly name: string;
  readonly scenario: Scenario;
  /** Room for lines ahead of their segment: 0 for none, a little for a file that is full again and again. */
  readonly aheadBytes: number;
  /** Kinds of calls that it has to meet. */
  readonly covers: readonly string[];
}

const SWEEPS: readonly Sweep[] = [
  { name: 'rotates', scenario: rotates, aheadBytes: 0, covers: [...COMMON, ...ROTATES] },
  {
    name: 'rotates, with a file ahead',
    scenario: rotates,
    aheadBytes: 1024,
    covers: [...COMMON, ...ROTATES, ...AHEAD],
  },
  { name: 'restores', scenario: restores, aheadBytes: 0, covers: [...COMMON, 'read', 'rename'] },
  {
    name: 'restores, with a file ahead',
    scenario: restores,
    aheadBytes: 1024,
    covers: [...COMMON, 'rename', ...AHEAD],
  },
];

/** `SWEEP=whole` for every fault at every call; else each call gets one after the other of them. */
const isWhole = process.env.SWEEP === 'whole';
const FAULTS: readonly Fault[] = ['EIO', 'ENOSPC', 'EROFS', { take: 30, code: 'ENOSPC' }];

function some<T>(all: readonly T[], turn: number): readonly T[] {
  return isWhole ? all : all.slice(turn % all.length).slice(0, 1);
}

const TIME = { timeout: isWhole ? 1_800_000 : 60_000 };

for (const sweep of SWEEPS) {
  const { name, covers } = sweep;
  test(`a journal that ${name}: the scenario meets every kind of call`, async () => {
    const [world] = await play(sweep, () => undefined);
    world.holds();
    expect([...new Set(world.disk.calls.map((call) => call.name))]).toEqual(expect.arrayContaining([...covers]));
  });

  test(
    `a journal that ${name}: a failure at any call, for once or for good, sends nothing unrecorded and is recovered from without a restart`,
    TIME,
    async () => {
      const [, calls] = await play(sweep, () => undefined);
      for (let at = 0; at < calls; at++) {
        for (const [index, lasts] of [1, 7, Number.POSITIVE_INFINITY].entries()) {
          for (const fault of some(FAULTS, at + index)) {
            const [world] = await play(sweep, (number) => (number >= at && number < at + lasts ? fault : undefined));
            const journal = await world.revive();
            await world.command(journal);
            await journal.close();
            await (await world.revive()).close();
            world.holds();
          }
        }
      }
    },
  );

  test(
    `a journal that ${name}: a power loss at any call loses no record of a command that was sent`,
    TIME,
    async () => {
      const [, calls] = await play(sweep, () => undefined);
      for (let at = 0; at < calls; at++) {
        for (const fraction of some([0, 0.3, 0.9, 1], at)) {
          const [world] = await play(sweep, (number, here) => {
            if (number === at) here.die(fraction);
            return number >= at ? 'EIO' : undefined;
          });
          await (await world.revive()).close();
          await (await world.revive()).close();
          world.holds();
        }
      }
    },
  );

  test(
    `a journal that ${name}: a second power loss at any call of the start after the first one loses nothing either`,
    TIME,
    async () => {
      const [, calls] = await play(sweep, () => undefined);
      for (let at = 0; at < calls; at += isWhole ? 1 : 13) {
        for (let again = 0; again < 40; again++) {
          const [world] = await play(sweep, (number, here) => {
            if (number === at) here.die(0.5);
            return number >= at ? 'EIO' : undefined;
          });
          const start = world.disk.calls.length;
          world.disk.fault = ({ number }) => {
            if (number === start + again) world.disk.pullThePlug(0.7);
            return number >= start + again ? 'EIO' : undefined;
          };
          const journal = await world.open();
          if (journal !== undefined) {
            // So few calls that the start was over before.
            world.disk.fault = () => undefined;
            await journal.close();
          }
          await (await world.revive()).close();
          await (await world.revive()).close();
          world.holds();
          if (journal !== undefined) break;
        }
      }
    },
  );
}
