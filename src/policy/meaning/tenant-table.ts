import { entry, newList, newMap } from '../casbin/entry.ts';
import type { GrantRule } from '../casbin/rules.ts';
import { at } from './at.ts';
import type { Atom } from './atoms.ts';
import { Partition } from './partition.ts';
import type { ResourceClass } from './resources.ts';
import type { Selections } from './selections.ts';

/** Atoms of one tenant that no row of his tells apart. */
export interface CommandClass {
  /** Indices of atoms. */
  readonly atoms: readonly number[];
  readonly query: boolean;
  /** In which of the policies there is such a command. */
  readonly present: readonly boolean[];
}

/** Roles that rows allow, and roles that rows deny, one command on one resource. */
export interface Cell {
  readonly allow: readonly string[];
  readonly deny: readonly string[];
}

const NOTHING: Cell = { allow: [], deny: [] };

/** One RESOURCE column of one tenant under one policy: what its rows say of each command class. */
type Bucket = readonly Cell[];

/** Rows of one tenant by policy and RESOURCE column. */
export class TenantRows {
  readonly #bySide: readonly Map<string, GrantRule[]>[];

  /** @param grants rows of the tenant under each policy */
  constructor(grants: readonly (readonly GrantRule[])[]) {
    this.#bySide = grants.map((rows) => {
      const byPattern = new Map<string, GrantRule[]>();
      for (const rule of rows) entry(byPattern, rule.row[2], newList<GrantRule>).push(rule);
      return byPattern;
    });
  }

  has(side: number, pattern: string): boolean {
    return at(this.#bySide, side).has(pattern);
  }

  /** Rows of one RESOURCE column. */
  under(side: number, pattern: string): readonly GrantRule[] {
    return at(this.#bySide, side).get(pattern) ?? [];
  }

  /** Numbers of the policies. */
  get sides(): readonly number[] {
    return [...this.#bySide.keys()];
  }

  /** Do all policies have the same rows? */
  areSame(): boolean {
    const [first, ...others] = this.#bySide.map((byPattern) =>
      [...byPattern.values()]
        .flatMap((rules) => rules.map(({ row }) => row.join('\n')))
        .toSorted()
        .join('\n\n'),
    );
    return others.every((other) => other === first);
  }

  /** Rows with the policy that they are of. */
  *all(): Generator<readonly [side: number, rule: GrantRule]> {
    for (const [side, byPattern] of this.#bySide.entries()) {
      for (const rules of byPattern.values()) for (const rule of rules) yield [side, rule];
    }
  }
}

/** Splits all atoms into classes that the rows treat alike. */
export function commandClasses(rows: TenantRows, selections: Selections): readonly CommandClass[] {
  const { atoms } = selections;
  const partition = new Partition(atoms.length);
  const those = (test: (atom: Atom) => boolean): readonly number[] =>
    atoms.flatMap((atom, i) => (test(atom) ? [i] : []));
  partition.split(those(({ query }) => query));
  for (const side of rows.sides) partition.split(those(({ refs }) => refs[side] !== undefined));
  const seen = new Set<string>();
  for (const [side, { row, selector }] of rows.all()) {
    const key = `${side} ${row[4]} ${row[3]}`;
    if (seen.has(key)) continue;
    seen.add(key);
    partition.split(selections.of(side, row[3], selector, row[4]));
  }
  return partition.blocks().map((members) => {
    const { query, refs } = at(atoms, at(members, 0));
    return { atoms: members, query, present: refs.map((ref) => ref !== undefined) };
  });
}

/** Answers for one tenant which roles have allowing and denying rows, by resource class and command class. */
export class TenantTable {
  readonly rows: TenantRows;
  readonly commands: readonly CommandClass[];
  readonly #selections: Selections;
  readonly #blockOf: Int32Array;
  readonly #buckets = new Map<string, Bucket>();
  /** Equal cells are one object, so that what was worked out for one is known for all. */
  readonly #cells = new Map<string, Cell>();
  readonly #unions = new Map<Cell, Map<Cell, Cell>>();

  constructor(rows: TenantRows, selections: Selections) {
    this.rows = rows;
    this.#selections = selections;
    this.commands = commandClasses(rows, selections);
    this.#blockOf = new Int32Array(selections.atoms.length);
    for (const [block, { atoms }] of this.commands.entries()) for (const i of atoms) this.#blockOf[i] = block;
  }

  /** Numbers of the command classes that atoms are in. */
  blocksOf(atoms: readonly number[]): ReadonlySet<number> {
    return new Set(atoms.map((atom) => Number(this.#blockOf[atom])));
  }

  /** The cell of every command class on a resource class, under one policy; ownership counts. */
  cells(resource: ResourceClass, side: number): readonly Cell[] {
    const gate = resource.gates[side];
    const buckets = at(resource.patterns, side).map((pattern) => this.#bucket(side, pattern));
    return this.commands.map(({ query, present }, block) => {
      const isOpen = present[side] === true && (gate === 'all' || (gate === 'query' && query));
      return isOpen ? this.#join(buckets, block) : NOTHING;
    });
  }

  #join(buckets: readonly Bucket[], block: number): Cell {
    let only: Cell = NOTHING;
    for (const bucket of buckets) {
      const cell = bucket[block];
      if (cell === undefined || cell === NOTHING) continue;
      only = only === NOTHING ? cell : this.#union(only, cell);
    }
    return only;
  }

  #union(a: Cell, b: Cell): Cell {
    const known = entry(this.#unions, a, newMap<Cell, Cell>);
    return entry(known, b, () => this.#interned([...a.allow, ...b.allow], [...a.deny, ...b.deny]));
  }

  #bucket(side: number, pattern: string): Bucket {
    return entry(this.#buckets, `${side} ${pattern}`, () => {
      const found = this.commands.map(() => ({ allow: new Set<string>(), deny: new Set<string>() }));
      for (const { row, selector } of this.rows.under(side, pattern)) {
        const [role, , , text, effect] = row;
        let last = -1;
        for (const i of this.#selections.of(side, text, selector, effect)) {
          const block = Number(this.#blockOf[i]);
          if (block !== last) found[block]?.[effect].add(role);
          last = block;
        }
      }
      return found.map(({ allow, deny }) => this.#interned([...allow], [...deny]));
    });
  }

  #interned(allow: readonly string[], deny: readonly string[]): Cell {
    if (allow.length === 0 && deny.length === 0) return NOTHING;
    const sorted = { allow: [...new Set(allow)].toSorted(), deny: [...new Set(deny)].toSorted() };
    return entry(this.#cells, `${sorted.allow.join(' ')}|${sorted.deny.join(' ')}`, () => sorted);
  }
}

/** Rows of every tenant, by tenant and policy. */
export function rowsByTenant(sides: readonly (readonly GrantRule[])[]): ReadonlyMap<string, TenantRows> {
  const tenants = new Map<string, GrantRule[][]>();
  for (const [side, grants] of sides.entries()) {
    for (const rule of grants) {
      entry(tenants, rule.row[1], () => sides.map((): GrantRule[] => []))[side]?.push(rule);
    }
  }
  return new Map([...tenants].map(([tenant, rows]) => [tenant, new TenantRows(rows)]));
}
