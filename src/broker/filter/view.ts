import type { Hop } from '../../cci/index.ts';
import { FABRIC_TENANT, type Fabric, type ResourcePath, type TopologyView } from '../../policy/index.ts';
import type { Pseudonyms } from './pseudonyms.ts';

/** Whose eyes a reply is filtered for. */
export interface View {
  readonly tenant: string;
  readonly switch: string;
  readonly fabric: Fabric;
  /** Where the command was executed. */
  readonly hops: readonly Hop[];
  /** May this caller run that opcode there? For the CEL he is shown. */
  mayRun(opcode: number): boolean;
  /** Row L7: even operators are shown names in place of others' serial numbers and tags. */
  readonly pseudonyms?: Pseudonyms;
}

/** Operators see replies as the device gave them. */
export function seesAll(view: View): boolean {
  return view.tenant === FABRIC_TENANT;
}

function owns(view: View, path: ResourcePath): boolean {
  return view.fabric.ownerOf(path) === view.tenant;
}

/** A port is visible to its owner. An LD below a shared port makes that LD visible, not the port. */
export function seesPort(view: View, port: number): boolean {
  return owns(view, `/switches/${view.switch}/ports/${port}`);
}

export function ownsVcs(view: View, vcs: number): boolean {
  return owns(view, `/switches/${view.switch}/vcss/${vcs}`);
}

/** LD of the MLD on whose FM-owned LD the command ran. False for every id that does not exist. */
export function ownsLd(view: View, ld: number): boolean {
  const port = view.hops[0];
  return port?.kind === 'port' && ownsLdOf(view, port.port, ld);
}

/** LD of the MLD behind a port. False for every id that does not exist. */
export function ownsLdOf(view: View, port: number, ld: number): boolean {
  const path: ResourcePath = `/switches/${view.switch}/ports/${port}/lds/${ld}`;
  return view.fabric.exists(path) && owns(view, path);
}

/** Host of the device where the command ran. A device that others share as well tells of no host but one's LD's own. */
export function ownsHost(view: View, topology: TopologyView, host: number): boolean {
  const port = view.hops[0];
  if (port?.kind !== 'port') return false;
  return portsOf(topology, port.port).every((id) => owns(view, `/switches/${view.switch}/ports/${id}/hosts/${host}`));
}

/** A capacity tag (UUID text) of the device where the command ran: whoever first added it, else the port's owner's. */
export function ownsTag(view: View, topology: TopologyView, tag: string): boolean {
  return ownerOfTag(view, topology, tag) === view.tenant;
}

/** Everything at the end of the path is the caller's, behind every port that leads there. */
export function ownsEnd(view: Omit<View, 'mayRun'>, topology: TopologyView): boolean {
  const [port, below] = view.hops;
  if (port?.kind !== 'port') return false;
  return portsOf(topology, port.port).every((id) => {
    const path: ResourcePath = `/switches/${view.switch}/ports/${id}`;
    if (view.fabric.ownerOf(path) === view.tenant) return true;
    return below?.kind === 'ld' && view.fabric.ownerOf(`${path}/lds/${below.ld}`) === view.tenant;
  });
}

/** Undefined where nobody can be named. */
export function ownerOfTag(view: View, topology: TopologyView, tag: string): string | undefined {
  const port = view.hops[0];
  if (port?.kind !== 'port') return undefined;
  const recorded = topology.tagOwner?.(port.port, tag);
  if (recorded !== undefined) return recorded;
  const owners = portsOf(topology, port.port).map((id) => view.fabric.ownerOf(`/switches/${view.switch}/ports/${id}`));
  return owners.every((owner) => owner === owners[0]) ? owners[0] : FABRIC_TENANT;
}

/** The port, and the others that lead to the same device. */
function portsOf(topology: TopologyView, port: number): readonly number[] {
  return [port, ...(topology.ports.get(port)?.beside ?? [])];
}

/** Has a tenant a part in what is behind the port? What is not in the fabric file is the operators'. */
export function isOfOthers(fabric: Fabric, switchName: string, port: number): boolean {
  const path: ResourcePath = `/switches/${switchName}/ports/${port}`;
  const lds = fabric.switches.get(switchName)?.ports.get(port)?.lds ?? 0;
  const parts = [path, ...Array.from({ length: lds }, (_, ld): ResourcePath => `${path}/lds/${ld}`)];
  return parts.some((part) => (fabric.ownerOf(part) ?? FABRIC_TENANT) !== FABRIC_TENANT);
}
