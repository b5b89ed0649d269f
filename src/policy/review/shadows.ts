import { entry, newList } from '../casbin/entry.ts';
import { OWN } from '../casbin/resource.ts';
import { type GrantRule, sourceOf } from '../casbin/rules.ts';
import type { Extents } from './extent.ts';
import { type Forms, isWithin } from './forms.ts';
import type { Holders } from './holders.ts';

/** More rows of one role about one resource are not held against each other: nobody reads such a list one by one. */
const BUCKET_MAX = 2000;

/** Finds the row beside which another one changes nothing. */
export class Shadows {
  readonly #buckets = new Map<string, Map<string, Map<string, GrantRule[]>>>();
  readonly #extents: Extents;
  readonly #forms: Forms;
  readonly #holders: Holders;

  constructor(rules: readonly GrantRule[], extents: Extents, forms: Forms, holders: Holders) {
    this.#extents = extents;
    this.#forms = forms;
    this.#holders = holders;
    for (const rule of rules) {
      const [role, tenant, resource] = rule.row;
      const roles = entry(this.#buckets, tenant, () => new Map<string, Map<string, GrantRule[]>>());
      const resources = entry(roles, role, () => new Map<string, GrantRule[]>());
      entry(resources, resource, newList<GrantRule>).push(rule);
    }
  }

  /** A row that denies all that this row allows, to everybody whom it allows it. */
  deniedBy(rule: GrantRule): GrantRule | undefined {
    return this.#covering(rule).find((other) => other.row[4] === 'deny' && this.#takesAll(rule, other));
  }

  /** A row of the same effect that says all of it; of two that say the same, the first. */
  repeatedBy(rule: GrantRule): GrantRule | undefined {
    return this.#covering(rule).find(
      (other) =>
        other !== rule &&
        other.row[4] === rule.row[4] &&
        this.#takesAll(rule, other) &&
        (other.order < rule.order || !(this.#covering(other).includes(rule) && this.#takesAll(other, rule))),
    );
  }

  #takesAll(inner: GrantRule, outer: GrantRule): boolean {
    const given = this.#forms.givenBy(inner.row[3], inner.selector, inner.row[4]);
    const taken = this.#forms.givenBy(outer.row[3], outer.selector, outer.row[4]);
    return (given.bits !== 0n || given.raw !== undefined) && isWithin(given, taken);
  }

  /** Rows about all of the resource, of roles that every holder of the role has. */
  #covering({ row: [role, tenant, resource] }: GrantRule): readonly GrantRule[] {
    const byRole = this.#buckets.get(tenant);
    const patterns = this.#patterns(resource, tenant);
    return [...this.#holders.impliedBy(tenant, role)].flatMap((implied) => {
      const byResource = byRole?.get(implied);
      if (byResource === undefined) return [];
      return patterns.flatMap((pattern) => {
        const bucket = byResource.get(pattern) ?? [];
        return bucket.length > BUCKET_MAX ? [] : bucket;
      });
    });
  }

  /** RESOURCE columns that cover everything that this one covers. */
  #patterns(resource: string, tenant: string): readonly string[] {
    const trees = (base: string): string[] => {
      const found: string[] = [];
      for (let end = base.length; end > 0; end = base.lastIndexOf('/', end - 1)) found.push(`${base.slice(0, end)}/*`);
      return found;
    };
    if (resource === OWN) return [OWN, ...trees(this.#extents.rootOf(tenant))];
    const owners = [...this.#extents.of(resource, tenant).keys()];
    const own = owners.length > 0 && owners.every((owner) => owner === tenant) ? [OWN] : [];
    const isTree = resource.endsWith('/*');
    const base = isTree ? resource.slice(0, -2) : resource;
    return [...(isTree ? [] : [resource]), ...trees(base), ...own];
  }
}

/** How another row is named in a sentence. */
export function rowName(rule: GrantRule): string {
  return `\`p, ${rule.row.join(', ')}\` (${sourceOf(rule)})`;
}
