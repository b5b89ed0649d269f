import { JournalError, verifyJournal } from '../../src/broker/journal/index.ts';
import { demand, type Target } from '../engine/target.ts';
import { edited, goodBytes, openOn, originalJournal } from '../support/journal-edits.ts';
import { contentOf, DIRECTORY, diskWith, type Segments, segmentsIn } from '../support/memory-journal.ts';

const GENESIS = '0'.repeat(64);

/** Bytes at the beginning of each segment that are an unbroken chain from the first record. */
function goodPrefix(segments: Segments): ReadonlyMap<string, number> {
  const before = { hash: GENESIS, sequence: 0 };
  const good = new Map<string, number>();
  for (const [index, name] of [...segments.keys()].sort().entries()) {
    const content = segments.get(name) ?? Buffer.alloc(0);
    if (name !== `journal-${String(index + 1).padStart(6, '0')}.jsonl`) break;
    const end = goodBytes(content, before);
    good.set(name, end);
    if (end < content.length) break;
  }
  return good;
}

export const target: Target = {
  name: 'journal-open',
  oracle:
    'opening a damaged journal refuses and changes nothing, or keeps every whole record and goes on with a good chain',
  covers: ['src/broker/journal'],
  kind: 'bytes',
  maxLength: 96,
  seeds: () => Array.from({ length: 22 }, (_, kind) => Uint8Array.of(kind % 3, kind, kind, 40, 3, 4, 65, 66, 67, 10)),
  async open() {
    const original = await originalJournal();
    return {
      async run(bytes) {
        const segments = edited(original, bytes);
        const disk = diskWith(segments);
        const good = goodPrefix(segments);
        const journal = await openOn(disk).catch((error: unknown) => {
          demand(error instanceof JournalError, () => `not a journal error: ${String(error)}`);
          return undefined;
        });
        if (journal === undefined) {
          const left = segmentsIn(disk);
          for (const [name, content] of segments)
            demand(left.get(name)?.equals(content) === true, `${name} was touched`);
          return;
        }
        await journal.append('stop', { reason: 'end' } as never, { durable: true });
        await journal.close();
        const after = segmentsIn(disk);
        for (const [name, end] of good) {
          const kept = after.get(name)?.subarray(0, end);
          demand(
            kept?.equals(segments.get(name)?.subarray(0, end) ?? Buffer.alloc(0)) === true,
            `a record of ${name} is lost`,
          );
        }
        // What was cut off is kept aside, to the byte.
        const all = disk.names().map((name) => contentOf(disk, name).length);
        const sum = (list: Iterable<number>): number => [...list].reduce((total, one) => total + one, 0);
        demand(sum(all) >= sum([...segments.values()].map(({ length }) => length)), 'bytes are gone');
        // Opening begins behind the last good checkpoint: what is older is for the verifier.
        const verdict = await verifyJournal(DIRECTORY, { fileSystem: disk });
        demand(verdict.torn === undefined, 'it ends in a torn record');
        const isWhole = [...segments.keys()].every((name) => good.get(name) !== undefined);
        const wasGood = isWhole && sum(good.values()) === sum([...segments.values()].map(({ length }) => length));
        demand(!wasGood || verdict.intact, () => `a good journal was spoilt: ${verdict.summary}`);
      },
    };
  },
};
