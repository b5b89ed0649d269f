import { entry } from '../casbin/entry.ts';
import { OWN } from '../casbin/resource.ts';
import { type PathKind, parsePath } from '../fabric/index.ts';
import type { Fabric, ResourcePath } from '../types.ts';

/** The objects that a RESOURCE column covers: kinds, by owner. */
export type Extent = ReadonlyMap<string, ReadonlySet<PathKind>>;

/** What exists below a port without standing in the fabric file. */
const unlisted: readonly PathKind[] = ['head', 'host', 'tag'];

/** Answers what RESOURCE columns cover; each text is worked out once. */
export class Extents {
  readonly #fabric: Fabric;
  /** In the order of their text, so that everything below a path stands together. */
  readonly #sorted: readonly ResourcePath[];
  readonly #known = new Map<string, Extent>();
  readonly #roots = new Map<string, string>();

  constructor(fabric: Fabric) {
    this.#fabric = fabric;
    this.#sorted = fabric.objects.toSorted((a, b) => (a < b ? -1 : 1));
  }

  of(resource: string, tenant: string): Extent {
    return entry(this.#known, resource === OWN ? `${OWN} ${tenant}` : resource, () => this.#extent(resource, tenant));
  }

  /** Kinds of what is, or may come to be, below a path. */
  kindsBelow(base: string): readonly PathKind[] {
    const kinds = new Set<PathKind>(parsePath(base)?.kind === 'port' ? unlisted : []);
    for (const path of this.#below(base)) {
      const kind = parsePath(path)?.kind;
      /* v8 ignore next -- every object of a fabric has a path */
      if (kind === undefined) continue;
      kinds.add(kind);
      if (kind === 'port') for (const more of unlisted) kinds.add(more);
    }
    return [...kinds];
  }

  /** The deepest path that everything of a tenant lies below; empty where he owns nothing. */
  rootOf(tenant: string): string {
    return entry(this.#roots, tenant, () => {
      const [first = [], ...others] = this.#owned(tenant).map((path) => path.split('/'));
      const differs = first.findIndex((step, i) => others.some((other) => other[i] !== step));
      return first.slice(0, differs === -1 ? first.length : differs).join('/');
    });
  }

  #extent(resource: string, tenant: string): Extent {
    const extent = new Map<string, Set<PathKind>>();
    const add = (path: string, withBelow: boolean): void => {
      const kind = parsePath(path)?.kind;
      const owner = this.#fabric.ownerOf(path as ResourcePath);
      if (kind === undefined || owner === undefined) return;
      const kinds = entry(extent, owner, () => new Set<PathKind>());
      kinds.add(kind);
      if (kind === 'port' && withBelow) for (const more of unlisted) kinds.add(more);
    };
    if (resource === OWN) for (const path of this.#owned(tenant)) add(path, true);
    else if (resource.endsWith('/*')) {
      const base = resource.slice(0, -2);
      add(base, true);
      for (const path of this.#below(base)) add(path, true);
    } else add(resource, false);
    return extent;
  }

  #owned(tenant: string): readonly ResourcePath[] {
    return this.#fabric.objects.filter((path) => this.#fabric.ownerOf(path) === tenant);
  }

  #below(base: string): readonly ResourcePath[] {
    // `0` is the character after `/`.
    return this.#sorted.slice(this.#firstFrom(`${base}/`), this.#firstFrom(`${base}0`));
  }

  #firstFrom(text: string): number {
    let from = 0;
    let to = this.#sorted.length;
    while (from < to) {
      const middle = (from + to) >> 1;
      if (String(this.#sorted[middle]) < text) from = middle + 1;
      else to = middle;
    }
    return from;
  }
}
