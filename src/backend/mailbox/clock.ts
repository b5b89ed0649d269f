/** Time for the driver, so that tests can own it. Milliseconds on the clock of `performance.now()`. */
export interface MailboxClock {
  now(): number;
  /** Calls back once after `delayMs`. The returned function cancels; cancelling twice does nothing. */
  after(delayMs: number, callback: () => void): () => void;
}

/** The clock of this process. */
export const systemClock: MailboxClock = {
  now: () => performance.now(),
  after(delayMs, callback) {
    if (delayMs <= 0) {
      const immediate = setImmediate(callback);
      return () => clearImmediate(immediate);
    }
    let immediate: NodeJS.Immediate | undefined;
    const fire = () => {
      // One look at the sockets first: after a hold-up the answer may be waiting there, and timers run before it.
      immediate = setImmediate(callback);
    };
    // setTimeout takes 31 bits and fires at once when given more.
    const timer = setTimeout(fire, Math.min(delayMs, 0x7fff_ffff));
    return () => {
      clearTimeout(timer);
      clearImmediate(immediate);
    };
  },
};

/** Resolves after `delayMs`; 0 lets the event loop turn once. */
export function sleep(clock: MailboxClock, delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    clock.after(delayMs, resolve);
  });
}

/**
 * The result of `work`, or the error made by `late` when the clock reaches `limitAtMs` first. `work` is then left
 * alone, and whatever it becomes later is ignored.
 */
export function within<T>(clock: MailboxClock, limitAtMs: number, work: Promise<T>, late: () => Error): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(Math.max(1, limitAtMs - clock.now()), () => reject(late()));
    work.then(
      (value) => {
        cancel();
        resolve(value);
      },
      (error: unknown) => {
        cancel();
        reject(error);
      },
    );
  });
}
