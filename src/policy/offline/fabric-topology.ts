import type { Component, Hop } from '../../cci/index.ts';
import type { Binding, DeviceKind, Fabric, PortView, TopologyView, VcsView } from '../types.ts';

/** State of one switch that the fabric file does not tell, as a test suite or a question assumes it. */
export interface AssumedState {
  /** False: nothing about the fabric is known, as after a change that the broker did not cause. Default true. */
  readonly known?: boolean;
  readonly switchCci?: TopologyView['switchCci'];
  /** What hangs on a port. Default: an MLD where the file lists LDs, an SLD elsewhere. */
  readonly devices?: ReadonlyMap<number, DeviceKind>;
  /** Port id of the upstream port of a VCS. Default: none is known. */
  readonly usps?: ReadonlyMap<number, number>;
  /** Binding of vPPB `index`, by VCS. Default: unbound. */
  readonly bindings?: ReadonlyMap<number, ReadonlyMap<number, Binding>>;
  /** Opcodes that are never sent to this device, with the reason. */
  readonly neverSend?: ReadonlyMap<number, string>;
  /** Owner of a capacity tag, by `PORT/UUID`. */
  readonly tagOwners?: ReadonlyMap<string, string>;
}

/** No port has this id: the upstream port of a VCS that nobody named. */
const NO_PORT = -1;

let everyOpcode: ReadonlyMap<number, number> | undefined;

/** Every opcode without effects: a Command Effects Log that stands in nobody's way. Made when it is asked for first. */
function laxCel(): ReadonlyMap<number, number> {
  everyOpcode ??= new Map(Array.from({ length: 0x10000 }, (_, opcode) => [opcode, 0]));
  return everyOpcode;
}

/**
 * The switch that a fabric file describes, as a picture to decide on without any device: everything is there and works,
 * nothing is bound unless `assumed` says so, and every component declares every command. Undefined: no such switch.
 */
export function fabricTopology(fabric: Fabric, name: string, assumed: AssumedState = {}): TopologyView | undefined {
  const listed = fabric.switches.get(name);
  if (listed === undefined) return undefined;
  const usps = new Set(assumed.usps?.values() ?? []);
  const ports = new Map<number, PortView>();
  for (const [id, { lds }] of listed.ports) {
    const device = assumed.devices?.get(id) ?? (usps.has(id) ? 'none' : lds > 0 ? 'mld' : 'sld');
    ports.set(id, { id, role: usps.has(id) ? 'usp' : 'dsp', device, ldCount: device === 'mld' ? lds : 0 });
  }
  const vcss = new Map<number, VcsView>();
  for (const [id, { vppbs }] of listed.vcss) {
    const bound = assumed.bindings?.get(id);
    const bindings = Array.from({ length: vppbs }, (_, vppb): Binding => bound?.get(vppb) ?? { kind: 'unbound' });
    vcss.set(id, { id, usp: assumed.usps?.get(id) ?? NO_PORT, vppbs: bindings });
  }
  const known = assumed.known ?? true;
  const { tagOwners } = assumed;
  return {
    version: 1,
    known,
    ports: known ? ports : new Map(),
    vcss: known ? vcss : new Map(),
    switchCci: assumed.switchCci ?? 'fm-interface',
    component: (hops) => componentAt(ports, hops),
    cel: laxCel,
    neverSend: assumed.neverSend ?? new Map(),
    ...(tagOwners === undefined ? {} : { tagOwner: (port, tag) => tagOwners.get(`${port}/${tag}`) }),
  };
}

function componentAt(ports: ReadonlyMap<number, PortView>, [first, second]: readonly Hop[]): Component | 'unknown' {
  if (first === undefined) return 'switch';
  if (first.kind !== 'port') return 'unknown';
  const device = ports.get(first.port)?.device;
  if (second === undefined) return device === 'mld' ? 'fm-owned-ld' : device === 'sld' ? 'sld' : 'unknown';
  if (device !== 'mld') return 'unknown';
  return second.kind === 'ldpool' ? 'ld-pool-cci' : 'ld';
}
