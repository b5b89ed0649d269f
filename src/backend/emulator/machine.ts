import { buildState } from './build.ts';
import type { EmulatorEvent } from './events.ts';
import type { CarrierFault } from './faults.ts';
import type { MachineOptions } from './options.ts';
import type { CciState, DeviceState, MachineState, PortState, TimerEvent, VcsState } from './state.ts';
import type { DeviceSpec, Topology } from './topology.ts';

/**
 * A state together with what follows from it: look-up tables, encoded blocks that are kept until they change, the
 * clock. What it does lives in the modules beside this one, as functions over it.
 */
export class Machine {
  readonly topology: Topology;
  readonly options: MachineOptions;
  state: MachineState;
  /** Milliseconds since the machine was made; moves only between commands. */
  nowMs = 0;
  /** Encoded port information blocks by port id. */
  readonly portBlocks: (Uint8Array | null)[] = new Array(256).fill(null);
  /** Encoded vPPB entries (4 bytes each) by VCS id. */
  readonly vppbBlocks: (Uint8Array | null)[] = new Array(256).fill(null);
  /** What shall happen to the reply of the command that runs now. */
  carrier: CarrierFault | null = null;
  /** Faults of reply headers inside the tunnel that runs now. */
  innerFaults: { readonly layer: number; readonly kind: 'wrong-opcode' | 'wrong-tag' }[] = [];
  private readonly ccis = new Map<string, CciState>();
  private readonly observers = new Set<(event: EmulatorEvent) => void>();
  private originMs: number;

  constructor(topology: Topology, options: MachineOptions) {
    this.topology = topology;
    this.options = options;
    this.originMs = options.clock();
    this.state = buildState(topology, options);
    this.index();
  }

  /** Puts another state in the place of this one. Its time goes on where it was saved. */
  replace(state: MachineState, nowMs: number): void {
    this.state = state;
    this.nowMs = nowMs;
    this.originMs = this.options.clock() - nowMs;
    this.index();
  }

  private index(): void {
    this.ccis.clear();
    this.portBlocks.fill(null);
    this.vppbBlocks.fill(null);
    this.ccis.set(this.state.cci.path, this.state.cci);
    for (const device of this.state.devices) {
      this.ccis.set(device.cci.path, device.cci);
      if (device.pool !== null) this.ccis.set(device.pool.path, device.pool);
      for (const ld of device.lds) this.ccis.set(ld.cci.path, ld.cci);
    }
  }

  /** What the clock says now, which never runs backwards. */
  clockMs(): number {
    return Math.max(this.nowMs, this.options.clock() - this.originMs);
  }

  cci(path: string): CciState {
    const found = this.ccis.get(path);
    if (found === undefined) throw new RangeError(`no cci ${path}`);
    return found;
  }

  port(id: number): PortState | undefined {
    return this.state.ports[id] ?? undefined;
  }

  vcs(id: number): VcsState | undefined {
    return this.state.vcss[id] ?? undefined;
  }

  deviceAt(port: PortState): DeviceState | undefined {
    return port.device === null ? undefined : this.state.devices[port.device];
  }

  specOf(device: DeviceState): DeviceSpec {
    const spec = this.topology.devices[device.index];
    if (spec === undefined) throw new RangeError(`no device ${device.index}`);
    return spec;
  }

  /** To be called after every change of what 5101h shows of a port. */
  portChanged(id: number): void {
    this.portBlocks[id] = null;
  }

  vcsChanged(id: number): void {
    this.vppbBlocks[id] = null;
  }

  /** Plans an event; of two at one instant the one planned first happens first. */
  schedule(afterMs: number, event: TimerEvent): void {
    const { timers } = this.state;
    const timer = { atMs: this.nowMs + afterMs, sequence: this.state.timerSequence++, event };
    let at = timers.length;
    while (at > 0 && (timers[at - 1]?.atMs ?? 0) > timer.atMs) at--;
    timers.splice(at, 0, timer);
  }

  /** The next number of the seeded generator (mulberry32), 0 <= n < 1. */
  random(): number {
    this.state.random = (this.state.random + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.state.random ^ (this.state.random >>> 15), 1 | this.state.random);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  }

  observe(observer: (event: EmulatorEvent) => void): () => void {
    this.observers.add(observer);
    return () => this.observers.delete(observer);
  }

  tell(event: EmulatorEvent): void {
    if (this.observers.size > 0) for (const observer of this.observers) observer(event);
  }
}
