/** What sums of fractions may be off by. */
const ROUNDING = 1e-6;

/**
 * So much a second, with some saved up for a burst. What is taken may leave it below zero; then nothing is given until it
 * has filled up again. No timer: it is worked out when somebody asks.
 */
export class TokenBucket {
  readonly perSecond: number;
  readonly burst: number;
  #level: number;
  #atMs: number;

  /** @param burst what it holds when full, and what it begins with */
  constructor(perSecond: number, burst: number, nowMs: number) {
    this.perSecond = perSecond;
    this.burst = burst;
    this.#level = burst;
    this.#atMs = nowMs;
  }

  /** What is in it; negative where more was taken than there was. */
  level(nowMs: number): number {
    // A clock that stands still or goes back fills nothing.
    if (nowMs > this.#atMs) {
      this.#level = Math.min(this.burst, this.#level + ((nowMs - this.#atMs) * this.perSecond) / 1000);
      this.#atMs = nowMs;
    }
    return this.#level;
  }

  take(amount: number, nowMs: number): void {
    this.#level = this.level(nowMs) - amount;
  }

  /** Milliseconds until there is that much; 0 where there is. */
  waitMs(amount: number, nowMs: number): number {
    const missing = amount - this.level(nowMs);
    return missing <= ROUNDING ? 0 : Math.max(1, Math.ceil((missing * 1000) / this.perSecond - ROUNDING));
  }
}
