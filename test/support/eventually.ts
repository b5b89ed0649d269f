import { expect } from 'vitest';

/** `expect.poll` with the patience that a busy machine needs: it looks often, and gives up late. */
export function eventually<T>(look: () => T | Promise<T>) {
  return expect.poll(look, { timeout: 15_000, interval: 20 });
}
