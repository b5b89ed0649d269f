import { randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import type { CoreApi } from '../../broker/core-api.ts';

/** Names for requests under way, under which the core can be told that their sender went away. */
export class RequestHandles {
  readonly #core: Pick<CoreApi, 'cancel'>;
  /** Other edges of the same core must not be able to hit on one of ours. */
  readonly #prefix = randomUUID();
  #next = 0;

  constructor(core: Pick<CoreApi, 'cancel'>) {
    this.#core = core;
  }

  make(): string {
    return `${this.#prefix}:${this.#next++}`;
  }

  cancel(handle: string): void {
    this.#core.cancel(handle).catch(() => {
      // The request is answered all the same; there is nobody left to tell.
    });
  }

  /** A handle that is cancelled when the connection is closed before the answer was written. */
  untilClosed(response: ServerResponse): string {
    const handle = this.make();
    response.once('close', () => {
      if (!response.writableEnded) this.cancel(handle);
    });
    return handle;
  }
}
