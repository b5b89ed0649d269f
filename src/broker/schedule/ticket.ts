import type { Cancellation } from './cancellation.ts';
import type { Flow } from './flow.ts';
import type { Footprint, Hold } from './footprint.ts';
import type { Turn, TurnRequest, Unserved } from './turn.ts';

/** One command on its way through the scheduler. */
export class Ticket {
  readonly flow: Flow;
  readonly deadlineMs: number;
  readonly askedMs: number;
  readonly cancellation: Cancellation | undefined;
  readonly footprint: (() => Footprint) | undefined;
  /**
   * - `waiting`: in its tenant's queue
   * - `drawn`: its turn has come just now
   * - `held`: its turn has come, but an earlier command is in flight that it must not overtake
   */
  state: 'new' | 'waiting' | 'drawn' | 'held' | 'running' | 'over' = 'new';
  startedMs = 0;
  /** Slice in which it started. */
  slice = 0;
  /** Neighbours in the queue. */
  before: Ticket | undefined;
  after: Ticket | undefined;
  /** Place in the heap of deadlines. */
  place = -1;
  blockers = 0;
  entered = 0;
  holds: ReadonlyMap<string, Hold> | undefined;
  isBarrier = false;
  resolve: ((answer: Turn | Unserved) => void) | undefined;

  constructor(request: TurnRequest, flow: Flow, nowMs: number) {
    this.flow = flow;
    this.deadlineMs = request.deadlineMs ?? Number.POSITIVE_INFINITY;
    this.askedMs = nowMs;
    this.cancellation = request.cancellation;
    this.footprint = request.footprint;
  }
}
