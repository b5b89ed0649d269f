import { FairShares, type Share } from './fair-shares.ts';
import type { Ticket } from './ticket.ts';

/** Whose work it is. Each lane has its share of the turns, whatever waits in the others. */
export type Lane = 'broker' | 'operators' | 'tenants';

/**
 * While all three have work, of four turns two are the broker's own, one is an operator's and one a tenant's. Between
 * turns that are equally due the order is that of this table. So the first two hardly wait, however many tenants there
 * are, and cannot keep the tenants out.
 */
export const laneWeights: { readonly [L in Lane]: number } = { broker: 2, operators: 1, tenants: 1 };

/** The queues of one lane. */
export class LaneQueue implements Share {
  readonly name: Lane;
  readonly weight: number;
  tag = 0;
  rank: number;
  place = -1;
  readonly flows = new FairShares<Flow>();
  /** Commands that wait, held ones included. */
  length = 0;
  /** Sum of the weights of those who wait. */
  activeWeight = 0;

  constructor(name: Lane, rank: number) {
    this.name = name;
    this.weight = laneWeights[name];
    this.rank = rank;
  }
}

/** What one tenant has waiting, in the order in which it came. */
export class Flow implements Share {
  readonly weight: number;
  readonly lane: LaneQueue;
  tag = 0;
  rank = 0;
  place = -1;
  /** Commands that wait, held ones included. */
  length = 0;
  /** The last slice in which it had a turn. */
  slice = -1;
  /** Commands whose turn has come and that an earlier one is in the way of. */
  held = 0;
  #first: Ticket | undefined;
  #last: Ticket | undefined;

  constructor(weight: number, lane: LaneQueue) {
    this.weight = weight;
    this.lane = lane;
  }

  get first(): Ticket | undefined {
    return this.#first;
  }

  push(ticket: Ticket): void {
    ticket.before = this.#last;
    if (this.#last === undefined) this.#first = ticket;
    else this.#last.after = ticket;
    this.#last = ticket;
  }

  /** Takes a ticket out, wherever it stands. */
  remove(ticket: Ticket): void {
    const { before, after } = ticket;
    if (before === undefined) this.#first = after;
    else before.after = after;
    if (after === undefined) this.#last = before;
    else after.before = before;
    ticket.before = undefined;
    ticket.after = undefined;
  }
}
