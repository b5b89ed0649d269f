/** Turns until the mean means something. */
const TRUSTED = 8;
/** The mean follows the last few dozen turns. */
const MEMORY = 16;
/** One turn that was cut off by a time limit must not make all estimates absurd. */
const OUTLIER = 8;

/** How long turns have taken of late. */
export class Pace {
  #meanMs = 0;
  #turns = 0;

  /** Undefined until enough turns were seen. */
  get meanMs(): number | undefined {
    return this.#turns < TRUSTED ? undefined : this.#meanMs;
  }

  add(ms: number): void {
    if (this.#turns < MEMORY) this.#turns++;
    const sample = this.#turns < TRUSTED ? ms : Math.min(ms, OUTLIER * this.#meanMs + 1);
    this.#meanMs += (sample - this.#meanMs) / this.#turns;
  }
}
