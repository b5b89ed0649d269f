import { entry } from '../casbin/entry.ts';
import { coveringPatterns, OWN } from '../casbin/resource.ts';
import { parsePath } from '../fabric/index.ts';
import { FABRIC_TENANT, type Fabric, type ResourcePath } from '../types.ts';

/**
 * What ownership lets a tenant name, before any grant.
 * `all`: every command. `query`: the switch itself, for commands whose reply tells of nobody. `none`: nothing.
 */
export type Gate = 'all' | 'query' | 'none';

/** An object, or one that stands for all heads, hosts or tags below a port that no row names. */
export interface Resource {
  readonly path: ResourcePath;
  /** How it is written for people: `/switches/sw0/ports/3/heads/*` for one that stands for several. */
  readonly shown: string;
  readonly gates: readonly Gate[];
}

/** Resources of one tenant that neither ownership nor any row tells apart. */
export interface ResourceClass {
  readonly members: readonly Resource[];
  readonly gates: readonly Gate[];
  /** RESOURCE columns with rows that cover it, under each policy. */
  readonly patterns: readonly (readonly string[])[];
}

/** Counted down from to find an id that no row names: the largest there can be. */
const LAST_ID = 99_999;
const LAST_TAG_PART = 0xffff_ffff_ffff;

/** Words of `/switches/NAME`, the empty one before the first slash counted. */
const SWITCH_WORDS = 3;

/**
 * What ownership says of a path (policy section 2). Tags of a tenant on a device that he shares are granted by what he holds
 * of the device, and so are no objects of their own here.
 */
export function gateOf(fabric: Fabric, tenant: string, path: ResourcePath): Gate {
  if (!fabric.tenants.includes(tenant)) return 'none';
  const owner = fabric.ownerOf(path);
  if (owner === undefined) return 'none';
  if (owner === tenant || tenant === FABRIC_TENANT) return 'all';
  return path.split('/').length === SWITCH_WORDS ? 'query' : 'none';
}

/** The objects that tenants can name at all, from the fabric files and from rows. */
export class Universe {
  readonly #fabrics: readonly Fabric[];
  readonly #byOwner = new Map<string, Set<ResourcePath>>();
  readonly #everything = new Set<ResourcePath>();
  readonly #switches = new Set<ResourcePath>();
  /** Heads, hosts and tags that rows name: they stand in no fabric file. */
  readonly #named = new Set<ResourcePath>();
  readonly #ports: ReadonlySet<ResourcePath>;
  readonly #known = new Map<string, readonly Resource[]>();

  /** @param patterns RESOURCE columns of all rows */
  constructor(fabrics: readonly Fabric[], patterns: Iterable<string>) {
    this.#fabrics = fabrics;
    const ports = new Set<ResourcePath>();
    for (const fabric of fabrics) {
      for (const path of fabric.objects) {
        this.#everything.add(path);
        entry(this.#byOwner, String(fabric.ownerOf(path)), () => new Set<ResourcePath>()).add(path);
        const kind = parsePath(path)?.kind;
        if (kind === 'switch') this.#switches.add(path);
        if (kind === 'port') ports.add(path);
      }
    }
    for (const text of patterns) {
      const path = text as ResourcePath;
      if (!this.#everything.has(path) && fabrics.some((fabric) => fabric.exists(path))) this.#named.add(path);
    }
    this.#ports = ports;
  }

  /** Everything that the tenant may name under any of the fabrics. */
  of(tenant: string): readonly Resource[] {
    return entry(this.#known, tenant, () => {
      const owned = this.#byOwner.get(tenant) ?? [];
      const own = tenant === FABRIC_TENANT ? this.#everything : owned;
      const paths = new Set<ResourcePath>([...this.#switches, ...own, ...this.#named]);
      const gates = (path: ResourcePath): readonly Gate[] =>
        this.#fabrics.map((fabric) => gateOf(fabric, tenant, path));
      const listed = [...paths].map((path): Resource => ({ path, shown: path, gates: gates(path) }));
      const unlisted = [...own]
        .filter((path) => this.#ports.has(path))
        .flatMap((port) => this.#below(port, gates(port)));
      return [...listed, ...unlisted].filter((resource) => resource.gates.some((gate) => gate !== 'none'));
    });
  }

  /**
   * One for all heads, one for all hosts and one for all tags below a port, which nothing but a row that names one tells
   * apart: they are whose the port is.
   */
  #below(port: ResourcePath, gates: readonly Gate[]): readonly Resource[] {
    const of = (words: string, stem: ResourcePath, last: number, radix: number): Resource => {
      return { path: this.#unnamed(stem, last, radix), shown: `${port}/${words}/*`, gates };
    };
    return [
      of('heads', `${port}/heads/`, LAST_ID, 10),
      of('hosts', `${port}/hosts/`, LAST_ID, 10),
      of('tags', `${port}/tags/ffffffff-ffff-ffff-ffff-`, LAST_TAG_PART, 16),
    ];
  }

  #unnamed(stem: ResourcePath, last: number, radix: number): ResourcePath {
    let id = last;
    while (this.#named.has(`${stem}${id.toString(radix)}`)) id -= 1;
    return `${stem}${id.toString(radix)}`;
  }

  /** Classes of the tenant's resources. @param hasRows does the policy have a row with that RESOURCE column? */
  classes(tenant: string, hasRows: (side: number, pattern: string) => boolean): readonly ResourceClass[] {
    const found = new Map<string, { readonly shape: Omit<ResourceClass, 'members'>; readonly members: Resource[] }>();
    for (const resource of this.of(tenant)) {
      const patterns = this.#fabrics.map((fabric, side) => {
        const isOwn = fabric.ownerOf(resource.path) === tenant;
        const all = isOwn ? [...coveringPatterns(resource.path), OWN] : coveringPatterns(resource.path);
        return all.filter((pattern) => hasRows(side, pattern));
      });
      const shape = { gates: resource.gates, patterns };
      const key = JSON.stringify(shape);
      const known = found.get(key);
      if (known === undefined) found.set(key, { shape, members: [resource] });
      else known.members.push(resource);
    }
    return [...found.values()].map(({ shape, members }) => ({ ...shape, members }));
  }
}
