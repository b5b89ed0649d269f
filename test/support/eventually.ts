import { expect } from 'vitest';

/** So many turns of the event loop: what reached this process before them, it has heard of behind them. */
export async function turns(count = 20): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((done) => setImmediate(done));
}

/** `expect.poll` with the patience that a busy machine needs: it looks often, and gives up late. */
export function eventually<T>(look: () => T | Promise<T>) {
  return expect.poll(look, { timeout: 15_000, interval: 20 });
}
