import type { AuthRefusal } from '../auth/index.ts';
import type { JournalObject } from '../journal/index.ts';
import { TokenBucket } from '../quota/token-bucket.ts';

/** Refused tokens that were counted, not recorded one by one. */
export interface RefusedTally {
  /** Milliseconds since 1970: of the first and the last of them. */
  readonly fromMs: number;
  readonly toMs: number;
  readonly count: number;
  /** Cause to how often. */
  readonly causes: JournalObject;
  /** Address to how often; of many those that came first, the rest under the empty name. */
  readonly sources: JournalObject;
}

/** Refused tokens that are recorded one by one: so many at once, and for good. */
const ALONE = { burst: 20, perSecond: 1 } as const;
const PERIOD_MS = 10_000;
const NAMED = 16;

/**
 * Whoever sends tokens that are refused can do so without end, and must not fill the disk with it: beyond a few they are
 * counted, and one record each ten seconds says how many. None is lost: a count that cannot be written stays.
 */
export class RefusedTokens {
  readonly #write: (tally: RefusedTally) => Promise<unknown>;
  readonly #nowMs: () => number;
  readonly #alone: TokenBucket;
  #count = 0;
  #fromMs = 0;
  #toMs = 0;
  #causes = new Map<string, number>();
  #sources = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;

  constructor(nowMs: () => number, write: (tally: RefusedTally) => Promise<unknown>) {
    this.#nowMs = nowMs;
    this.#write = write;
    this.#alone = new TokenBucket(ALONE.perSecond, ALONE.burst, nowMs());
  }

  /** @returns true when this one is to be recorded by itself, false when it was counted */
  note({ cause }: AuthRefusal, source: string): boolean {
    const nowMs = this.#nowMs();
    if (cause !== 'too-many' && this.#alone.waitMs(1, nowMs) === 0) {
      this.#alone.take(1, nowMs);
      return true;
    }
    this.#add({ fromMs: nowMs, toMs: nowMs, count: 1, causes: { [cause]: 1 }, sources: { [addressOf(source)]: 1 } });
    return false;
  }

  /** Writes down what was counted until now. Never rejects. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#count === 0) return;
    const tally = {
      fromMs: this.#fromMs,
      toMs: this.#toMs,
      count: this.#count,
      causes: Object.fromEntries(this.#causes),
      sources: Object.fromEntries(this.#sources),
    };
    this.#count = 0;
    this.#causes = new Map();
    this.#sources = new Map();
    // The journal cannot be written, which is known there; the count waits for it.
    await this.#write(tally).catch(() => this.#add(tally));
  }

  #add({ fromMs, toMs, count, causes, sources }: RefusedTally): void {
    this.#fromMs = this.#count === 0 ? fromMs : Math.min(this.#fromMs, fromMs);
    this.#toMs = this.#count === 0 ? toMs : Math.max(this.#toMs, toMs);
    this.#count += count;
    for (const [cause, times] of Object.entries(causes)) add(this.#causes, cause, Number(times));
    for (const [source, times] of Object.entries(sources)) {
      const isNamed = this.#sources.has(source) || this.#sources.size < NAMED;
      add(this.#sources, isNamed ? source : '', Number(times));
    }
    this.#timer ??= setTimeout(() => void this.flush(), PERIOD_MS).unref();
  }
}

function add(counts: Map<string, number>, name: string, times: number): void {
  counts.set(name, (counts.get(name) ?? 0) + times);
}

/** Without the port, which is another one each time. */
function addressOf(source: string): string {
  const colon = source.lastIndexOf(':');
  return colon < 0 ? source : source.slice(0, colon);
}
