import type { Hop } from '../../cci/index.ts';
import { FABRIC_TENANT, type Fabric, type ResourcePath } from '../../policy/index.ts';

/** Whose eyes a reply is filtered for. */
export interface View {
  readonly tenant: string;
  readonly switch: string;
  readonly fabric: Fabric;
  /** Where the command was executed. */
  readonly hops: readonly Hop[];
  /** May this caller run that opcode there? For the CEL he is shown. */
  mayRun(opcode: number): boolean;
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
