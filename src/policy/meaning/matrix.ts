import type { Profile } from '../../taint/index.ts';
import { reachOrder } from '../casbin/mandatory-columns.ts';
import { coversPath } from '../casbin/resource.ts';
import { sourceOf } from '../casbin/rules.ts';
import type { MandatorySelector } from '../casbin/selector.ts';
import type { CommandRef, Condition } from '../engine.ts';
import type { Reach } from '../types.ts';
import { at } from './at.ts';
import { Callers, type NameClass } from './callers.ts';
import { Changes } from './change.ts';
import { CommandWords } from './command-words.ts';
import { leastConditions } from './mandatory-facts.ts';
import { ResourceWords } from './resource-words.ts';
import { type ResourceClass, Universe } from './resources.ts';
import type { Selections } from './selections.ts';
import { type Side, selectionsOf } from './sides.ts';
import { type Cell, rowsByTenant, type TenantRows, TenantTable } from './tenant-table.ts';

/** What callers with one set of names may run, and where. */
export interface MatrixRow {
  readonly tenant: string;
  /** `group:tenant/T` for everybody of the tenant; otherwise a name, and all others with just the same roles. */
  readonly who: string;
  readonly also: readonly string[];
  readonly roles: readonly string[];
  /** `may`: beside what everybody of the tenant may. `may-not`: everybody else of the tenant may. */
  readonly kind: 'may' | 'may-not';
  readonly commands: readonly string[];
  readonly resources: readonly string[];
  /** Rows that allow it, or deny it. */
  readonly sources: readonly string[];
}

export interface Matrix {
  readonly snapshot: string;
  readonly profile: Profile;
  readonly rows: readonly MatrixRow[];
  /** Tenants of the fabric in whose files nothing is granted to anybody who could exist. */
  readonly without: readonly string[];
}

export interface MatrixFilter {
  readonly tenant?: string;
  /** Only these commands, as a row with `deny` would reach them. */
  readonly command?: { readonly text: string; readonly selector: MandatorySelector };
  /** A path, or a path that ends in a star. */
  readonly resource?: string;
}

/**
 * Who can do what: ownership and grants together, less what the profile's mandatory rows deny at any time.
 */
export async function matrixOf(side: Side, profile: Profile, filter: MatrixFilter = {}): Promise<Matrix> {
  const selections = selectionsOf([side], true);
  const { fabric } = side.engine;
  const universe = new Universe(
    [fabric],
    side.rules.grants.map(({ row }) => row[2]),
  );
  const context: Context = {
    side,
    selections,
    universe,
    callers: await Callers.of([side.rules.links]),
    commands: new CommandWords(selections),
    resources: new ResourceWords(universe.of('fabric')),
    shown: shownAtoms(side, profile, selections, filter),
    filter,
  };
  const byTenant = rowsByTenant([side.rules.grants]);
  const tenants = fabric.tenants.filter((tenant) => filter.tenant === undefined || filter.tenant === tenant);
  const rows = tenants.flatMap((tenant) => {
    const own = byTenant.get(tenant);
    return own === undefined ? [] : tenantMatrix(context, tenant, own);
  });
  const without = tenants.filter((tenant) => !rows.some((row) => row.tenant === tenant));
  return { snapshot: side.engine.id, profile, rows, without };
}

interface Context {
  readonly side: Side;
  readonly selections: Selections;
  readonly universe: Universe;
  readonly callers: Callers;
  readonly commands: CommandWords;
  readonly resources: ResourceWords;
  readonly shown: ReadonlySet<number>;
  readonly filter: MatrixFilter;
}

/** Atoms that the filter asks for and that some mandatory state of the profile lets through. */
function shownAtoms(
  { engine }: Side,
  profile: Profile,
  selections: Selections,
  { command }: MatrixFilter,
): ReadonlySet<number> {
  const asked =
    command === undefined ? [...selections.atoms.keys()] : selections.of(0, command.text, command.selector, 'deny');
  const isLet = (command: CommandRef, reach: Reach, conditions: ReadonlySet<Condition>): boolean => {
    const facts = { level: 'none', underLockdown: 'allow', taint: [], profile, tenant: 'fabric', reach } as const;
    return engine.mandatory({ ...facts, command, conditions }).length === 0;
  };
  const isEverAllowed = (index: number): boolean => {
    const atom = at(selections.atoms, index);
    return (reachOrder as readonly Reach[]).some((reach) => {
      const conditions = leastConditions([], { atom, reach, isTenant: false });
      return atom.refs.some((ref) => ref !== undefined && conditions !== undefined && isLet(ref, reach, conditions));
    });
  };
  return new Set(asked.filter(isEverAllowed));
}

/** Cells of one class of names, by resource. */
type Held = ReadonlyMap<ResourceClass, readonly number[]>;

