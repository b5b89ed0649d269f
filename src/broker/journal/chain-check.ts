import { type ChainHead, emptyChain, type ParsedLine } from './line.ts';

/**
 * - `changed`: the content does not fit the hash, or the hash is not the one that the next record follows from
 * - `unreadable`: the line is no record
 * - `removed`: sequence numbers are missing
 * - `inserted`: a record that the others do not know of
 * - `reordered`: a record that belongs further up
 * - `duplicated`: a record that was there before
 */
export type ChainProblemKind = 'changed' | 'unreadable' | 'removed' | 'inserted' | 'reordered' | 'duplicated';

/** A line of a journal that may have several segments. */
export interface Place {
  /** Name of the segment. */
  readonly file: string;
  /** Line of the segment, from 1. */
  readonly line: number;
  /** Bytes from the beginning of the segment to that line. */
  readonly offset: number;
  /** Line of the whole journal, from 1. */
  readonly ordinal: number;
}

/** For `removed`, the place is the one before which records are missing. */
export interface ChainProblem extends Place {
  readonly kind: ChainProblemKind;
  /** Sequence of the record, or the first missing one. Absent where the line has none. */
  readonly sequence?: number;
  readonly text: string;
}

/** The end of what is one unbroken chain from the first record on. */
export interface TrustedPart extends Place {
  readonly sequence: number;
  readonly hash: string;
}

interface Seen {
  readonly place: Place;
  readonly head: ChainHead;
  /** Hash that it claims to follow. */
  readonly prev: string;
}

interface Rival {
  readonly seen: Seen;
  readonly origin: number;
  /** What was trusted before there were two of them. */
  readonly trusted: TrustedPart | undefined;
}

interface Gap {
  readonly place: Place;
  readonly from: number;
  readonly to: number;
}

/** Records remembered to recognise inserted and duplicated ones that are not far from their origin. */
const WINDOW = 4096;
/** Gaps remembered; a journal with more is beyond telling moved records from inserted ones. */
const MAX_GAPS = 10_000;

/**
 * Walks a chain and puts a name to every break. The names are the likeliest reading: without keys nobody can know what
 * an editor did, only that line so-and-so does not follow.
 */
export class ChainCheck {
  readonly #limit: number;
  readonly #problems: ChainProblem[] = [];
  #count = 0;
  /** What the next record should follow; its hash is undefined after a line that could not be read. */
  #head: { readonly sequence: number; readonly hash: string | undefined };
  #isBegun: boolean;
  readonly #window: Seen[] = [];
  #gaps: Gap[] = [];
  /** A second record of a number that was passed, and where in the window the one before it is. */
  #rival: Rival | undefined;
  #trusted: TrustedPart | undefined;
  #broken = false;

  /**
   * @param limit problems that are kept; all are counted
   * @param isWhole false when the beginning is elsewhere: then the first record may follow from anything
   */
  constructor(limit: number, isWhole: boolean) {
    this.#limit = limit;
    this.#isBegun = isWhole;
    this.#head = emptyChain;
  }

