import { setImmediate } from 'node:timers/promises';

/** Longest stretch of loading between two chances for requests, in milliseconds. */
const SLICE_MS = 4;
const STEPS_PER_LOOK = 32;

/** Cuts a long build into slices, so that the event loop keeps serving requests meanwhile. */
export class Slices {
  #started = performance.now();
  #steps = 0;

  /** Call once per row. */
  breathe(): Promise<void> | undefined {
    this.#steps += 1;
    if (this.#steps % STEPS_PER_LOOK !== 0 || performance.now() - this.#started < SLICE_MS) return undefined;
    return this.#pause();
  }

  async #pause(): Promise<void> {
    await setImmediate();
    this.#started = performance.now();
  }
}
