import type { EventPage, FabricEvent } from '../core-api.ts';
import { type Cursor, formatCursor, parseCursor } from './cursor.ts';
import { type Show, shownEvent } from './shown.ts';

/** Readers of one tenant who may wait for his next event at one time. */
export const WAITING_MAX = 64;

/** Where a reader wants to begin: behind an id, at the end (`now`), or with the oldest that there is. */
export function startOf(after: string | undefined, show: Show): Cursor | 'oldest' | undefined {
  if (after === undefined) return 'oldest';
  if (after === 'now') return { epoch: show.epoch, seq: show.state.lastSeq };
  return parseCursor(after);
}

/**
 * The next events behind a cursor, oldest first. What cannot be given any more is told by an event `gap` in front.
 *
 * @param limit how many at most, the gap not counted
 */
export function pageOf(start: Cursor | 'oldest', limit: number, show: Show): EventPage {
  const { epoch, state } = show;
  const first = state.feed[0]?.seq ?? state.lastSeq + 1;
  const from = start === 'oldest' ? first - 1 : start.seq;
  // Of another numbering, or ahead of ours: what was missed cannot be counted.
  const isKnown = start === 'oldest' || (start.epoch === epoch && start.seq <= state.lastSeq);
  const missed = isKnown ? Math.max(0, first - 1 - from) : undefined;
  const behind = isKnown ? Math.max(from, first - 1) : first - 1;
  const gap: readonly FabricEvent[] =
    missed === 0
      ? []
      : [
          {
            kind: 'gap',
            id: formatCursor({ epoch, seq: behind }),
            ...(missed === undefined ? {} : { lost: missed }),
          },
        ];
  const entries = state.feed.slice(behind - (first - 1)).slice(0, limit);
  const next = entries.at(-1)?.seq ?? behind;
  return {
    events: [...gap, ...entries.map((entry) => shownEvent(entry, show))],
    next: formatCursor({ epoch, seq: next }),
    more: next < state.lastSeq,
  };
}

/** Readers who wait for something new. */
export class Waiters {
  readonly #waiting = new Map<string, Set<() => void>>();

  /** Is there room for one more of that tenant? */
  hasRoom(tenant: string): boolean {
    return (this.#waiting.get(tenant)?.size ?? 0) < WAITING_MAX;
  }

  /** Resolves when something came for the tenant, or after `ms`. */
  wait(tenant: string, ms: number): Promise<void> {
    const own = this.#waiting.get(tenant) ?? new Set();
    this.#waiting.set(tenant, own);
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        own.delete(done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      timer.unref();
      own.add(done);
    });
  }

  wake(tenant: string): void {
    for (const done of [...(this.#waiting.get(tenant) ?? [])]) done();
  }

  wakeAll(): void {
    for (const tenant of this.#waiting.keys()) this.wake(tenant);
  }
}