  /** Takes the next whole line. */
  take(place: Place, parsed: ParsedLine): void {
    if (this.#rival !== undefined) this.#judgeRival(this.#rival, parsed);
    if (!parsed.ok) {
      this.#report('unreadable', place, undefined, `this is no record: ${parsed.why}`);
      this.#head = { sequence: this.#head.sequence + 1, hash: undefined };
      return;
    }
    const { seq, prev, hash } = parsed.record;
    const seen: Seen = { place, head: { sequence: seq, hash }, prev };
    if (!parsed.intact) {
      this.#report('changed', place, seq, `record ${seq} was changed: its content does not fit its hash`);
      this.#begin(seen);
      // Its stored hash is what the next one was chained to, if only the content was touched.
      if (seq === this.#head.sequence + 1) this.#advance(seen);
      return;
    }
    this.#begin(seen);
    this.#place(seen);
  }

  #begin({ head, prev }: Seen): void {
    if (!this.#isBegun) this.#head = { sequence: head.sequence - 1, hash: prev };
    this.#isBegun = true;
  }

  /** Problems in file order, gaps that nothing filled included. */
  result(): {
    readonly problems: readonly ChainProblem[];
    readonly count: number;
    readonly trusted: TrustedPart | undefined;
  } {
    if (this.#rival !== undefined) this.#rejectRival(this.#rival.seen);
    for (const { place, from, to } of this.#gaps) {
      const which = from === to ? `record ${from} is` : `records ${from} to ${to} are`;
      this.#report('removed', place, from, `${which} missing before this line`);
    }
    this.#gaps = [];
    this.#problems.sort((left, right) => left.ordinal - right.ordinal);
    return { problems: this.#problems, count: this.#count, trusted: this.#trusted };
  }

  #place(seen: Seen): void {
    const { sequence } = seen.head;
    const expected = this.#head.sequence + 1;
    const follows = this.#head.hash === undefined || seen.prev === this.#head.hash;
    if (sequence === expected && follows) this.#advance(seen);
    else if (sequence > expected) this.#afterGap(seen, expected);
    else if (sequence === expected) this.#afterReplaced(seen);
    else this.#outOfOrder(seen);
  }

  #afterGap(seen: Seen, expected: number): void {
    this.#broken = true;
    if (this.#gaps.length < MAX_GAPS) {
      this.#gaps.push({ place: seen.place, from: expected, to: seen.head.sequence - 1 });
    } else this.#report('removed', seen.place, expected, `records from ${expected} on are missing before this line`);
    this.#advance(seen);
  }

  /** The number is right and the link is not: the record before is not the one that this was written after. */
  #afterReplaced(seen: Seen): void {
    const before = this.#window.at(-1);
    const sequence = seen.head.sequence;
    if (before === undefined) {
      this.#report('changed', seen.place, sequence, `record ${sequence} follows something other than the beginning`);
    } else {
      const text = `record ${before.head.sequence} was replaced: record ${sequence} was written after another one`;
      this.#report('changed', before.place, before.head.sequence, text);
    }
    this.#advance(seen);
  }

  /** A number that was passed already. */
  #outOfOrder(seen: Seen): void {
    const { sequence, hash } = seen.head;
    const twin = this.#window.find((other) => other.head.sequence === sequence);
    if (twin?.head.hash === hash) {
      const first = `${twin.place.file}:${twin.place.line}`;
      this.#report('duplicated', seen.place, sequence, `record ${sequence} is there a second time, first in ${first}`);
      return;
    }
    if (this.#fillsGap(sequence)) {
      this.#report('reordered', seen.place, sequence, `record ${sequence} belongs further up`);
      return;
    }
    const origin = this.#window.findLastIndex(
      (other) => other.head.sequence === sequence - 1 && other.head.hash === seen.prev,
    );
    if (origin >= 0 || (sequence === 1 && seen.prev === emptyChain.hash && this.#window[0] === twin)) {
      // Both follow a good record: the next one tells which of them it was written after.
      this.#rival = { seen, origin, trusted: this.#trusted };
      if (this.#trusted !== undefined) this.#trusted = this.#before((this.#window[origin + 1] ?? seen).place);
      this.#broken = true;
      return;
    }
    this.#report('inserted', seen.place, sequence, passed(seen));
  }

  /** Is the record after two rivals the successor of the second? Then the first, and what came after it, was put in. */
  #judgeRival({ seen, origin, trusted }: Rival, next: ParsedLine): void {
    const { sequence, hash } = seen.head;
    if (!next.ok || next.record.prev !== hash || next.record.seq !== sequence + 1) {
      this.#rejectRival(seen);
      // The first one goes on as if the second were not there.
      if (next.ok && next.record.prev === this.#head.hash) this.#trusted = trusted;
      return;
    }
    this.#rival = undefined;
    for (const extra of this.#window.splice(origin + 1)) {
      const text = `this was put in: record ${sequence} in ${seen.place.file}:${seen.place.line} was written without it`;
      this.#report('inserted', extra.place, extra.head.sequence, text);
    }
    this.#advance(seen);
  }

  #rejectRival(seen: Seen): void {
    this.#rival = undefined;
    this.#report('inserted', seen.place, seen.head.sequence, passed(seen));
  }

  #fillsGap(sequence: number): boolean {
    const index = this.#gaps.findIndex(({ from, to }) => from <= sequence && sequence <= to);
    const gap = this.#gaps[index];
    if (gap === undefined) return false;
    const rest = [
      { ...gap, to: sequence - 1 },
      { ...gap, from: sequence + 1 },
    ].filter((part) => part.from <= part.to);
    this.#gaps.splice(index, 1, ...rest);
    return true;
  }

  #advance(seen: Seen): void {
    this.#head = seen.head;
    this.#window.push(seen);
    if (this.#window.length > 2 * WINDOW) this.#window.splice(0, WINDOW);
    if (!this.#broken) this.#trusted = { ...seen.place, ...seen.head };
  }

  #report(kind: ChainProblemKind, place: Place, sequence: number | undefined, text: string): void {
    this.#broken = true;
    this.#count += 1;
    // What was believed up to now may include the line that turned out to be wrong.
    if (this.#trusted !== undefined && this.#trusted.ordinal >= place.ordinal) {
      this.#trusted = this.#before(place);
    }
    if (this.#problems.length >= this.#limit) return;
    this.#problems.push({ kind, ...place, ...(sequence === undefined ? {} : { sequence }), text });
  }

  #before({ ordinal }: Place): TrustedPart | undefined {
    const seen = this.#window.findLast(({ place }) => place.ordinal < ordinal);
    return seen === undefined ? undefined : { ...seen.place, ...seen.head };
  }
}

function passed({ head }: Seen): string {
  return `this carries sequence ${head.sequence}, which was passed already`;
}
