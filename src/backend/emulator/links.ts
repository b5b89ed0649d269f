import { linkReleased } from './bindings.ts';
import { L0 } from './build.ts';
import { emit, LOG } from './events.ts';
import type { Machine } from './machine.ts';
import { portBlock } from './port-block.ts';
import { coldReset, conventionalReset } from './resets.ts';
import type { PortState } from './state.ts';

const DETECT = 0;
const POLLING = 1;

/** Is there a trained link to a device? Tunnels and requests need one. */
export function linked(port: PortState): boolean {
  return port.device !== null && port.ltssm === L0;
}

/** PERST# asserted: the link goes down and the device below is held in reset. */
export function assertPerst(machine: Machine, port: PortState): void {
  if (port.perst) return;
  port.perst = true;
  takeDown(machine, port);
}

export function deassertPerst(machine: Machine, port: PortState): void {
  if (!port.perst) return;
  port.perst = false;
  startTraining(machine, port);
}

/** Reset of the PPB: its registers fall back, a hot reset runs over the link, the link trains again. */
export function resetPpb(machine: Machine, port: PortState): void {
  port.config = null;
  takeDown(machine, port);
  if (!port.perst) startTraining(machine, port);
}

/** Surprise removal, insertion, power: the link follows. */
export function powerOff(machine: Machine, port: PortState): void {
  port.powerOff = true;
  takeDown(machine, port);
  const device = machine.deviceAt(port);
  if (device !== undefined) coldReset(machine, device);
}

export function powerOn(machine: Machine, port: PortState): void {
  port.powerOff = false;
  startTraining(machine, port);
}

function takeDown(machine: Machine, port: PortState): void {
  const wasUp = port.ltssm === L0;
  port.ltssm = DETECT;
  port.training++;
  machine.portChanged(port.id);
  const device = machine.deviceAt(port);
  // A device that vanishes takes its operations with it.
  if (device !== undefined) conventionalReset(machine, device);
  linkReleased(machine, port.id);
  if (wasUp) linkEvent(machine, port);
}

export function startTraining(machine: Machine, port: PortState): void {
  if (port.device === null && port.role === 'dsp') return;
  if (port.perst || port.powerOff) return;
  port.ltssm = POLLING;
  port.training++;
  machine.portChanged(port.id);
  machine.schedule(machine.options.timing.linkTrainingMs, {
    kind: 'link-up',
    port: port.id,
    training: port.training,
  });
}

export function linkUp(machine: Machine, id: number, training: number): void {
  const port = machine.port(id);
  if (port === undefined || port.training !== training) return;
  port.ltssm = L0;
  machine.portChanged(id);
  linkEvent(machine, port);
}

function linkEvent(machine: Machine, port: PortState): void {
  emit(machine, machine.state.cci, LOG.informational, {
    kind: 'physical-switch',
    port: port.id,
    type: 'link-state-change',
    slotStatus: port.device === null ? 0 : 0x40,
    block: portBlock(machine, port),
  });
}
