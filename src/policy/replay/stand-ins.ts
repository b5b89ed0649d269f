import { entry } from '../casbin/entry.ts';
import type { RoleLink } from '../casbin/rules.ts';
import { Callers, madeUpCaller } from '../meaning/index.ts';
import { tenantGroup } from '../names.ts';
import type { Principal } from '../types.ts';

/**
 * Callers for whom the same is decided, as one: of all names that no row tells apart the first, and none of which no row
 * speaks. A journal has many callers and a policy few kinds of them, so an engine that remembers verdicts is asked the same
 * again and again.
 */
export class StandIns {
  readonly #callers: Callers;
  readonly #first = new Map<string, ReadonlyMap<string, string>>();
  readonly #known = new Map<string, Principal>();

  private constructor(callers: Callers) {
    this.#callers = callers;
  }

  static async of(links: readonly RoleLink[]): Promise<StandIns> {
    return new StandIns(await Callers.of([links]));
  }

  /** The one that stands for a caller. */
  of({ tenant, names }: Pick<Principal, 'tenant' | 'names'>): Principal {
    const first = entry(this.#first, tenant, () => {
      const classes = this.#callers.classes(tenant);
      return new Map(classes.flatMap((each) => each.names.map((name) => [name, String(each.names[0])] as const)));
    });
    const everybody = tenantGroup(tenant);
    const spokenOf = new Set<string>();
    for (const name of names) {
      const found = name === everybody ? undefined : first.get(name);
      if (found !== undefined) spokenOf.add(found);
    }
    const list = [...spokenOf].toSorted();
    return entry(this.#known, `${tenant} ${list.join(' ')}`, () =>
      madeUpCaller(tenant, list, (name) => first.has(name)),
    );
  }
}
