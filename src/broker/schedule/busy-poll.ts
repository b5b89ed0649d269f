import { performance } from 'node:perf_hooks';

/** The disk takes longer than a device. */
const DISK_TIMES = 2;
/** Misses in a row after which nothing is tried for a while, and for how many waits; the next one is a try. */
const MISSES_MAX = 4;
const PAUSE = 100;

/**
 * Keeps the event loop from sleeping for a moment: while a device is asked, and behind an answer, when the next request of
 * the same caller may come. A thread that sleeps is woken by the kernel, and where the processor has halted meanwhile (in
 * a virtual machine, by its host) that takes longer than most commands do. Whatever else there is to do goes first, so
 * it costs idle time only, and at most so much of it for each request.
 */
export class BusyPoll {
  readonly #ms: number;
  #untilMs = 0;
  #isPolling = false;
  /** Waits for the disk, one after the other, that took longer than was polled. */
  #misses = 0;
  /** Waits for the disk that are left alone. */
  #pause = 0;

  /** @param us microseconds; 0: never */
  constructor(us: number) {
    this.#ms = us / 1000;
  }

  /** From now on, for the time that it was made for. */
  keep(): void {
    if (this.#ms > 0) this.#keepUntil(performance.now() + this.#ms);
  }

  /**
   * While the disk works, for twice the time. The thread that writes may have no other processor than the one that polls, and
   * then waits for that to end: where the time was too short again and again, it is left alone.
   */
  async whileWriting<T>(work: Promise<T>): Promise<T> {
    if (this.#ms === 0 || this.#pause > 0) {
      this.#pause = Math.max(0, this.#pause - 1);
      return await work;
    }
    const untilMs = performance.now() + DISK_TIMES * this.#ms;
    this.#keepUntil(untilMs);
    try {
      return await work;
    } finally {
      this.#misses = performance.now() < untilMs ? 0 : this.#misses + 1;
      if (this.#misses >= MISSES_MAX) this.#pause = PAUSE;
    }
  }

  get isPolling(): boolean {
    return this.#isPolling;
  }

  #keepUntil(ms: number): void {
    this.#untilMs = Math.max(this.#untilMs, ms);
    if (this.#isPolling) return;
    this.#isPolling = true;
    setImmediate(this.#poll);
  }

  readonly #poll = (): void => {
    if (performance.now() < this.#untilMs) setImmediate(this.#poll);
    else this.#isPolling = false;
  };
}
