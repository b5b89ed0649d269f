import { Heap, type Placed } from './heap.ts';

/** Something that has to begin before a time. */
export interface Limited extends Placed {
  /** Infinity where it need not. */
  readonly deadlineMs: number;
}

/** What `setTimeout` takes. */
const TIMER_MOST_MS = 2 ** 31 - 1;

/** Those who wait and have a deadline; one timer, for the earliest of them. */
export class Deadlines<T extends Limited> {
  readonly #waiting = new Heap<T>((a, b) => a.deadlineMs < b.deadlineMs);
  readonly #clock: () => number;
  readonly #onPassed: (one: T) => void;
  #timer: NodeJS.Timeout | undefined;
  #timerMs = Number.POSITIVE_INFINITY;

  /** @param onPassed is called for each whose deadline has passed, the earliest first */
  constructor(clock: () => number, onPassed: (one: T) => void) {
    this.#clock = clock;
    this.#onPassed = onPassed;
  }

  add(one: T, nowMs: number): void {
    if (one.deadlineMs === Number.POSITIVE_INFINITY) return;
    this.#waiting.push(one);
    if (one.deadlineMs < this.#timerMs) this.#arm(nowMs);
  }

  /** The timer stays as it is: it finds out that there is nothing to do. */
  remove(one: T): void {
    this.#waiting.remove(one);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timerMs = Number.NEGATIVE_INFINITY;
  }

  #arm(nowMs: number): void {
    clearTimeout(this.#timer);
    const { first } = this.#waiting;
    this.#timerMs = first?.deadlineMs ?? Number.POSITIVE_INFINITY;
    if (first === undefined) return;
    const pause = Math.min(TIMER_MOST_MS, Math.max(1, Math.ceil(first.deadlineMs - nowMs)));
    this.#timer = setTimeout(() => this.#look(), pause).unref();
  }

  #look(): void {
    const nowMs = this.#clock();
    for (let { first } = this.#waiting; first !== undefined && first.deadlineMs <= nowMs; { first } = this.#waiting) {
      this.#waiting.remove(first);
      this.#onPassed(first);
    }
    this.#arm(nowMs);
  }
}
