import { TokenBucket } from '../quota/token-bucket.ts';
import { sourceGroup } from './source-address.ts';

export interface FailedAttemptOptions {
  /** Failures of one source that are answered as such, for good and at once after a quiet time. */
  readonly perSecond: number;
  readonly burst: number;
  /** Sources that are told apart; all others share one count. */
  readonly sources: number;
}

interface Source {
  readonly bucket: TokenBucket;
  /** Tokens of a source over its limit that wait to be looked at. */
  waiting: number;
  tail: Promise<unknown>;
}

/**
 * Tokens of a source over its limit that may wait for their turn; the rest is not looked at. As many as the edge lets
 * connections in: with fewer places, whoever keeps them taken shuts out the unseen tokens of all others behind his address.
 * Each waits for less than a tenth of a second then, and the work is the same: one token at a time.
 */
const WAITING_MAX = 1024;
/** How many of the oldest sources are looked at for one that can be forgotten. */
const LOOKS = 16;

/**
 * Counts failed authentication by source. A source over its limit is not locked out: behind one address there may be many,
 * and whoever could make others' tokens fail would have been given a weapon. What is known to be good goes on as ever,
 * and new tokens are looked at one after another: such a source has the broker verify one token at a time.
 */
export class FailedAttempts {
  readonly #options: FailedAttemptOptions;
  /** Oldest first. */
  readonly #sources = new Map<string, Source>();
  readonly #others: Source;

  constructor(options: FailedAttemptOptions, nowMs: number) {
    this.#options = options;
    this.#others = this.#made(nowMs);
  }

  /** Sources that are told apart now. */
  get size(): number {
    return this.#sources.size;
  }

  /** Counts a failure. 0, or how long the source should wait before its next one. */
  failed(address: string, nowMs: number): number {
    const { bucket } = this.#sourceOf(address, nowMs);
    const waitMs = bucket.waitMs(1, nowMs);
    // Nobody is made to wait longer than it takes to fill up from empty.
    if (waitMs === 0) bucket.take(1, nowMs);
    return waitMs;
  }

  /** How long a source over its limit should wait; 0 for any other. */
  waitMs(address: string, nowMs: number): number {
    return this.#known(address)?.bucket.waitMs(1, nowMs) ?? 0;
  }

  /** Does the work at once, or after that of the same source where it is over its limit. Undefined: no room to wait. */
  inTurn<T>(address: string, nowMs: number, work: () => Promise<T>): Promise<T> | undefined {
    const source = this.#known(address);
    if (source === undefined || source.bucket.waitMs(1, nowMs) === 0) return work();
    if (source.waiting >= WAITING_MAX) return undefined;
    source.waiting++;
    const turn = source.tail.then(work).finally(() => {
      source.waiting--;
    });
    source.tail = turn.catch(() => {});
    return turn;
  }

  #known(address: string): Source | undefined {
    const known = this.#sources.get(sourceGroup(address));
    if (known !== undefined) return known;
    return this.#sources.size < this.#options.sources ? undefined : this.#others;
  }

  #sourceOf(address: string, nowMs: number): Source {
    const group = sourceGroup(address);
    const known = this.#sources.get(group);
    if (known !== undefined) {
      // To the end: what is in use stays.
      this.#sources.delete(group);
      this.#sources.set(group, known);
      return known;
    }
    if (this.#sources.size >= this.#options.sources && !this.#forgetOne(nowMs)) return this.#others;
    const made = this.#made(nowMs);
    this.#sources.set(group, made);
    return made;
  }

  /** INVARIANT: only a source that would begin anew just as it is can be forgotten; many sources buy nobody a fresh start. */
  #forgetOne(nowMs: number): boolean {
    let looks = 0;
    for (const [group, { bucket, waiting }] of this.#sources) {
      if (waiting === 0 && bucket.level(nowMs) >= bucket.burst) return this.#sources.delete(group);
      if (++looks >= LOOKS) return false;
    }
    return false;
  }

  #made(nowMs: number): Source {
    const { perSecond, burst } = this.#options;
    return { bucket: new TokenBucket(perSecond, burst, nowMs), waiting: 0, tail: Promise.resolve() };
  }
}
