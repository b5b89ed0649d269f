import { RoleGraph } from '../casbin/role-graph.ts';
import type { RoleLink } from '../casbin/rules.ts';
import { Slices } from '../casbin/slices.ts';
import { tenantGroup } from '../names.ts';
import { at } from './at.ts';

/**
 * Names of one tenant that no rule tells apart: the same kind, the same issuer, the same roles under every policy
 * compared. The first class of a tenant is always `group:tenant/T`, which every caller of it has.
 */
export interface NameClass {
  readonly kind: 'tenant' | 'user' | 'group';
  /** Empty for the tenant's own group. */
  readonly issuer: string;
  /** In the order of the rows; at least one. */
  readonly names: readonly string[];
  /** Roles under each policy, directly or through other roles. */
  readonly roles: readonly ReadonlySet<string>[];
}

/** Can one token carry both, beside the tenant's own group? It has one issuer and one user; the groups in it are its issuer's. */
export function canMeet(a: NameClass, b: NameClass): boolean {
  return a.issuer === b.issuer && !(a.kind === 'user' && b.kind === 'user');
}

/** Everything that `g` rows say of callers, by tenant and policy. */
export class Callers {
  readonly #graphs: readonly RoleGraph[];
  readonly #names: ReadonlyMap<string, readonly string[]>;

  private constructor(graphs: readonly RoleGraph[], names: ReadonlyMap<string, readonly string[]>) {
    this.#graphs = graphs;
    this.#names = names;
  }

  /** @param links the `g` rows of each policy */
  static async of(links: readonly (readonly RoleLink[])[]): Promise<Callers> {
    const slices = new Slices();
    const graphs: RoleGraph[] = [];
    const names = new Map<string, Set<string>>();
    for (const each of links) {
      graphs.push(await RoleGraph.build(each, slices));
      for (const { name, tenant } of each) {
        if (name.startsWith('role:')) continue;
        const known = names.get(tenant) ?? new Set();
        names.set(tenant, known.add(name));
      }
    }
    return new Callers(graphs, new Map([...names].map(([tenant, set]) => [tenant, [...set]])));
  }

  /** Names of a tenant that a row speaks of. */
  names(tenant: string): readonly string[] {
    return this.#names.get(tenant) ?? [];
  }

  rolesOf(side: number, tenant: string, names: readonly string[]): ReadonlySet<string> {
    return new Set(at(this.#graphs, side).rolesOf(tenant, names));
  }

  /** Has every name the same roles under all policies? */
  areSame(tenant: string): boolean {
    return this.classes(tenant).every(({ roles }) => new Set(roles.map((each) => [...each].join())).size === 1);
  }

  /** Classes of a tenant's names, his own group first. */
  classes(tenant: string): readonly NameClass[] {
    const everybody = tenantGroup(tenant);
    const found = new Map<string, { readonly shape: Omit<NameClass, 'names'>; readonly names: string[] }>();
    for (const name of [everybody, ...this.names(tenant).filter((one) => one !== everybody)]) {
      const roles = this.#graphs.map((graph) => new Set(graph.rolesOf(tenant, [name])));
      const shape = { ...kindOf(name, everybody), roles };
      const key = JSON.stringify([shape.kind, shape.issuer, roles.map((each) => [...each])]);
      const known = found.get(key);
      if (known === undefined) found.set(key, { shape, names: [name] });
      else known.names.push(name);
    }
    return [...found.values()].map(({ shape, names }) => ({ ...shape, names }));
  }
}

function kindOf(name: string, everybody: string): Pick<NameClass, 'kind' | 'issuer'> {
  if (name === everybody) return { kind: 'tenant', issuer: '' };
  return { kind: name.startsWith('user:') ? 'user' : 'group', issuer: issuerOf(name) };
}

/** `user:ISSUER#SUBJECT` to `ISSUER`, as it is encoded in the name. */
export function issuerOf(name: string): string {
  return name.slice(name.indexOf(':') + 1, name.indexOf('#'));
}
