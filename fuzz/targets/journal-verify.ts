import { verifyJournal } from '../../src/broker/journal/index.ts';
import { demand, type Target } from '../engine/target.ts';
import { edited, originalJournal, signer } from '../support/journal-edits.ts';
import { DIRECTORY, diskWith, type Segments } from '../support/memory-journal.ts';

function linesOf(segments: Segments): readonly string[] {
  return [...segments.keys()]
    .sort()
    .flatMap((name) => segments.get(name)?.toString('latin1').split('\n') ?? [])
    .filter((line) => line !== '');
}

/** Sequence of the last record that a signature covers. */
const signedUpTo = (lines: readonly string[]): number =>
  lines.findLastIndex((line) => line.includes('"kind":"checkpoint"')) + 1;

export const target: Target = {
  name: 'journal-verify',
  oracle:
    'no changed, moved, removed or invented record below a signature is called authentic, and none passes as intact',
  covers: ['src/broker/journal'],
  kind: 'bytes',
  maxLength: 96,
  seeds: () => Array.from({ length: 22 }, (_, kind) => Uint8Array.of(kind % 3, kind, kind, 40, 3, 4, 65, 66, 67, 10)),
  async open() {
    const original = await originalJournal();
    const records = linesOf(original);
    const covered = signedUpTo(records);
    return {
      async run(bytes) {
        const segments = edited(original, bytes);
        const verdict = await verifyJournal(DIRECTORY, { fileSystem: diskWith(segments), keys: [signer.publicKey] });
        const lines = linesOf(segments);
        const isThere = new Set(lines);
        for (const { from, to } of verdict.signed?.authentic ?? []) {
          for (let sequence = from; sequence <= to; sequence++) {
            demand(isThere.has(records[sequence - 1] ?? ''), `record ${sequence} is called authentic and was changed`);
          }
        }
        if (!verdict.intact) {
          demand(verdict.problemCount > 0 || verdict.torn !== undefined, 'not intact, and nothing is wrong');
          return;
        }
        // What was taken off the end at a record, only a witness can tell; what no signature covers, nobody.
        const first = verdict.first?.sequence ?? 1;
        const signed = Math.min(covered, verdict.signed?.last?.sequence ?? 0);
        lines.slice(0, Math.max(0, signed - first + 1)).forEach((line, i) => {
          demand(line === records[first - 1 + i], `record ${first + i} was changed, and all is called intact`);
        });
      },
    };
  },
};
