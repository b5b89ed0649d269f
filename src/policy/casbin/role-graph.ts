import { entry, newList, newMap } from './entry.ts';
import type { RoleLink } from './rules.ts';
import type { Slices } from './slices.ts';

/** Which names have which roles, per tenant. Built from `g` rows alone. */
export class RoleGraph {
  readonly #links = new Map<string, Map<string, string[]>>();

  static async build(links: readonly RoleLink[], slices: Slices): Promise<RoleGraph> {
    const graph = new RoleGraph();
    for (const { name, role, tenant } of links) {
      const names = entry(graph.#links, tenant, newMap<string, string[]>);
      entry(names, name, newList<string>).push(role);
      const pause = slices.breathe();
      if (pause !== undefined) await pause;
    }
    return graph;
  }

  /** Every role that one of the names has, directly or through other roles. Sorted. */
  rolesOf(tenant: string, names: readonly string[]): readonly string[] {
    const links = this.#links.get(tenant);
    if (links === undefined) return [];
    const reached = new Set<string>();
    const open = [...names];
    for (let name = open.pop(); name !== undefined; name = open.pop()) {
      for (const role of links.get(name) ?? []) {
        if (reached.has(role)) continue;
        reached.add(role);
        open.push(role);
      }
    }
    return [...reached].toSorted();
  }

  /** Roles of a tenant that have other roles. */
  *rolesWithRoles(tenant: string): Generator<string> {
    for (const name of this.#links.get(tenant)?.keys() ?? []) if (name.startsWith('role:')) yield name;
  }
}
