import { finishBackground } from './background.ts';
import { bindBehindBack, linkReleased, unbindBehindBack } from './bindings.ts';
import { capacityEvents, dcdOf, takeAway } from './capacity.ts';
import { answerOffer } from './capacity-hosts.ts';
import type { Offer } from './dcd-state.ts';
import { emit, LOG } from './events.ts';
import type { FaultRule } from './fault-schema.ts';
import { arm } from './faults.ts';
import { powerOff, powerOn, startTraining } from './links.ts';
import type { Machine } from './machine.ts';
import { portBlock } from './port-block.ts';
import { powerCycleSwitch } from './resets.ts';
import type { DeviceState, PortState } from './state.ts';
import { advance } from './timers.ts';

/**
 * Everything that happens to a switch without a command: hands on cables, hosts, other fabric managers, faults. For
 * rehearsal and tests; nothing on the wire reaches it.
 *
 * Methods return false, and do nothing, where the ids name nothing they can act on.
 */
export class EmulatorControl {
  private readonly machine: Machine;

  constructor(machine: Machine) {
    this.machine = machine;
  }

  /** Arms a fault. */
  inject(rule: FaultRule): void {
    arm(this.machine, rule);
  }

  /** Disarms everything, frees the doorbell, lets every CEL speak the truth. */
  clearFaults(): void {
    this.machine.state.faults = [];
    this.machine.state.stuckCommands = 0;
    this.machine.state.celLies = null;
  }

  /** Another manager binds a free port or LD: no command, no event record. */
  bindBehindBack(binding: {
    readonly vcs: number;
    readonly vppb: number;
    readonly port: number;
    readonly ld?: number;
  }): boolean {
    advance(this.machine);
    return bindBehindBack(this.machine, binding.vcs, binding.vppb, binding.port, binding.ld ?? null);
  }

  unbindBehindBack(binding: { readonly vcs: number; readonly vppb: number }): boolean {
    advance(this.machine);
    return unbindBehindBack(this.machine, binding.vcs, binding.vppb);
  }

  /** The host lets the link of a port go down: an unbind that waits for it ends. */
  releaseLink(port: number): void {
    advance(this.machine);
    linkReleased(this.machine, port);
  }

  /** Pulls the device out of a port. */
  unplug(portId: number): boolean {
    advance(this.machine);
    const port = this.machine.port(portId);
    if (port?.role !== 'dsp' || port.device === null) return false;
    powerOff(this.machine, port);
    port.device = null;
    port.powerOff = false;
    this.slotEvent(port);
    return true;
  }

  /** Puts the device of the topology back into its port; the link trains. */
  plug(portId: number): boolean {
    advance(this.machine);
    const port = this.machine.port(portId);
    const spec = this.machine.topology.ports.find((candidate) => candidate.id === portId);
    if (port === undefined || port.device !== null || spec === undefined || spec.device === null) return false;
    port.device = spec.device;
    this.slotEvent(port);
    startTraining(this.machine, port);
    return true;
  }

  /** Slot power off and on: a cold reset of the device. */
  powerCyclePort(portId: number): boolean {
    advance(this.machine);
    const port = this.machine.port(portId);
    if (port?.role !== 'dsp') return false;
    powerOff(this.machine, port);
    powerOn(this.machine, port);
    return true;
  }

  /** The whole switch loses power and comes back. */
  powerCycle(): void {
    advance(this.machine);
    powerCycleSwitch(this.machine);
    this.machine.state.stuckCommands = 0;
  }

  /** Ends the background operation of a CCI (`switch`, `d0`, `d0/ld1`, `d0/pool`) at once. */
  endBackground(cci = 'switch'): void {
    advance(this.machine);
    finishBackground(this.machine, this.machine.cci(cci));
  }

  /** An error message of a device on an MLD port, as an event record of the switch. */
  mldError(portId: number, severity: 'correctable' | 'nonfatal' | 'fatal'): void {
    advance(this.machine);
    emit(this.machine, this.machine.state.cci, severity === 'correctable' ? LOG.warning : LOG.failure, {
      kind: 'mld-port',
      port: portId,
      type: `${severity}-error-message`,
      message: new Uint8Array(8),
    });
  }

  /** Sets the domain validation secret of a VCS as its host would through its own mailbox. */
  setSecret(vcsId: number, uuid: string): boolean {
    const vcs = this.machine.vcs(vcsId);
    if (vcs === undefined || vcs.secret !== null) return false;
    vcs.secret = uuid;
    return true;
  }

  /** Offers of dynamic capacity that hosts of the device behind a port have not answered. */
  offers(portId: number): readonly Offer[] {
    const device = this.dcd(portId);
    return device === undefined ? [] : dcdOf(device).offers;
  }

  /** A host answers an offer. */
  answerOffer(portId: number, offer: number, accepts: boolean): boolean {
    advance(this.machine);
    const device = this.dcd(portId);
    return device !== undefined && answerOffer(this.machine, device, offer, accepts);
  }

  /** A host gives back all its dynamic capacity unasked. */
  hostReleasesAll(portId: number, host: number): boolean {
    advance(this.machine);
    const device = this.dcd(portId);
    const held = device === undefined ? undefined : dcdOf(device).hosts[host];
    if (device === undefined || held === undefined) return false;
    const released = [...held];
    takeAway(dcdOf(device), host, released);
    capacityEvents(this.machine, device, 'capacity-released', host, released);
    return true;
  }

  private dcd(portId: number): DeviceState | undefined {
    const port = this.machine.port(portId);
    const device = port === undefined ? undefined : this.machine.deviceAt(port);
    return device === undefined || device.dcd === null ? undefined : device;
  }

  private slotEvent(port: PortState): void {
    this.machine.portChanged(port.id);
    emit(this.machine, this.machine.state.cci, LOG.informational, {
      kind: 'physical-switch',
      port: port.id,
      type: 'slot-status-register-updated',
      slotStatus: port.device === null ? 0x08 : 0x48,
      block: portBlock(this.machine, port),
    });
  }
}
