import { Cancellation } from '../schedule/index.ts';

/** So many that have ended are forgotten together. */
const ENDED_MAX = 1024;

/**
 * Requests that can be cancelled, by the handles that their senders gave them.
 *
 * The handle of one that has ended stays for a while, with nothing behind it. A Map of which entries are deleted as fast as
 * they are added makes a new table for itself every few requests, and until the next full run of the collector all that its
 * old tables held is taken for alive: with each request 4 KB of garbage.
 */
export class UnderWay {
  #requests = new Map<string, Cancellation | undefined>();
  #ended = 0;

  /** Handles that are kept, of those that have ended as well. */
  get size(): number {
    return this.#requests.size;
  }

  /** Undefined where the handle is in use. */
  begin(handle: string): Cancellation | undefined {
    if (this.#requests.get(handle) !== undefined) return undefined;
    if (this.#requests.has(handle)) this.#ended -= 1;
    const cancellation = new Cancellation();
    this.#requests.set(handle, cancellation);
    return cancellation;
  }

  /** Of one that has begun. */
  end(handle: string): void {
    this.#requests.set(handle, undefined);
    this.#ended += 1;
    if (this.#ended < ENDED_MAX) return;
    this.#requests = new Map([...this.#requests].filter(([, cancellation]) => cancellation !== undefined));
    this.#ended = 0;
  }

  /** Takes back one that has not been sent to its device; does nothing for any other. */
  cancel(handle: string): void {
    this.#requests.get(handle)?.cancel();
  }
}
