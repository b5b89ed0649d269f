import { type CommandTable, sameRow } from '../../cci/index.ts';
import { at } from './at.ts';
import { Callers, type NameClass } from './callers.ts';
import { Changes, type Gain } from './change.ts';
import { CommandWords } from './command-words.ts';
import { madeUpCaller } from './made-up-caller.ts';
import { type MandatoryChange, mandatoryChanges } from './mandatory-diff.ts';
import { ResourceWords } from './resource-words.ts';
import { type ResourceClass, Universe } from './resources.ts';
import type { Selections } from './selections.ts';
import { type Side, selectionsOf } from './sides.ts';
import { type Standing, standingOf } from './standing.ts';
import { rowsByTenant, type TenantRows, TenantTable } from './tenant-table.ts';

/** Whom a change is about. */
export interface Who {
  /** Names of one token, all needed; just the tenant's own group where everybody of the tenant is meant. */
  readonly names: readonly string[];
  /** Other names of which the same is true. */
  readonly also: readonly string[];
}

export interface GrantChange {
  readonly kind: 'widened' | 'narrowed';
  readonly tenant: string;
  readonly who: readonly Who[];
  /** In the words of grants. */
  readonly commands: readonly string[];
  /** In the words of grants; `own` for everything that is the tenant's. */
  readonly resources: readonly string[];
  readonly before: Standing;
  readonly after: Standing;
}

/** A reviewed vendor command that only one policy has, or that the two describe differently. */
export interface CommandChange {
  readonly kind: 'added' | 'removed' | 'changed';
  readonly slug: string;
  readonly opcode: number;
}

export interface PolicyDiff {
  readonly before: string;
  readonly after: string;
  readonly widened: boolean;
  readonly narrowed: boolean;
  readonly grants: readonly GrantChange[];
  readonly mandatory: readonly MandatoryChange[];
  readonly commands: readonly CommandChange[];
}

/**
 * What changed in meaning between two policies: who can run which command on which resource, ownership included, and what
 * mandatory rows let through. Exact over the finite fabric, every caller that the `g` rows can produce, and every opcode.
 */
export async function diffPolicies(before: Side, after: Side): Promise<PolicyDiff> {
  const sides = [before, after];
  const selections = selectionsOf(sides, true);
  const fabrics = sides.map(({ engine }) => engine.fabric);
  const callers = await Callers.of(sides.map(({ rules }) => rules.links));
  const patterns = new Set(sides.flatMap(({ rules }) => rules.grants.map(({ row }) => row[2])));
  const universe = new Universe(fabrics, patterns);
  const context: Context = {
    before,
    after,
    selections,
    isOneWorld: isOneWorld(before, after),
    callers,
    universe,
    commands: new CommandWords(selections),
    resources: new ResourceWords(universe.of('fabric')),
  };
  const rows = rowsByTenant(sides.map(({ rules }) => rules.grants));
  const tenants = new Set(fabrics.flatMap((fabric) => fabric.tenants));
  const grants = [...tenants].toSorted().flatMap((tenant) => {
    const own = rows.get(tenant);
    return own === undefined ? [] : tenantChanges(context, tenant, own);
  });
  const mandatory = mandatoryChanges(before, after, selections, context.commands);
  const has = (kind: GrantChange['kind']): boolean => [...grants, ...mandatory].some((change) => change.kind === kind);
  const commands = commandChanges(before.engine.commands, after.engine.commands);
  return {
    before: before.engine.id,
    after: after.engine.id,
    // What a reviewer now says of a command may let it touch more than he said before: somebody has to look.
    widened: has('widened') || commands.some(({ kind }) => kind === 'changed'),
    narrowed: has('narrowed'),
    grants,
    mandatory,
    commands,
  };
}

function commandChanges(before: CommandTable, after: CommandTable): readonly CommandChange[] {
  const opcodes = new Set([...before.reviewed, ...after.reviewed].map(({ opcode }) => opcode));
  return [...opcodes].flatMap((opcode) => {
    const [was, is] = [before.rowByOpcode(opcode), after.rowByOpcode(opcode)];
    const slug = (is ?? was)?.slug;
    if (slug === undefined || sameRow(was, is)) return [];
    return [{ kind: was === undefined ? 'added' : is === undefined ? 'removed' : 'changed', slug, opcode }];
  });
}

