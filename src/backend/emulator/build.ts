import { newDcd } from './dcd-state.ts';
import { newFirmware } from './firmware-state.ts';
import { MAX_MESSAGE_EXPONENT, type MachineOptions } from './options.ts';
import type { CciState, ComponentKind, DeviceState, LdState, MachineState, PortState, VcsState } from './state.ts';
import type { DeviceSpec, PortSpec, Topology } from './topology.ts';
import { granuleBytes } from './topology-resolve.ts';

/** `ltssm_state` L0. */
export const L0 = 4;

/** The state after power-on: links trained, bindings of the topology in force, nothing running. */
export function buildState(topology: Topology, options: MachineOptions): MachineState {
  const devices = topology.devices.map(buildDevice);
  const ports: (PortState | null)[] = new Array(256).fill(null);
  for (const port of topology.ports) ports[port.id] = buildPort(port);
  const vcss: (VcsState | null)[] = new Array(256).fill(null);
  for (const vcs of topology.vcss) {
    const state: VcsState = {
      id: vcs.id,
      usp: vcs.usp,
      vppbs: Array.from({ length: vcs.vppbs }, () => ({ status: 'unbound', port: 0, ld: null })),
      secret: null,
    };
    vcss[vcs.id] = state;
    for (const binding of vcs.bindings) {
      const port = ports[binding.port];
      state.vppbs[binding.vppb] = {
        status: binding.ld === null ? 'port' : 'ld',
        port: binding.port,
        ld: binding.ld,
      };
      if (port === null || port === undefined) continue;
      if (binding.ld === null) port.bound = { vcs: vcs.id, vppb: binding.vppb };
      else {
        const ld = port.device === null ? undefined : devices[port.device]?.lds[binding.ld];
        if (ld !== undefined) ld.bound = { port: port.id, vcs: vcs.id, vppb: binding.vppb };
      }
    }
  }
  return {
    random: options.seed | 0,
    timerSequence: 0,
    timers: [],
    cci: newCci('switch', 'switch', topology.switch.serial),
    ports,
    vcss,
    devices,
    firmware: newFirmware('switch-1.0'),
    hostSecret: null,
    faults: [],
    stuckCommands: 0,
    celLies: null,
  };
}

export function newCci(path: string, kind: ComponentKind, serial: bigint): CciState {
  return {
    path,
    kind,
    serial,
    limit: MAX_MESSAGE_EXPONENT,
    background: null,
    lastBackground: null,
    timestamp: null,
    events: null,
    nextEventHandle: 1,
    interruptPolicy: [0, 0, 0, 0, 0],
    mctpPolicy: 0,
    features: null,
    featureTransfer: null,
    logs: null,
  };
}

function buildPort(spec: PortSpec): PortState {
  const up = spec.device !== null || spec.role !== 'dsp';
  return {
    id: spec.id,
    role: spec.role,
    device: spec.device,
    head: spec.head,
    maximumWidth: spec.maximumWidth,
    negotiatedWidth: spec.negotiatedWidth,
    maximumSpeed: spec.maximumSpeed,
    ltssm: up ? L0 : 0,
    perst: false,
    powerOff: false,
    training: 0,
    transition: null,
    bound: null,
    config: null,
  };
}

function buildDevice(spec: DeviceSpec, index: number): DeviceState {
  const path = `d${index}`;
  const pooled = spec.kind === 'mld' || spec.heads > 1;
  const granule = granuleBytes(spec.granularity);
  let base = 0n;
  const lds = spec.allocationBytes.map((bytes, id): LdState => {
    const range1 = bytes / granule;
    const ld: LdState = {
      id,
      // Each component has a serial number of its own: the device's with the LD in the bits above.
      cci: newCci(`${path}/ld${id}`, 'ld', spec.serial + (BigInt(id + 1) << 48n)),
      bound: null,
      range1,
      range2: 0n,
      base1: base,
      base2: 0n,
      qosFraction: Math.floor(256 / spec.allocationBytes.length) & 0xff,
      qosLimit: 0,
      config: null,
      memory: null,
      media: null,
    };
    base += range1;
    return ld;
  });
  return {
    index,
    cci: newCci(path, spec.kind === 'mld' ? 'fm-owned-ld' : 'sld', spec.serial),
    pool: pooled ? newCci(`${path}/pool`, 'ld-pool-cci', spec.serial + (0xffn << 48n)) : null,
    lds,
    qos: { enables: 0, moderate: 10, severe: 25, sampleInterval: 8, requestBasis: 0, completionInterval: 0 },
    firmware: newFirmware(spec.kind === 'mld' ? 'mld-1.0' : 'sld-1.0'),
    media: null,
    dcd: spec.dynamicCapacity === null ? null : newDcd(spec.dynamicCapacity, spec.capacityBytes),
    config: null,
    memory: null,
  };
}
