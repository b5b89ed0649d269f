import { performance } from 'node:perf_hooks';

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

  /** @param us microseconds; 0: never */
  constructor(us: number) {
    this.#ms = us / 1000;
  }

  /** From now on, for the time that it was made for. */
  keep(): void {
    if (this.#ms === 0) return;
    this.#untilMs = performance.now() + this.#ms;
    if (this.#isPolling) return;
    this.#isPolling = true;
    setImmediate(this.#poll);
  }

  get isPolling(): boolean {
    return this.#isPolling;
  }

  readonly #poll = (): void => {
    if (performance.now() < this.#untilMs) setImmediate(this.#poll);
    else this.#isPolling = false;
  };
}
