import { rowBySlug } from '../../cci/index.ts';
import { entry, newList } from '../casbin/entry.ts';
import { coversPath, OWN } from '../casbin/resource.ts';
import type { Resource } from '../meaning/index.ts';
import type { ResourcePath } from '../types.ts';
import type { Use } from './usage.ts';
import type { Word } from './words.ts';

/** A proposed grant to one name. */
export interface Proposal {
  /** RESOURCE column. */
  readonly resource: string;
  /** COMMAND column. */
  readonly command: string;
  /** What it covers of what was used. */
  readonly uses: readonly Use[];
  /** What it gives that the name has not used: pairs of command and object. */
  readonly unused: number;
}

/** What folding looks at. */
export interface FoldContext {
  /** Everything that is the tenant's. */
  readonly own: readonly Resource[];
  /** Heads, hosts and tags too, which `own` has one of each for. */
  readonly isOwn: (path: ResourcePath) => boolean;
  /** Words for several commands, the widest first. */
  readonly words: readonly Word[];
  /** Pairs of command and object that one row may give without their having been used. */
  readonly allowance: number;
}

/** One row for each command on each object: gives what was used and nothing else. */
export function exact(uses: readonly Use[]): readonly Proposal[] {
  return uses.map((use) => ({ resource: use.resource, command: use.command, uses: [use], unused: 0 }));
}

/** The same in fewer rows, as far as the allowance goes: first over objects, then over commands. */
export function folded(uses: readonly Use[], context: FoldContext): readonly Proposal[] {
  const used = new Set(uses.map(({ command, resource }) => `${command} ${resource}`));
  const unusedIn = (command: string, resources: readonly Resource[]): number =>
    resources.filter(({ path, shown }) => {
      const canBeTouched = path === shown || touchesUnlisted(command);
      return canBeTouched && !used.has(`${command} ${path}`);
    }).length;
  const overObjects = [...grouped(uses, ({ command }) => command)].flatMap(([command, each]) =>
    foldObjects(command, each, context, unusedIn),
  );
  return [...grouped(overObjects, ({ resource }) => resource)].flatMap(([resource, each]) =>
    foldCommands(resource, each, context, unusedIn),
  );
}

type UnusedIn = (command: string, resources: readonly Resource[]) => number;

function grouped<T>(items: readonly T[], keyOf: (item: T) => string): ReadonlyMap<string, readonly T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) entry(groups, keyOf(item), newList<T>).push(item);
  return groups;
}

/** Heads, hosts and tags, which stand in no fabric file, are touched by commands of these sets alone. */
const unlistedSets: ReadonlySet<string> = new Set(['multi-headed-devices', 'dcd-management']);

function touchesUnlisted(command: string): boolean {
  return unlistedSets.has(String(rowBySlug(command)?.set));
}

/** `own`, or everything at and below a port or VCS, where that adds no more than it may. */
function foldObjects(
  command: string,
  uses: readonly Use[],
  { own, isOwn, allowance }: FoldContext,
  unusedIn: UnusedIn,
): readonly Proposal[] {
  const left = new Set(uses);
  const found: Proposal[] = [];
  const bases = new Set(uses.map(({ resource }) => `${resource.split('/', 5).join('/')}/*`));
  for (const pattern of [OWN, ...bases]) {
    const members = own.filter(({ path }) => pattern === OWN || coversPath(pattern, path));
    const covered = [...left].filter(
      ({ resource }) => isOwn(resource) && (pattern === OWN || coversPath(pattern, resource)),
    );
    const unused = unusedIn(command, members);
    if (covered.length < 2 || unused > allowance) continue;
    found.push({ resource: pattern, command, uses: covered, unused });
    for (const use of covered) left.delete(use);
  }
  return [...found, ...exact([...left])];
}

/** A set, class or scope in place of its commands, where that adds no more than it may. */
function foldCommands(
  resource: string,
  proposals: readonly Proposal[],
  { own, words, allowance }: FoldContext,
  unusedIn: UnusedIn,
): readonly Proposal[] {
  const members = own.filter(({ path }) => resource === OWN || coversPath(resource, path));
  const left = new Set(proposals);
  const found: Proposal[] = [];
  for (const { text, whole, partly } of words) {
    const covered = [...left].filter(({ command }) => whole.has(command));
    if (covered.length < 2 || members.length === 0) continue;
    const unused = [...whole, ...partly].reduce((sum, command) => sum + unusedIn(command, members), 0);
    if (unused > allowance) continue;
    found.push({ resource, command: text, uses: covered.flatMap(({ uses }) => uses), unused });
    for (const proposal of covered) left.delete(proposal);
  }
  return [...found, ...left];
}
