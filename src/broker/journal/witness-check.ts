import type { CheckpointKey } from './key.ts';
import type { JournalRecord } from './records.ts';
import { readWitness, type WitnessReading } from './witness.ts';

/** What one witness says of a journal. */
export interface WitnessVerdict {
  /** Path of the file. */
  readonly witness: string;
  /** Its newest checkpoint; absent when it has none that counts. */
  readonly sequence?: number;
  readonly at?: string;
  /** Does the journal have that very checkpoint? */
  readonly found: boolean;
}

interface Lacking {
  readonly kind: 'truncated' | 'unwitnessed';
  readonly sequence?: number;
  readonly text: string;
}

/** Looks for the newest checkpoint of each witness while the journal is read. */
export class WitnessCheck {
  readonly #readings: readonly { readonly path: string; readonly reading: WitnessReading }[];
  readonly #found = new Set<string>();

  private constructor(readings: readonly { readonly path: string; readonly reading: WitnessReading }[]) {
    this.#readings = readings;
  }

  /** @throws JournalError `io` */
  static async read(paths: readonly string[], keys: readonly CheckpointKey[]): Promise<WitnessCheck> {
    return new WitnessCheck(
      await Promise.all(paths.map(async (path) => ({ path, reading: await readWitness(path, keys) }))),
    );
  }

  take({ kind, seq, hash }: JournalRecord): void {
    if (kind !== 'checkpoint') return;
    for (const { reading } of this.#readings) {
      if (reading.newest?.seq === seq && reading.newest.hash === hash) this.#found.add(hash);
    }
  }

  /** @param lastSequence of the journal, 0 when it is empty */
  result(lastSequence: number): { readonly verdicts: readonly WitnessVerdict[]; readonly lacking: readonly Lacking[] } {
    const verdicts = this.#readings.map(({ path, reading: { newest } }) =>
      newest === undefined
        ? { witness: path, found: false }
        : { witness: path, sequence: newest.seq, at: newest.at, found: this.#found.has(newest.hash) },
    );
    const lacking = verdicts.flatMap((verdict): readonly Lacking[] => {
      const { witness, sequence, at, found } = verdict;
      if (found) return [];
      if (sequence === undefined) {
        return [{ kind: 'unwitnessed', text: `witness ${witness} has no checkpoint that counts: it shows nothing` }];
      }
      const text =
        sequence > lastSequence
          ? `records ${lastSequence + 1} to ${sequence} are missing at the end: witness ${witness} has a checkpoint of ${at}`
          : `checkpoint ${sequence} of ${at} is not in the journal, but in witness ${witness}`;
      return [{ kind: 'truncated', sequence: Math.min(sequence, lastSequence + 1), text }];
    });
    return { verdicts, lacking };
  }
}
