import { entry, newList } from '../casbin/entry.ts';
import type { RoleLink } from '../casbin/rules.ts';
import { tenantGroup } from '../names.ts';

interface TenantRoles {
  readonly above: ReadonlyMap<string, readonly string[]>;
  /** Roles of every caller of the tenant, by `group:tenant/T`. */
  readonly everybodys: ReadonlySet<string>;
  /** Roles that some caller can have. */
  readonly held: ReadonlySet<string>;
}

/** Who has which roles, for whole tenants. */
export class Holders {
  readonly #links = new Map<string, RoleLink[]>();
  readonly #tenants = new Map<string, TenantRoles>();
  readonly #closures = new Map<string, ReadonlySet<string>>();

  constructor(links: readonly RoleLink[]) {
    for (const link of links) entry(this.#links, link.tenant, newList<RoleLink>).push(link);
  }

  /** Does every caller of the tenant have the role? */
  isEverybodys(tenant: string, role: string): boolean {
    return this.#of(tenant).everybodys.has(role);
  }

  /** Does any caller have it? */
  isHeld(tenant: string, role: string): boolean {
    return this.#of(tenant).held.has(role);
  }

  /** The role, those that it has, and those that everybody has: whoever has the role has all of these. */
  impliedBy(tenant: string, role: string): ReadonlySet<string> {
    const { above, everybodys } = this.#of(tenant);
    return entry(this.#closures, `${tenant} ${role}`, () => new Set([role, ...reached([role], above), ...everybodys]));
  }

  #of(tenant: string): TenantRoles {
    return entry(this.#tenants, tenant, () => {
      const above = new Map<string, string[]>();
      for (const { name, role } of this.#links.get(tenant) ?? []) entry(above, name, newList<string>).push(role);
      const callers = [...above.keys()].filter((name) => !name.startsWith('role:'));
      return { above, everybodys: reached([tenantGroup(tenant)], above), held: reached(callers, above) };
    });
  }
}

function reached(start: readonly string[], above: ReadonlyMap<string, readonly string[]>): ReadonlySet<string> {
  const found = new Set<string>();
  const open = [...start];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    for (const role of above.get(name) ?? []) {
      if (found.has(role)) continue;
      found.add(role);
      open.push(role);
    }
  }
  return found;
}
