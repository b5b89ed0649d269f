import type { Cancellation } from './cancellation.ts';
import type { Lane } from './flow.ts';
import type { Footprint } from './footprint.ts';

export interface SchedulerOptions {
  /** Commands that may be in flight at once; asked each time, since a backend knows only once it is open. */
  readonly slots: () => number;
  /** Commands that may wait, and how many of them of one tenant. The broker's own are not counted. */
  readonly queueMax: number;
  readonly queuePerTenant: number;
  readonly weightOf: (tenant: string) => number;
  /** Milliseconds on a clock that never goes back. */
  readonly nowMs?: () => number;
  /** How long turns follow one another before the event loop gets its own; tests that count turns give infinity. */
  readonly sliceMs?: number;
  /**
   * What the turns are for: a device, where commands keep their order on each resource; or this process's own time, where
   * they need not, and where even those who find nobody waiting get no more of it than a slice at a time.
   */
  readonly of?: 'device' | 'time';
  /** Told of each command that had to wait, when its turn came. */
  readonly onWaited?: (lane: Lane, waitedMs: number) => void;
}

/** Somebody asks for the next turn. */
export interface TurnRequest {
  readonly tenant: string;
  readonly lane: Lane;
  /** When it has to have begun, on the scheduler's clock. */
  readonly deadlineMs?: number;
  readonly cancellation?: Cancellation;
  /** Asked for only where several commands may be in flight. Without it the command is a barrier. */
  readonly footprint?: () => Footprint;
}

/** The turn has come. */
export interface Turn {
  readonly kind: 'turn';
  /** How long it took to come. */
  readonly waitedMs: number;
  /** Call it when nothing of the turn is under way any more; further calls do nothing. */
  end(): void;
}

/** Why a turn did not come, or will not. */
export type NoTurn =
  /** too many wait */
  | 'queue-full'
  /** too many of this tenant wait */
  | 'tenant-queue-full'
  /** it would not begin before its deadline */
  | 'too-late'
  /** its deadline passed while it waited */
  | 'deadline'
  | 'cancelled'
  | 'closed';

/** Nothing was done for the request and nothing will be. */
export interface Unserved {
  readonly kind: 'unserved';
  readonly why: NoTurn;
  /** When asking again may be worth while, from the backlog; 0 where it never is. */
  readonly retryAfterMs: number;
}

const RETRY_UNKNOWN_MS = 100;
const RETRY_LEAST_MS = 10;
const RETRY_MOST_MS = 60_000;

export function unserved(why: NoTurn, retryAfterMs: number): Unserved {
  return { kind: 'unserved', why, retryAfterMs };
}

/** A whole number of milliseconds that a client can live with. */
export function retryAfter(ms: number | undefined): number {
  if (ms === undefined) return RETRY_UNKNOWN_MS;
  return Math.round(Math.min(RETRY_MOST_MS, Math.max(RETRY_LEAST_MS, ms)));
}