function tenantMatrix(context: Context, tenant: string, rows: TenantRows): readonly MatrixRow[] {
  const { resource: wanted } = context.filter;
  const table = new TenantTable(rows, context.selections);
  const classes = context.callers.classes(tenant);
  const changes = new Changes(classes, 1);
  const shown = table.commands.flatMap(({ atoms }, block) => (atoms.some((i) => context.shown.has(i)) ? [block] : []));
  const cells = new Map<ResourceClass, readonly Cell[]>();
  for (const each of context.universe.classes(tenant, (side, pattern) => rows.has(side, pattern))) {
    const members = wanted === undefined ? each.members : each.members.filter(({ path }) => coversPath(wanted, path));
    const resource = { ...each, members };
    if (members.length > 0) cells.set(resource, table.cells(resource, 0));
  }
  const allowed = new Map(
    [...cells].map(([resource, of]) => [resource, of.map((cell) => changes.allowed(0, cell))] as const),
  );
  const heldBy = (name: number): Held => {
    const held = new Map<ResourceClass, readonly number[]>();
    for (const [resource, of] of allowed) {
      const blocks = shown.filter((block) => of[block]?.[name] === true);
      if (blocks.length > 0) held.set(resource, blocks);
    }
    return held;
  };
  const { fabric } = context.side.engine;
  const owned = context.universe.of(tenant).filter(({ path }) => fabric.ownerOf(path) === tenant);
  const laid = { table, own: new Set(owned.map(({ shown }) => shown)) };
  const everybody = heldBy(0);
  const nothing: Held = new Map();
  const sink: MatrixRow[] = [];
  for (const [name, each] of classes.entries()) {
    const held = name === 0 ? everybody : heldBy(name);
    const base = name === 0 ? nothing : everybody;
    sink.push(...rowsOf(context, tenant, laid, each, 'may', without(held, base), base));
    if (name > 0) sink.push(...rowsOf(context, tenant, laid, each, 'may-not', without(base, held), nothing));
  }
  return sink;
}

function without(held: Held, base: Held): Held {
  const left = new Map<ResourceClass, readonly number[]>();
  for (const [resource, blocks] of held) {
    const taken = new Set(base.get(resource));
    const more = taken.size === 0 ? blocks : blocks.filter((block) => !taken.has(block));
    if (more.length > 0) left.set(resource, more);
  }
  return left;
}

function rowsOf(
  context: Context,
  tenant: string,
  { table, own }: { readonly table: TenantTable; readonly own: ReadonlySet<string> },
  { names: [who = '', ...also], roles: [roles = new Set<string>()] }: NameClass,
  kind: MatrixRow['kind'],
  held: Held,
  base: Held,
): readonly MatrixRow[] {
  const byCommands = new Map<string, { readonly blocks: readonly number[]; readonly resources: ResourceClass[] }>();
  for (const [resource, blocks] of held) {
    const known = byCommands.get(blocks.join(' ')) ?? { blocks, resources: [] };
    byCommands.set(blocks.join(' '), known);
    known.resources.push(resource);
  }
  return [...byCommands.values()].map(({ blocks, resources }): MatrixRow => {
    const atoms = blocks
      .flatMap((block) => at(table.commands, block).atoms)
      .filter((atom) => context.shown.has(atom))
      .toSorted((a, b) => a - b);
    const members = resources.flatMap((resource) => resource.members);
    return {
      tenant,
      who,
      also,
      roles: [...roles],
      kind,
      commands: context.commands.of(atoms, freeOf(context, table, resources, base)),
      resources: context.resources.of(members, own),
      sources: sourcesOf(context, table, resources, new Set(atoms), kind === 'may' ? 'allow' : 'deny', roles),
    };
  });
}

/** Atoms that everybody may run on all of these, and those that nobody can run there. */
function freeOf(
  { selections }: Context,
  table: TenantTable,
  resources: readonly ResourceClass[],
  base: Held,
): readonly number[] {
  const counts = new Map<number, number>();
  for (const resource of resources) {
    for (const block of base.get(resource) ?? []) counts.set(block, (counts.get(block) ?? 0) + 1);
  }
  const common = [...counts].flatMap(([block, count]) => (count === resources.length ? [block] : []));
  const isQueried = resources.every(({ gates }) => gates[0] === 'query');
  return [...common.flatMap((block) => at(table.commands, block).atoms), ...(isQueried ? selections.elsewhere() : [])];
}

/** Rows of the roles that say so, in the order of the files. */
function sourcesOf(
  { selections }: Context,
  { rows }: TenantTable,
  resources: readonly ResourceClass[],
  atoms: ReadonlySet<number>,
  effect: 'allow' | 'deny',
  roles: ReadonlySet<string>,
): readonly string[] {
  const patterns = new Set(resources.flatMap((resource) => at(resource.patterns, 0)));
  return [...patterns]
    .flatMap((pattern) => rows.under(0, pattern))
    .filter(({ row, selector }) => {
      if (row[4] !== effect || !roles.has(row[0])) return false;
      return selections.of(0, row[3], selector, effect).some((atom) => atoms.has(atom));
    })
    .toSorted((a, b) => a.order - b.order)
    .map(sourceOf);
}