function isOneWorld({ engine: a }: Side, { engine: b }: Side): boolean {
  const objects = ({ fabric }: Side['engine']): string =>
    [...fabric.tenants, ...fabric.objects.map((path) => `${path} ${fabric.ownerOf(path)}`)].join('\n');
  return objects(a) === objects(b) && commandChanges(a.commands, b.commands).length === 0;
}

interface Context {
  readonly before: Side;
  readonly after: Side;
  readonly selections: Selections;
  /** Do both policies have the same objects, owners and commands? */
  readonly isOneWorld: boolean;
  readonly callers: Callers;
  readonly universe: Universe;
  readonly commands: CommandWords;
  readonly resources: ResourceWords;
}

/** Cells in which the same callers gained, or lost. */
interface Group {
  readonly kind: GrantChange['kind'];
  readonly gain: Gain;
  readonly cells: Map<ResourceClass, number[]>;
}

function tenantChanges(context: Context, tenant: string, rows: TenantRows): readonly GrantChange[] {
  // Most of a policy is as it was: where neither rows nor roles nor fabric differ, nothing does.
  if (context.isOneWorld && rows.areSame() && context.callers.areSame(tenant)) return [];
  const table = new TenantTable(rows, context.selections);
  const classes = context.callers.classes(tenant);
  const changes = new Changes(classes, 2);
  const groups = new Map<string, Group>();
  for (const resource of context.universe.classes(tenant, (side, pattern) => rows.has(side, pattern))) {
    const after = table.cells(resource, 1);
    for (const [command, was] of table.cells(resource, 0).entries()) {
      const is = at(after, command);
      note(groups, 'widened', changes.gain(was, is), resource, command);
      note(groups, 'narrowed', changes.loss(was, is), resource, command);
    }
  }
  return [...groups.values()].flatMap((group) => entriesOf(context, tenant, table, classes, group));
}

function note(
  groups: Map<string, Group>,
  kind: Group['kind'],
  gain: Gain,
  resource: ResourceClass,
  command: number,
): void {
  if (!gain.everybody && gain.names.length + gain.pairs.length === 0) return;
  const key = JSON.stringify([kind, gain]);
  const group = groups.get(key) ?? { kind, gain, cells: new Map() };
  groups.set(key, group);
  const commands = group.cells.get(resource) ?? [];
  group.cells.set(resource, commands);
  commands.push(command);
}

/** One entry for all resources on which the same commands changed. */
function entriesOf(
  context: Context,
  tenant: string,
  table: TenantTable,
  classes: readonly NameClass[],
  { kind, gain, cells }: Group,
): readonly GrantChange[] {
  const who = whoOf(classes, gain);
  const byCommands = new Map<string, { readonly commands: readonly number[]; readonly resources: ResourceClass[] }>();
  for (const [resource, commands] of cells) {
    const key = commands.join(' ');
    const known = byCommands.get(key) ?? { commands, resources: [] };
    known.resources.push(resource);
    byCommands.set(key, known);
  }
  const { fabric } = (kind === 'widened' ? context.after : context.before).engine;
  const own = new Set(
    context.universe
      .of(tenant)
      .filter(({ path }) => fabric.ownerOf(path) === tenant)
      .map(({ shown }) => shown),
  );
  return [...byCommands.values()].map(({ commands, resources }) => {
    const blocks = commands.map((command) => at(table.commands, command));
    const caller = madeUpCaller(tenant, at(who, 0).names, (name) => context.callers.names(tenant).includes(name));
    // What nobody can run there makes no difference to what is said of the rest.
    const isQueried = resources.every(({ gates }) => gates.every((gate) => gate === 'query'));
    const free = isQueried ? context.selections.elsewhere() : [];
    const sample = { caller, blocks, resources, atoms: context.selections.atoms };
    return {
      kind,
      tenant,
      who,
      commands: context.commands.of(
        blocks.flatMap(({ atoms }) => atoms).toSorted((a, b) => a - b),
        free,
      ),
      resources: context.resources.of(
        resources.flatMap(({ members }) => members),
        own,
      ),
      before: standingOf(context.before, 0, sample, kind === 'narrowed'),
      after: standingOf(context.after, 1, sample, kind === 'widened'),
    };
  });
}

function whoOf(classes: readonly NameClass[], { everybody, names, pairs }: Gain): readonly Who[] {
  const named = (numbers: readonly number[]): Who => {
    const found = numbers.map((number) => at(classes, number).names);
    return { names: found.map((names) => at(names, 0)), also: found.length === 1 ? at(found, 0).slice(1) : [] };
  };
  return everybody ? [named([0])] : [...names.map((name) => named([name])), ...pairs.map(named)];
}
