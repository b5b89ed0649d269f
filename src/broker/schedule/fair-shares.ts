import { Heap, type Placed } from './heap.ts';

/** Somebody who takes turns. */
export interface Share extends Placed {
  /** Turns that it gets for each turn of a share of weight 1 while both have work. */
  readonly weight: number;
  /** Virtual time at which its next turn begins. */
  tag: number;
  /** Decides between equal tags; less goes first. */
  rank: number;
}

/**
 * Start-time fair queueing: every turn moves its owner on by cost/weight in virtual time, and whoever is furthest behind
 * is next. Over any span in which two shares both have work, what they got, divided by their weights, differs by one
 * turn of each at most. Who had no work saves nothing up: he comes in at the present virtual time, before those who have
 * just been served.
 */
export class FairShares<S extends Share> {
  readonly #waiting = new Heap<S>((a, b) => a.tag < b.tag || (a.tag === b.tag && a.rank < b.rank));
  /** Virtual time: where the turn began that was taken last. */
  #now = 0;
  /** The furthest that any share has come. */
  #furthest = 0;

  /** Whose turn is next. */
  get next(): S | undefined {
    return this.#waiting.first;
  }

  /** It has work now. */
  enter(share: S): void {
    if (share.place >= 0) return;
    if (share.tag < this.#now) share.tag = this.#now;
    this.#waiting.push(share);
  }

  /** It has none any more. */
  leave(share: S): void {
    this.#waiting.remove(share);
  }

  /** It takes a turn, whether it waited or came when nobody did. */
  take(share: S): void {
    if (share.tag < this.#now) share.tag = this.#now;
    this.#now = share.tag;
    this.charge(share, 1);
  }

  /** What a turn cost beyond what `take` counted. */
  charge(share: S, turns: number): void {
    share.tag += turns / share.weight;
    if (share.tag > this.#furthest) this.#furthest = share.tag;
    this.#waiting.moved(share);
  }

  /** Nobody has work and nobody is served: what was taken until now does not count any more. */
  rest(): void {
    this.#now = this.#furthest;
  }
}
