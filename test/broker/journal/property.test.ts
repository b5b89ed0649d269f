import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Journal, JournalError, openJournal } from '../../../src/broker/journal/index.ts';
import { checkAll, DIRECTORY, intent, SMALL, testClock } from './fixture.ts';
import { type Fault, MemoryFileSystem } from './memory-file-system.ts';

type Step =
  | { readonly do: 'append'; readonly durable: boolean; readonly kind: 'intent' | 'decision'; readonly size: number }
  | { readonly do: 'outcome'; readonly of: number }
  | { readonly do: 'turn' }
  | { readonly do: 'fault'; readonly after: number; readonly fault: Fault }
  | { readonly do: 'mend' }
  | { readonly do: 'reopen' }
  | { readonly do: 'crash'; readonly fraction: number }
  | { readonly do: 'restart' };

const fault: fc.Arbitrary<Fault> = fc.oneof(
  fc.constantFrom('EIO', 'ENOSPC'),
  fc.record({ take: fc.nat(400), code: fc.constant('ENOSPC') }),
  fc.record({ take: fc.nat(400) }),
);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('append' as const),
      durable: fc.boolean(),
      kind: fc.constantFrom('intent' as const, 'decision' as const),
      size: fc.nat(300),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('outcome' as const), of: fc.nat(20) }) },
  { weight: 5, arbitrary: fc.constant({ do: 'turn' as const }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('fault' as const), after: fc.nat(12), fault }) },
  { weight: 2, arbitrary: fc.constant({ do: 'mend' as const }) },
  { weight: 2, arbitrary: fc.constant({ do: 'reopen' as const }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('crash' as const), fraction: fc.double({ min: 0, max: 1, noNaN: true }) }),
  },
  { weight: 1, arbitrary: fc.constant({ do: 'restart' as const }) },
);

/** A broker with a journal on a disk that fails, and what it was promised. */
class World {
  readonly disk = new MemoryFileSystem();
  readonly #aheadBytes: number;
  /** Hash by sequence of every append that resolved durable. */
  readonly promised = new Map<number, string>();
  /** Request ids of intents that were promised and got no outcome from us. */
  readonly sent = new Set<string>();
  /** Request ids of intents that were refused: nothing was sent for them. */
  readonly refused = new Set<string>();
  #requests = 0;
  journal: Journal | undefined;

  constructor(aheadBytes: number) {
    this.#aheadBytes = aheadBytes;
  }

  async start(): Promise<void> {
    this.disk.fault = () => undefined;
    this.journal = await openJournal({
      directory: DIRECTORY,
      clock: testClock(),
      fileSystem: this.disk.ofOneProcess(),
      lock: async () => ({ release: () => undefined }),
      flushAfterMs: 0,
      retryAfterMs: 1_000_000,
      checkEveryMs: 1_000_000,
      aheadBytes: this.#aheadBytes,
      ...SMALL,
      checkpointRecords: 5,
    });
  }

  append(kind: 'intent' | 'decision', durable: boolean, size: number): void {
    const requestId = `r-${this.#requests++}`;
    const { journal } = this;
    journal?.append(kind, intent(requestId, { details: { text: 'x'.repeat(size) } }), { durable }).then(
      ({ sequence, hash }) => {
        // What a killed broker is told no longer counts.
        if (!durable || this.journal !== journal) return;
        this.promised.set(sequence, hash);
        if (kind === 'intent') this.sent.add(requestId);
      },
      (error: unknown) => {
        expect(error).toBeInstanceOf(JournalError);
        if (kind === 'intent') this.refused.add(requestId);
      },
    );
  }

  async outcome(of: number): Promise<void> {
    const requestId = [...this.sent][of];
    if (requestId === undefined || this.journal === undefined) return;
    this.sent.delete(requestId);
    await this.journal.append('outcome', { requestId, outcome: 'done' }, { durable: false }).catch(() => undefined);
  }

  async take(step: Step): Promise<void> {
    if (step.do === 'append') this.append(step.kind, step.durable, step.size);
    else if (step.do === 'outcome') await this.outcome(step.of);
    else if (step.do === 'turn') await new Promise((resolve) => setImmediate(resolve));
    else if (step.do === 'fault') {
      const at = this.disk.calls.length + step.after;
      this.disk.fault = (call) => (call.number >= at && call.number < at + 3 ? step.fault : undefined);
    } else if (step.do === 'mend') this.disk.fault = () => undefined;
    else if (step.do === 'reopen') await this.journal?.reopen().catch(() => undefined);
    else if (step.do === 'restart') {
      await this.journal?.close().catch(() => undefined);
      await this.restart();
    } else {
      // The dead process does nothing more; what it had in memory is gone.
      this.journal = undefined;
      this.disk.pullThePlug(step.fraction);
      await this.restart();
    }
  }

  async restart(): Promise<void> {
    await this.start();
    this.holds();
  }

  holds(): void {
    const records = checkAll(this.disk);
    for (const [sequence, hash] of this.promised) {
      expect(records[sequence - 1]?.hash, `promised record ${sequence}`).toBe(hash);
    }
    // Nothing is left open after a start, and an intent that was refused is never called done.
    const intents = records.filter((record) => record.kind === 'intent').map((record) => record.requestId ?? '');
    const outcomes = new Map(
      records.filter((record) => record.kind === 'outcome').map((record) => [record.requestId ?? '', record.outcome]),
    );
    for (const requestId of intents) {
      expect(outcomes.has(requestId), `outcome of ${requestId}`).toBe(true);
      if (this.refused.has(requestId)) expect(['not-sent', 'unknown']).toContain(outcomes.get(requestId));
    }
  }
}

test('whatever fails and whenever the power goes: the chain verifies and no promised record is missing', {
  timeout: 60_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(0, 700, 8192),
      fc.array(step, { minLength: 5, maxLength: 60 }),
      async (bytes, steps) => {
        const world = new World(bytes);
        await world.start();
        for (const one of steps) await world.take(one);
        world.disk.fault = () => undefined;
        await world.journal?.reopen();
        await world.journal?.close();
        await world.restart();
        await world.journal?.close();
      },
    ),
    { numRuns: 400 },
  );
});
