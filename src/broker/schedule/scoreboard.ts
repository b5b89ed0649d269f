import { type Footprint, type Hold, holdsOf, inOrder } from './footprint.ts';

/** A command on the scoreboard. */
export interface Claimant {
  /** How many earlier ones it has to let finish. Only the scoreboard writes it. */
  blockers: number;
  /** Place in the order of turns. Only the scoreboard writes it. */
  entered: number;
  /** What it holds. Only the scoreboard writes it. */
  holds: ReadonlyMap<string, Hold> | undefined;
}

const nothing: ReadonlyMap<string, Hold> = new Map();

/** Nodes that nobody holds any more are forgotten where there are more than this. */
const NODES_MAX = 1024;

/**
 * Commands that were given their turn, in that order, where several may be in flight: who has to wait for whom so that
 * none overtakes another on the same resource. Never holds more than a few dozen.
 */
export class Scoreboard<C extends Claimant> {
  /** Who holds each node, in the order of turns. */
  readonly #nodes = new Map<string, C[]>();
  /** The only one on the board, as long as what it holds has mattered to nobody. */
  #alone: { readonly claimant: C; readonly footprint: Footprint } | undefined;
  #count = 0;
  #entered = 0;

  /** @returns true when nothing is in its way */
  enter(claimant: C, footprint: Footprint): boolean {
    claimant.blockers = 0;
    claimant.entered = ++this.#entered;
    this.#count += 1;
    if (this.#count === 1) {
      claimant.holds = nothing;
      this.#alone = { claimant, footprint };
      return true;
    }
    const alone = this.#alone;
    this.#alone = undefined;
    if (alone !== undefined) this.#hold(alone.claimant, alone.footprint);
    this.#hold(claimant, footprint);
    return claimant.blockers === 0;
  }

  #hold(claimant: C, footprint: Footprint): void {
    const holds = holdsOf(footprint);
    claimant.holds = holds;
    for (const [node, hold] of holds) {
      const holders = this.#nodes.get(node);
      if (holders === undefined) {
        this.#nodes.set(node, [claimant]);
        continue;
      }
      for (const earlier of holders) if (conflict(earlier, node, hold)) claimant.blockers++;
      holders.push(claimant);
    }
  }

  /** It is done, or does not want any more. @returns those whose way is free now, in the order of turns */
  leave(claimant: C): readonly C[] {
    const { holds } = claimant;
    // Whoever is not on the board takes nobody's place.
    if (holds === undefined) return [];
    this.#count -= 1;
    this.#alone = undefined;
    const freed: C[] = [];
    for (const [node, hold] of holds) {
      const holders = this.#nodes.get(node) ?? [];
      const at = holders.indexOf(claimant);
      if (at < 0) continue;
      holders.splice(at, 1);
      // Else the next command would enter it again; and see `UnderWay` for what deleting costs.
      if (holders.length === 0 && this.#nodes.size > NODES_MAX) this.#nodes.delete(node);
      for (let i = at; i < holders.length; i++) {
        const later = holders[i];
        if (later === undefined || !conflict(later, node, hold)) continue;
        later.blockers--;
        if (later.blockers === 0) freed.push(later);
      }
    }
    claimant.holds = undefined;
    // They were found node by node.
    return freed.length > 1 ? freed.sort((one, other) => one.entered - other.entered) : freed;
  }
}

function conflict(other: Claimant, node: string, hold: Hold): boolean {
  const held = other.holds?.get(node);
  return held !== undefined && inOrder(held, hold);
}
