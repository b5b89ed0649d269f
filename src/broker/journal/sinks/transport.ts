import type { DurableRecord } from '../contract.ts';

/** The way to a place that gets a copy of the journal. */
export interface SinkTransport {
  /**
   * Delivers records, in order, and resolves when the other side has them, as far as this kind of way can tell; with
   * how many it will never take. Rejects when that failed: then all of them are sent again.
   * @param signal aborts when nobody waits any more
   */
  send(records: readonly DurableRecord[], signal: AbortSignal): Promise<number>;
  /** Lets go of connections; the next `send` makes new ones. */
  reset(): void;
}
