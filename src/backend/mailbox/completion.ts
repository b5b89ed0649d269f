import type { MailboxClock } from './clock.ts';

/** Brings the device's interrupts to whoever waits for a doorbell to clear. */
export class Completion {
  #wake: (() => void) | undefined;
  #isSignalled = false;

  /** To be called at each interrupt; costs nothing when nobody waits. */
  readonly signal = (): void => {
    this.#isSignalled = true;
    this.#wake?.();
  };

  /** Forgets interrupts of the past, before a doorbell is rung. */
  reset(): void {
    this.#isSignalled = false;
  }

  /** Resolves at the next interrupt, at one since the last `reset` or `wait`, or after `limitMs`. */
  wait(clock: MailboxClock, limitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        cancel();
        this.#wake = undefined;
        this.#isSignalled = false;
        resolve();
      };
      const cancel = clock.after(this.#isSignalled ? 0 : limitMs, end);
      this.#wake = end;
    });
  }
}
