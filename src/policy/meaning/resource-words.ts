import { entry } from '../casbin/entry.ts';
import type { Resource } from './resources.ts';

/** Says sets of resources with `/*` where an object and all below it are meant, and `own` for all of a tenant's. */
export class ResourceWords {
  /** How many resources there are at and below each object. */
  readonly #below = new Map<string, number>();
  readonly #steps = new Map<string, readonly string[]>();

  /** @param everything all resources of the fabric: what a `/*` covers */
  constructor(everything: readonly Resource[]) {
    for (const { shown } of everything) {
      for (const step of this.#stepsOf(shown)) this.#below.set(step, (this.#below.get(step) ?? 0) + 1);
    }
  }

  /** @param own all that belongs to the tenant, as it is shown */
  of(resources: readonly Resource[], own: ReadonlySet<string>): readonly string[] {
    const owned = resources.filter(({ shown }) => own.has(shown));
    const folded = this.#fold(resources);
    if (own.size < 2 || owned.length < own.size) return folded;
    const withOwn = ['own', ...this.#fold(resources.filter(({ shown }) => !own.has(shown)))];
    return withOwn.length > folded.length ? folded : withOwn;
  }

  #stepsOf(shown: string): readonly string[] {
    return entry(this.#steps, shown, () => stepsOf(shown));
  }

  #fold(resources: readonly Resource[]): readonly string[] {
    const counts = new Map<string, number>();
    for (const { shown } of resources) {
      for (const step of this.#stepsOf(shown)) counts.set(step, (counts.get(step) ?? 0) + 1);
    }
    const isWhole = (step: string): boolean => {
      const count = Number(this.#below.get(step));
      return count > 1 && counts.get(step) === count;
    };
    const words = new Set<string>();
    for (const { shown } of resources) {
      const whole = this.#stepsOf(shown).find(isWhole);
      words.add(whole === undefined ? shown : `${whole}/*`);
    }
    return [...words];
  }
}

/** Words of the path of a switch, and of a port or VCS; what is below those is the path itself. */
const STEPS = [3, 5];

/** The objects at and above a path, the switch first. */
function stepsOf(shown: string): readonly string[] {
  const words = shown.split('/');
  return [...STEPS.filter((count) => count < words.length).map((count) => words.slice(0, count).join('/')), shown];
}
