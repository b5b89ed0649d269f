import type { MailboxClock } from '../../../src/backend/mailbox/clock.ts';

interface Timer {
  readonly dueMs: number;
  readonly callback: () => void;
}

/**
 * A clock that jumps to the next timer as soon as nothing else can happen: hours pass in no time, and whatever waits for
 * something that never comes is found out at once.
 */
export class FakeClock implements MailboxClock {
  #nowMs = 1000;
  #timers: Timer[] = [];
  #pumping = false;

  now(): number {
    return this.#nowMs;
  }

  /** Time passes without any timer being looked at, as when the process is held up. */
  skip(ms: number): void {
    this.#nowMs += ms;
  }

  after(delayMs: number, callback: () => void): () => void {
    const timer: Timer = { dueMs: this.#nowMs + delayMs, callback };
    this.#timers.push(timer);
    this.#pump();
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  /** Fires one timer per turn of the event loop, so that everything it sets off is done before the next. */
  #pump(): void {
    if (this.#pumping || this.#timers.length === 0) return;
    this.#pumping = true;
    setImmediate(() => {
      this.#pumping = false;
      const next = this.#timers.reduce<Timer | undefined>(
        (first, timer) => (first === undefined || timer.dueMs < first.dueMs ? timer : first),
        undefined,
      );
      if (next === undefined) return;
      this.#timers = this.#timers.filter((timer) => timer !== next);
      this.#nowMs = Math.max(this.#nowMs, next.dueMs);
      next.callback();
      this.#pump();
    });
  }
}
