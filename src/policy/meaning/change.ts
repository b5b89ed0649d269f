import { at } from './at.ts';
import { canMeet, type NameClass } from './callers.ts';
import type { Cell } from './tenant-table.ts';

/**
 * Who may do under one policy what he could not do under another. Names are numbers of classes; 0 is the tenant's own
 * group, which every caller of the tenant has.
 *
 * Complete, although callers go by any number of names. Let N be the names of a caller whom `after` allows and `before`
 * denies. `after` allows N: some name a of N has an allowing row, no name of N has a denying one. `before` denies N: either
 * some name d of N has a denying row, or no name of N has an allowing one. In the first case the names {0, a, d}, in the
 * second {0, a}, make a caller too: they are names of one token, because N was. `after` allows them, because they hold a
 * and no name that N does not hold; `before` denies them for the same reason as N. So looking at the tenant's group alone,
 * with one more name and with two finds a caller whenever there is one.
 */
export interface Gain {
  /** Whoever is of the tenant, unless another name of his is denied. */
  readonly everybody: boolean;
  /** Whoever has a name of this class; empty where everybody has gained. */
  readonly names: readonly number[];
  /** Whoever has both names, where neither alone is enough. */
  readonly pairs: readonly (readonly [number, number])[];
}

export const NO_GAIN: Gain = { everybody: false, names: [], pairs: [] };

/** More pairs than these are not listed: the first ones prove the point. */
const PAIRS_MAX = 8;

/** Do the roles of a class of names include one of the cell's? */
interface Marks {
  readonly allow: readonly boolean[];
  readonly deny: readonly boolean[];
}

/** Compares cells of one tenant. Equal questions are answered once. */
export class Changes {
  readonly #classes: readonly NameClass[];
  readonly #marks: readonly Map<Cell, Marks>[];
  readonly #allowed: readonly Map<Cell, readonly boolean[]>[];
  readonly #gains = new Map<Cell, Map<Cell, Gain>>();
  readonly #losses = new Map<Cell, Map<Cell, Gain>>();

  constructor(classes: readonly NameClass[], sides: number) {
    this.#classes = classes;
    this.#marks = Array.from({ length: sides }, () => new Map());
    this.#allowed = Array.from({ length: sides }, () => new Map());
  }

  /** Who gains from policy 0 to policy 1. */
  gain(before: Cell, after: Cell): Gain {
    return this.#remembered(this.#gains, before, after, () =>
      this.#work(this.#marksOf(0, before), this.#marksOf(1, after)),
    );
  }

  /** Who loses from policy 0 to policy 1. */
  loss(before: Cell, after: Cell): Gain {
    return this.#remembered(this.#losses, before, after, () =>
      this.#work(this.#marksOf(1, after), this.#marksOf(0, before)),
    );
  }

  /** For each class of names: is a caller with that and the tenant's group allowed? */
  allowed(side: number, cell: Cell): readonly boolean[] {
    const known = this.#allowed[side]?.get(cell);
    if (known !== undefined) return known;
    const marks = this.#marksOf(side, cell);
    const found = this.#classes.map((_, name) => allows(marks, [0, name]));
    this.#allowed[side]?.set(cell, found);
    return found;
  }

  #remembered(known: Map<Cell, Map<Cell, Gain>>, before: Cell, after: Cell, work: () => Gain): Gain {
    const row = known.get(before) ?? new Map<Cell, Gain>();
    known.set(before, row);
    const found = row.get(after) ?? work();
    row.set(after, found);
    return found;
  }

  #marksOf(side: number, cell: Cell): Marks {
    const known = this.#marks[side]?.get(cell);
    if (known !== undefined) return known;
    const has = (roles: readonly string[]): readonly boolean[] =>
      this.#classes.map((one) => roles.some((role) => one.roles[side]?.has(role) === true));
    const marks = { allow: has(cell.allow), deny: has(cell.deny) };
    this.#marks[side]?.set(cell, marks);
    return marks;
  }

  #work(before: Marks, after: Marks): Gain {
    const gains = (names: readonly number[]): boolean => allows(after, names) && !allows(before, names);
    if (gains([0])) return { everybody: true, names: [], pairs: [] };
    const others = [...this.#classes.keys()].slice(1).filter((name) => after.deny[name] !== true);
    const names = others.filter((name) => gains([0, name]));
    const denied = others.filter((name) => before.deny[name] === true);
    const pairs: [number, number][] = [];
    for (const a of denied.length === 0 ? [] : others.filter((name) => after.allow[name] === true)) {
      for (const d of denied) {
        if (pairs.length >= PAIRS_MAX) return { everybody: false, names, pairs };
        const isNew = gains([0, a, d]) && !names.includes(a) && !names.includes(d);
        if (isNew && this.#canMeet(a, d)) pairs.push([a, d]);
      }
    }
    return names.length + pairs.length === 0 ? NO_GAIN : { everybody: false, names, pairs };
  }

  #canMeet(a: number, b: number): boolean {
    return a !== b && canMeet(at(this.#classes, a), at(this.#classes, b));
  }
}

function allows({ allow, deny }: Marks, names: readonly number[]): boolean {
  return names.some((name) => allow[name] === true) && !names.some((name) => deny[name] === true);
}
