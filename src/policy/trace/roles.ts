import { entry, newList } from '../casbin/entry.ts';
import type { RoleLink } from '../casbin/rules.ts';
import type { Principal } from '../types.ts';

/** How a caller comes to a role: the shortest chain of `g` rows from one of his names. */
export interface RoleWay {
  readonly role: string;
  readonly links: readonly RoleLink[];
}

/** `tenants/acme.csv:31`, where the row was read from a file. */
export function linkSource({ file, line }: RoleLink): string {
  return file === undefined ? 'a row' : `${file}:${line}`;
}

export function linkText({ name, role, tenant }: RoleLink): string {
  return `g, ${name}, ${role}, ${tenant}`;
}

/** The `g` rows of a policy as ways that can be told and counted. */
export class RoleWays {
  readonly #links: readonly RoleLink[];

  constructor(links: readonly RoleLink[]) {
    this.#links = links;
  }

  /** One way to each role of a caller, nearest roles first. */
  waysOf({ tenant, names }: Principal): readonly RoleWay[] {
    const outgoing = new Map<string, RoleLink[]>();
    for (const link of this.#links) {
      if (link.tenant === tenant) entry(outgoing, link.name, newList<RoleLink>).push(link);
    }
    const ways = new Map<string, RoleWay>();
    let front: readonly { readonly name: string; readonly links: readonly RoleLink[] }[] = names.map((name) => ({
      name,
      links: [],
    }));
    while (front.length > 0) {
      const next: { name: string; links: readonly RoleLink[] }[] = [];
      for (const { name, links } of front) {
        for (const link of outgoing.get(name) ?? []) {
          if (ways.has(link.role)) continue;
          const way = [...links, link];
          ways.set(link.role, { role: link.role, links: way });
          next.push({ name: link.role, links: way });
        }
      }
      front = next;
    }
    return [...ways.values()];
  }

  /** Every `g` row that is part of some way from the caller to a role. */
  usedFor({ tenant, names }: Principal, role: string): readonly RoleLink[] {
    const links = this.#links.filter((link) => link.tenant === tenant);
    const forward = closure(
      names,
      links,
      ({ name }) => name,
      ({ role: to }) => to,
    );
    const backward = closure(
      [role],
      links,
      ({ role: to }) => to,
      ({ name }) => name,
    );
    return links.filter((link) => forward.has(link.name) && backward.has(link.role));
  }
}

function closure(
  start: readonly string[],
  links: readonly RoleLink[],
  from: (link: RoleLink) => string,
  to: (link: RoleLink) => string,
): ReadonlySet<string> {
  const byStart = new Map<string, string[]>();
  for (const link of links) entry(byStart, from(link), newList<string>).push(to(link));
  const reached = new Set(start);
  const open = [...start];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    for (const next of byStart.get(name) ?? []) {
      if (reached.has(next)) continue;
      reached.add(next);
      open.push(next);
    }
  }
  return reached;
}
