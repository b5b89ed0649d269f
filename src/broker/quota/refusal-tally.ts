/** Refusals of one tenant that were counted, not recorded one by one. */
export interface Tally {
  readonly tenant: string;
  /** Milliseconds since 1970: of the first and the last of them. */
  readonly fromMs: number;
  readonly toMs: number;
  readonly count: number;
  /** Limit to how often it was reached. */
  readonly limits: { readonly [limit: string]: number };
  /** Principal to how often he was refused; of many, those who came first, the rest under the empty name. */
  readonly principals: { readonly [principal: string]: number };
}

export interface TallyOptions {
  /** Milliseconds since 1970. */
  readonly nowMs: () => number;
  /** Writes one tally down; where that fails, it is added to the next. */
  readonly write: (tally: Tally) => Promise<unknown>;
}

interface Counting {
  second: number;
  /** Of this second, that were recorded one by one. */
  alone: number;
  fromMs: number;
  toMs: number;
  count: number;
  limits: Map<string, number>;
  principals: Map<string, number>;
}

/** Refusals of each tenant that are recorded one by one in each second. */
const ALONE = 20;
const NAMED = 16;
const PERIOD_MS = 1000;

/**
 * Refusals for want of room (quota, queue) cost the caller nothing, so he can make them without end. Beyond a few a
 * second they are counted: one record for each tenant and second says how many there were. None is lost: a count that
 * cannot be written stays until it can.
 */
export class RefusalTally {
  readonly #options: TallyOptions;
  /** As many as there are tenants. */
  readonly #tenants = new Map<string, Counting>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: TallyOptions) {
    this.#options = options;
  }

  /** @returns true when this one is to be recorded by itself, false when it was counted */
  note(tenant: string, principal: string, limit: string): boolean {
    const now = this.#options.nowMs();
    const counting = this.#countingOf(tenant, now);
    const second = Math.floor(now / PERIOD_MS);
    if (second !== counting.second) {
      counting.second = second;
      counting.alone = 0;
    }
    if (counting.alone < ALONE) {
      counting.alone++;
      return true;
    }
    if (counting.count === 0) counting.fromMs = now;
    counting.toMs = now;
    counting.count++;
    add(counting.limits, limit, 1);
    const isNamed = counting.principals.has(principal) || counting.principals.size < NAMED;
    add(counting.principals, isNamed ? principal : '', 1);
    this.#later();
    return false;
  }

  /** Writes down what was counted until now. Never rejects. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const [tenant, counting] of this.#tenants) {
      if (counting.count === 0) continue;
      const { fromMs, toMs, count, limits, principals } = counting;
      Object.assign(counting, { count: 0, limits: new Map(), principals: new Map() });
      const tally = {
        tenant,
        fromMs,
        toMs,
        count,
        limits: Object.fromEntries(limits),
        principals: Object.fromEntries(principals),
      };
      try {
        await this.#options.write(tally);
      } catch {
        // The journal cannot be written, which is known there; the count waits for it.
        counting.fromMs = fromMs;
        if (counting.count === 0) counting.toMs = toMs;
        counting.count += count;
        for (const [limit, times] of limits) add(counting.limits, limit, times);
        for (const [principal, times] of principals) add(counting.principals, principal, times);
        this.#later();
      }
    }
  }

  #later(): void {
    this.#timer ??= setTimeout(() => void this.flush(), PERIOD_MS).unref();
  }

  #countingOf(tenant: string, now: number): Counting {
    const known = this.#tenants.get(tenant);
    if (known !== undefined) return known;
    const made = { second: 0, alone: 0, fromMs: now, toMs: now, count: 0, limits: new Map(), principals: new Map() };
    this.#tenants.set(tenant, made);
    return made;
  }
}

function add(counts: Map<string, number>, name: string, times: number): void {
  counts.set(name, (counts.get(name) ?? 0) + times);
}
