import { FABRIC_TENANT, type Fabric, type FabricSwitch, type ResourcePath } from '../types.ts';
import { type ParsedPath, parsePath } from './path.ts';

/** Which objects exist, who owns them; answers by look-up. Immutable. */
export class OwnedFabric implements Fabric {
  readonly tenants: readonly string[];
  readonly switches: ReadonlyMap<string, FabricSwitch>;
  readonly objects: readonly ResourcePath[];
  readonly #owners: ReadonlyMap<string, string>;

  /**
   * @param owned what tenants own explicitly: canonical paths of VCSs, ports and LDs. INVARIANT: no path below another.
   */
  constructor(
    tenants: Iterable<string>,
    switches: ReadonlyMap<string, FabricSwitch>,
    owned: ReadonlyMap<string, string>,
  ) {
    this.tenants = [...new Set([...tenants, FABRIC_TENANT])].toSorted();
    this.switches = switches;
    const owners = new Map<string, string>();
    const enter = (path: ResourcePath, inherited: string): string => {
      const owner = owned.get(path) ?? inherited;
      owners.set(path, owner);
      return owner;
    };
    for (const { name, ports, vcss } of [...switches.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
      const root: ResourcePath = `/switches/${name}`;
      enter(root, FABRIC_TENANT);
      for (const [id, { lds }] of byId(ports)) {
        const port: ResourcePath = `${root}/ports/${id}`;
        const owner = enter(port, FABRIC_TENANT);
        for (let ld = 0; ld < lds; ld += 1) enter(`${port}/lds/${ld}`, owner);
        if (lds > 0) enter(`${port}/ldpool`, owner);
      }
      for (const [id, { vppbs }] of byId(vcss)) {
        const vcs: ResourcePath = `${root}/vcss/${id}`;
        const owner = enter(vcs, FABRIC_TENANT);
        for (let vppb = 0; vppb < vppbs; vppb += 1) enter(`${vcs}/vppbs/${vppb}`, owner);
      }
    }
    this.#owners = owners;
    this.objects = [...owners.keys()] as ResourcePath[];
  }

  ownerOf(path: ResourcePath): string | undefined {
    const owner = this.#owners.get(path);
    if (owner !== undefined) return owner;
    const parsed = parsePath(path);
    const parent = unlistedParent(parsed);
    if (parent === undefined) return undefined;
    // Host h of an MLD is the host of its LD h; behind one device that is no MLD all hosts are the port's.
    const ld =
      parsed?.kind === 'host' ? this.#owners.get(`${parent}/lds/${path.slice(path.lastIndexOf('/') + 1)}`) : undefined;
    return ld ?? this.#owners.get(parent);
  }

  exists(path: ResourcePath): boolean {
    return this.ownerOf(path) !== undefined;
  }
}

function byId<T>(map: ReadonlyMap<number, T>): (readonly [number, T])[] {
  return [...map].toSorted(([a], [b]) => a - b);
}

/** Heads, hosts and tags of a port come and go at run time: no file lists them, they are the port owner's at first. */
function unlistedParent(path: ParsedPath | undefined): string | undefined {
  if (path === undefined) return undefined;
  return path.kind === 'head' || path.kind === 'host' || path.kind === 'tag' ? path.parent : undefined;
}
