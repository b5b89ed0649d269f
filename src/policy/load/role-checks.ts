import { entry, newList } from '../casbin/entry.ts';
import type { RoleLink } from '../casbin/rules.ts';
import type { Slices } from '../casbin/slices.ts';
import { ROLE_DEPTH_MAX } from '../casbin/verdicts.ts';
import type { ErrorList } from './error.ts';

/** A `g` row with its place, as one tenant's file has it. */
export interface LocatedLink extends RoleLink {
  readonly file: string;
  readonly line: number;
  /** Columns of name and role. */
  readonly nameColumn: number;
  readonly roleColumn: number;
}

/**
 * casbin follows roles depth first, along every path and again for every rule: a few rows that branch and join ten times
 * would hold up each decision for minutes.
 */
const ROLE_PATHS_MAX = 4096;

interface Node {
  readonly depth: number;
  readonly paths: number;
}

/** Finds cycles, chains over ten and graphs with too many paths in the roles of one tenant. */
export async function checkRoles(links: readonly LocatedLink[], slices: Slices, errors: ErrorList): Promise<void> {
  const outgoing = new Map<string, LocatedLink[]>();
  for (const link of links) {
    entry(outgoing, link.name, newList<LocatedLink>).push(link);
    const pause = slices.breathe();
    if (pause !== undefined) await pause;
  }
  const done = new Map<string, Node>();
  for (const start of outgoing.keys()) {
    visit(start, outgoing, done, errors);
    const pause = slices.breathe();
    if (pause !== undefined) await pause;
  }
  for (const [name, { depth, paths }] of done) {
    const link = outgoing.get(name)?.[0];
    if (link === undefined) continue;
    const at = { file: link.file, line: link.line, column: link.nameColumn };
    if (depth > ROLE_DEPTH_MAX) {
      // Reported once, at the first name too deep: those above it follow from it.
      if (depth === ROLE_DEPTH_MAX + 1) {
        errors.add(
          'role-depth',
          at,
          name,
        )(
          `\`${name}\` has a chain of ${depth} roles above it`,
          `casbin looks ${ROLE_DEPTH_MAX} deep and would cut the rest off: give the role directly`,
        );
      }
    } else if (paths > ROLE_PATHS_MAX) {
      errors.add(
        'role-depth',
        at,
        name,
      )(
        `\`${name}\` reaches its roles by more than ${ROLE_PATHS_MAX} ways`,
        'let roles branch less, or give the roles directly',
      );
    }
  }
}

/** Depth first without recursion, because a file can hold a chain longer than the stack. */
function visit(
  start: string,
  outgoing: ReadonlyMap<string, LocatedLink[]>,
  done: Map<string, Node>,
  errors: ErrorList,
): void {
  const open: { readonly name: string; next: number }[] = [{ name: start, next: 0 }];
  const onPath = new Set([start]);
  for (let top = open.at(-1); top !== undefined; top = open.at(-1)) {
    const links = outgoing.get(top.name) ?? [];
    const link = done.has(top.name) ? undefined : links[top.next];
    if (link === undefined) {
      if (!done.has(top.name)) done.set(top.name, measure(links, done));
      onPath.delete(top.name);
      open.pop();
      continue;
    }
    top.next += 1;
    if (onPath.has(link.role)) {
      errors.add(
        'role-cycle',
        { file: link.file, line: link.line, column: link.roleColumn },
        link.role,
      )(`\`${link.role}\` leads back to itself`, 'remove one row of the circle');
    } else if (!done.has(link.role)) {
      onPath.add(link.role);
      open.push({ name: link.role, next: 0 });
    }
  }
}

function measure(links: readonly LocatedLink[], done: ReadonlyMap<string, Node>): Node {
  let depth = 0;
  let paths = 0;
  for (const { role } of links) {
    const above = done.get(role) ?? { depth: 0, paths: 0 };
    depth = Math.max(depth, above.depth + 1);
    paths += above.paths + 1;
  }
  return { depth, paths };
}
