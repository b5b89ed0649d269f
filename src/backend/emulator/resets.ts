import { loseBackground } from './background.ts';
import { L0 } from './build.ts';
import type { Machine } from './machine.ts';
import type { CciState, DeviceState, VppbState } from './state.ts';

/** Conventional reset of a device: operations and transfers end, volatile settings fall back, media keep their data. */
export function conventionalReset(_machine: Machine, device: DeviceState): void {
  for (const cci of ccisOf(device)) resetCci(cci);
  device.firmware.transfer = null;
  device.config = null;
  for (const ld of device.lds) ld.config = null;
}

/** Power lost and found: a staged firmware starts, a new partition holds, locks close, timestamps are forgotten. */
export function coldReset(machine: Machine, device: DeviceState): void {
  conventionalReset(machine, device);
  for (const cci of ccisOf(device)) cci.timestamp = null;
  applyStagedFirmware(device.firmware);
  device.memory = null;
  // Nobody answers an offer from before: it has to be made again.
  if (device.dcd !== null) device.dcd.offers = [];
  for (const media of [device.media, ...device.lds.map((ld) => ld.media)]) {
    if (media === null) continue;
    if (media.nextVolatileBytes !== null) media.volatileBytes = media.nextVolatileBytes;
    media.nextVolatileBytes = null;
    if (media.dirty) media.dirtyShutdowns++;
    media.dirty = false;
    media.security.locked = media.security.user !== null;
    media.security.frozen = false;
    media.security.userFailures = 0;
    media.security.masterFailures = 0;
  }
}

/** The switch loses power and comes back: bindings stay as they are stored, everything volatile is gone. */
export function powerCycleSwitch(machine: Machine): void {
  const { state } = machine;
  resetCci(state.cci);
  state.cci.timestamp = null;
  state.cci.events = null;
  state.hostSecret = null;
  state.timers = [];
  applyStagedFirmware(state.firmware);
  state.firmware.transfer = null;
  for (const vcs of state.vcss) {
    if (vcs === null) continue;
    vcs.secret = null;
    vcs.vppbs.forEach((vppb, id) => {
      // An unfinished change never happened: the binding is what was last written to flash.
      if (vppb.status === 'in-progress') settle(machine, vcs.id, id, vppb);
    });
    machine.vcsChanged(vcs.id);
  }
  for (const port of state.ports) {
    if (port === null) continue;
    port.transition = null;
    port.config = null;
    port.perst = false;
    port.powerOff = false;
    port.ltssm = port.device === null && port.role === 'dsp' ? 0 : L0;
    port.training++;
    machine.portChanged(port.id);
  }
  for (const device of state.devices) coldReset(machine, device);
}

function settle(machine: Machine, vcsId: number, vppbId: number, vppb: VppbState): void {
  const port = machine.port(vppb.port);
  const device = port === undefined ? undefined : machine.deviceAt(port);
  const owner = vppb.ld === null ? port?.bound : device?.lds[vppb.ld]?.bound;
  const mine = owner?.vcs === vcsId && owner.vppb === vppbId;
  if (mine) vppb.status = vppb.ld === null ? 'port' : 'ld';
  else {
    vppb.status = 'unbound';
    vppb.port = 0;
    vppb.ld = null;
  }
}

function resetCci(cci: CciState): void {
  loseBackground(cci);
  cci.featureTransfer = null;
  cci.interruptPolicy = [0, 0, 0, 0, 0];
  cci.mctpPolicy = 0;
  for (const feature of cci.features?.values() ?? []) if (feature.saved !== null) feature.current = feature.saved;
}

function ccisOf(device: DeviceState): readonly CciState[] {
  return [device.cci, ...(device.pool === null ? [] : [device.pool]), ...device.lds.map((ld) => ld.cci)];
}

function applyStagedFirmware(firmware: { active: number; staged: number }): void {
  if (firmware.staged !== 0) firmware.active = firmware.staged;
  firmware.staged = 0;
}
