import type { Place } from './chain-check.ts';
import { asCheckpoint, type Checkpoint, isSignedBy } from './checkpoint.ts';
import type { CheckpointKey } from './key.ts';
import type { ChainHead, ParsedLine } from './line.ts';
import { segmentNumber } from './segment-names.ts';

/**
 * - `forged`: a checkpoint that names a key it was not signed with
 * - `foreign`: a checkpoint of a key that was not given, or of another journal
 * - `swapped`: a signed checkpoint in a segment that it was not written into
 * - `unsigned`: records that no checkpoint covers, more than a broker leaves without one
 */
export type SignatureProblemKind = 'forged' | 'foreign' | 'swapped' | 'unsigned';

export interface SignatureProblem extends Place {
  readonly kind: SignatureProblemKind;
  readonly sequence?: number;
  readonly text: string;
}

/** Records that are one chain up to a checkpoint with a good signature: exactly as the broker wrote them. */
export interface AuthenticRange {
  readonly from: number;
  readonly to: number;
}

/** A checkpoint whose signature is good. */
export interface GoodCheckpoint {
  readonly sequence: number;
  readonly at: string;
  readonly hash: string;
  readonly key: string;
  readonly file: string;
  readonly line: number;
}

export interface SignatureFindings {
  readonly problems: readonly SignatureProblem[];
  readonly count: number;
  /** Ascending, without overlap; the first `limit` of them. */
  readonly authentic: readonly AuthenticRange[];
  readonly last: GoodCheckpoint | undefined;
  readonly checkpoints: number;
  /** Records after the last good checkpoint. */
  readonly tail: number;
}

/** The broker signs every second; a clock that is set and a machine that stalls are allowed for. */
const LONGEST_UNSIGNED_MS = 10_000;

/** Walks a journal and finds out which of its records the signatures vouch for, whatever else is wrong with it. */
export class SignatureCheck {
  readonly #keys: ReadonlyMap<string, CheckpointKey>;
  readonly #limit: number;
  readonly #problems: SignatureProblem[] = [];
  #count = 0;
  /** The chain that is being followed: where it began and what the next record has to follow from. */
  #run: { readonly from: number; readonly head: ChainHead } | undefined;
  /** Which journal this is, once a good checkpoint has told. */
  #journal: string | undefined;
  #ranges: AuthenticRange[] = [];
  #last: GoodCheckpoint | undefined;
  #checkpoints = 0;
  #tail = 0;
  /** The first and the last record after the last good checkpoint. */
  #tailBegan: string | undefined;
  #tailEnd: { readonly place: Place; readonly at: string } | undefined;

  /** @param limit problems and ranges that are kept */
  constructor(keys: readonly CheckpointKey[], limit: number) {
    this.#keys = new Map(keys.map((key) => [key.keyId, key]));
    this.#limit = limit;
  }

  /** Takes the next whole line, with its bytes. */
  take(place: Place, parsed: ParsedLine, bytes: Uint8Array): void {
    this.#tail += 1;
    if (!parsed.ok || !parsed.intact) {
      this.#run = undefined;
      return;
    }
    const { record } = parsed;
    this.#tailBegan ??= record.at;
    this.#tailEnd = { place, at: record.at };
    const head = { sequence: record.seq, hash: record.hash };
    const follows = this.#run?.head.sequence === record.seq - 1 && this.#run.head.hash === record.prev;
    this.#run = { from: follows && this.#run !== undefined ? this.#run.from : record.seq, head };
    if (record.kind === 'checkpoint') this.#checkpoint(place, record.seq, asCheckpoint(record), bytes);
  }

  result(): SignatureFindings {
    this.#reportTail();
    return {
      problems: this.#problems,
      count: this.#count,
      authentic: merged(this.#ranges).slice(0, this.#limit),
      last: this.#last,
      checkpoints: this.#checkpoints,
      tail: this.#tail,
    };
  }

  #checkpoint(place: Place, sequence: number, checkpoint: Checkpoint | undefined, bytes: Uint8Array): void {
    const key = checkpoint === undefined ? undefined : this.#keys.get(checkpoint.key);
    if (checkpoint === undefined) {
      this.#report('forged', place, sequence, `checkpoint ${sequence} is not made as checkpoints are`);
    } else if (key === undefined) {
      const text = `checkpoint ${sequence} was signed with key ${checkpoint.key}, which was not given`;
      this.#report('foreign', place, sequence, text);
    } else if (!isSignedBy(bytes, checkpoint, key)) {
      const text = `checkpoint ${sequence} was not signed with the key ${key.keyId} that it names`;
      this.#report('forged', place, sequence, text);
    } else this.#good(place, checkpoint);
  }

  #good(place: Place, checkpoint: Checkpoint): void {
    const { seq: sequence, journal, segment, at, hash, key } = checkpoint;
    this.#journal ??= journal;
    if (journal !== this.#journal) {
      this.#report('foreign', place, sequence, `checkpoint ${sequence} is of another journal`);
      return;
    }
    // A copy of one segment may have any name.
    if (segment !== place.file && segmentNumber(place.file) !== undefined) {
      const text = `checkpoint ${sequence} was written into ${segment}, not into ${place.file}`;
      this.#report('swapped', place, sequence, text);
    }
    const { from } = this.#run ?? { from: sequence };
    const previous = this.#ranges.at(-1);
    if (previous?.from === from) this.#ranges[this.#ranges.length - 1] = { from, to: sequence };
    else this.#ranges.push({ from, to: sequence });
    // Compacted at times, so that a journal of nothing but breaks does not fill the memory.
    if (this.#ranges.length > 4 * this.#limit + 1000) this.#ranges = merged(this.#ranges).slice(0, this.#limit);
    this.#checkpoints += 1;
    if (this.#last !== undefined && this.#last.sequence >= sequence) return;
    this.#last = { sequence, at, hash, key, file: place.file, line: place.line };
    this.#tail = 0;
    this.#tailBegan = undefined;
  }

  #reportTail(): void {
    const end = this.#tailEnd;
    if (this.#tail === 0 || end === undefined) return;
    if (this.#last === undefined) {
      this.#report('unsigned', end.place, undefined, 'no record is covered by a checkpoint of the given keys');
      return;
    }
    // Not from the checkpoint on: the broker may have been stopped since.
    const unsignedMs = Date.parse(end.at) - Date.parse(this.#tailBegan ?? end.at);
    if (unsignedMs <= LONGEST_UNSIGNED_MS) return;
    const seconds = Math.round(unsignedMs / 1000);
    const text = `the last ${this.#tail} records, over ${seconds} s, have no checkpoint, which a broker makes every second`;
    this.#report('unsigned', end.place, undefined, text);
  }

  #report(kind: SignatureProblemKind, place: Place, sequence: number | undefined, text: string): void {
    this.#count += 1;
    if (this.#problems.length >= this.#limit) return;
    this.#problems.push({ kind, ...place, ...(sequence === undefined ? {} : { sequence }), text });
  }
}

function merged(ranges: readonly AuthenticRange[]): AuthenticRange[] {
  const result: AuthenticRange[] = [];
  for (const range of ranges.toSorted((left, right) => left.from - right.from || left.to - right.to)) {
    const last = result.at(-1);
    if (last === undefined || range.from > last.to + 1) result.push(range);
    else if (range.to > last.to) result[result.length - 1] = { from: last.from, to: range.to };
  }
  return result;
}
