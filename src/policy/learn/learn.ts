import { entry, newList } from '../casbin/entry.ts';
import { coversPath, OWN } from '../casbin/resource.ts';
import { type GrantRule, sourceOf } from '../casbin/rules.ts';
import {
  at,
  Callers,
  knownSelector,
  type Resource,
  type Selections,
  type Side,
  selectionsOf,
  Universe,
} from '../meaning/index.ts';
import { tenantGroup } from '../names.ts';
import type { ResourcePath } from '../types.ts';
import { exact, folded, type Proposal } from './fold.ts';
import type { Usage, Use } from './usage.ts';
import { wordsOf } from './words.ts';

/** Grants for one name. */
export interface LearnedRole {
  readonly role: string;
  readonly holder: string;
  readonly proposals: readonly Proposal[];
}

/** The proposed rows of one tenant. */
export interface Learned {
  readonly tenant: string;
  readonly roles: readonly LearnedRole[];
  /** Rows of the current policy that deny some of this, and who has their roles: left out, they would be a gift. */
  readonly denials: readonly {
    readonly source: string;
    readonly row: GrantRule['row'];
    readonly names: readonly string[];
  }[];
  /** Rows of the current policy that allow and decided nothing. */
  readonly unused: readonly { readonly source: string; readonly text: string }[];
  readonly usage: Usage;
}

/**
 * The least grants that cover what was used: for each name that it was allowed for, each command on each object.
 *
 * @param allowance undefined: exact rows. A number: rows may be folded into sets, classes and `own` as long as one row gives
 * at most so many pairs of command and object that were not used
 */
export async function learn(side: Side, tenant: string, usage: Usage, allowance: number | undefined): Promise<Learned> {
  const selections = selectionsOf([side], false);
  const { fabric } = side.engine;
  const patterns = side.rules.grants.map(({ row }) => row[2]);
  const universe = new Universe([fabric], patterns).of(tenant);
  const isOwn = (path: ResourcePath): boolean => fabric.ownerOf(path) === tenant;
  const own = universe.filter(({ path }) => isOwn(path));
  const callers = await Callers.of([side.rules.links]);
  const taken = new Set(side.rules.grants.map(({ row }) => row[0]));
  const byHolder = new Map<string, Use[]>();
  for (const use of usage.uses) entry(byHolder, use.holder, newList<Use>).push(use);
  const words = allowance === undefined ? [] : wordsOf(selections);
  const roles = [...byHolder].map(([holder, uses]): LearnedRole => {
    const proposals = allowance === undefined ? exact(uses) : folded(uses, { own, isOwn, words, allowance });
    return { role: roleFor(holder, taken), holder, proposals: proposals.toSorted(byPlace) };
  });
  const denying = side.rules.grants.filter(({ row }) => row[1] === tenant && row[4] === 'deny');
  const all = roles.flatMap(({ proposals }) => proposals);
  return {
    tenant,
    roles,
    denials: denying
      .filter((rule) => all.some((proposal) => overlap(rule, proposal, selections, universe, isOwn)))
      .map((rule) => ({ source: sourceOf(rule), row: rule.row, names: holdersOf(callers, tenant, rule.row[0]) })),
    unused: side.rules.grants
      .filter((rule) => rule.row[1] === tenant && rule.row[4] === 'allow' && !usage.deciding.has(sourceOf(rule)))
      .map((rule) => ({ source: sourceOf(rule), text: `p, ${rule.row.join(', ')}` })),
    usage,
  };
}

function byPlace(a: Proposal, b: Proposal): number {
  return a.resource === b.resource ? compare(a.command, b.command) : compare(a.resource, b.resource);
}

function compare(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true });
}

/** `role:learned-operators`; numbered where it is there already. */
function roleFor(holder: string, taken: Set<string>): string {
  const tail = holder.slice(Math.max(holder.lastIndexOf('#'), holder.lastIndexOf('/'), holder.lastIndexOf(':')) + 1);
  const kind = holder.startsWith('user:') ? 'user-' : '';
  const words = tail
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, '-')
    .slice(0, 40);
  const base = `role:learned-${kind}${words}`;
  let name = base;
  for (let number = 2; taken.has(name); number += 1) name = `${base}-${number}`;
  taken.add(name);
  return name;
}

/** Names that have a role, each of which gets it in so many words. */
function holdersOf(callers: Callers, tenant: string, role: string): readonly string[] {
  const names = [tenantGroup(tenant), ...callers.names(tenant)];
  return [...new Set(names)].filter((name) => callers.rolesOf(0, tenant, [name]).has(role));
}

/** Does a row that denies speak about something that the proposal gives? */
function overlap(
  { row: [, , pattern, text], selector }: GrantRule,
  { resource, command }: Proposal,
  selections: Selections,
  universe: readonly Resource[],
  isOwn: (path: ResourcePath) => boolean,
): boolean {
  const given = knownSelector(command, at(selections.tables, 0));
  const denied = new Set(selections.of(0, text, selector, 'deny'));
  if (!selections.of(0, command, given, 'allow').some((atom) => denied.has(atom))) return false;
  const isDenied = (path: ResourcePath): boolean => (pattern === OWN ? isOwn(path) : coversPath(pattern, path));
  const isTree = resource === OWN || resource.endsWith('/*');
  if (!isTree) return isDenied(resource as ResourcePath);
  const isGiven = (path: ResourcePath): boolean => (resource === OWN ? isOwn(path) : coversPath(resource, path));
  return universe.some(({ path }) => isGiven(path) && isDenied(path));
}
