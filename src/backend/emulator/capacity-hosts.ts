import { RC } from '../../cci/index.ts';
import { capacityEvents, changed, dcdOf, dcdSpecOf, type Span, takeAway, within } from './capacity.ts';
import type { Extent } from './dcd-state.ts';
import type { Machine } from './machine.ts';
import type { DeviceState } from './state.ts';

const INVALID_ADDRESS = 0x000f;

/** The hosts' side of dynamic capacity: answers to offers, by a timer, by a test, or by 4802h and 4803h. */

/** An emulated host answers as its topology says. */
export function hostAnswers(machine: Machine, deviceIndex: number, offerId: number): void {
  const device = machine.state.devices[deviceIndex];
  if (device === undefined || device.dcd === null) return;
  answerOffer(machine, device, offerId, dcdSpecOf(machine, device).hostAnswer !== 'refuse');
}

/** Answers one offer as a whole. @returns false where there is none of that number */
export function answerOffer(machine: Machine, device: DeviceState, offerId: number, accepts: boolean): boolean {
  const dcd = dcdOf(device);
  const found = dcd.offers.find((candidate) => candidate.id === offerId);
  if (found === undefined) return false;
  dcd.offers = dcd.offers.filter((candidate) => candidate !== found);
  if (!accepts) {
    changed(dcd, found.host);
    return true;
  }
  if (found.kind === 'add') accept(machine, device, found.host, found.extents);
  else {
    takeAway(dcd, found.host, found.extents);
    capacityEvents(machine, device, 'capacity-released', found.host, found.extents);
  }
  return true;
}

function accept(machine: Machine, device: DeviceState, host: number, extents: readonly Extent[]): void {
  const dcd = dcdOf(device);
  dcd.hosts[host]?.push(...extents);
  changed(dcd, host);
  capacityEvents(machine, device, 'add-capacity-response', host, extents);
}

/** Add Dynamic Capacity Response (4802h): answers the oldest offer; what is not accepted goes back. */
export function acceptSpans(
  machine: Machine,
  device: DeviceState,
  host: number,
  spans: readonly Span[],
  more: boolean,
): number {
  const dcd = dcdOf(device);
  const open = dcd.offers.find((candidate) => candidate.kind === 'add' && candidate.host === host);
  // Nothing accepted of nothing offered.
  if (open === undefined) return spans.length === 0 ? RC.success : RC.invalidInput;
  const accepted: Extent[] = [];
  for (const span of spans) {
    const source = open.extents.find((extent) => within(span, extent));
    if (source === undefined || span.length === 0n) return INVALID_ADDRESS;
    if (accepted.some((other) => span.dpa < other.dpa + other.length && other.dpa < span.dpa + span.length)) {
      return INVALID_ADDRESS;
    }
    accepted.push({ ...source, dpa: span.dpa, length: span.length });
  }
  open.extents = open.extents.filter((extent) => !accepted.some((taken) => within(taken, extent)));
  if (!more) dcd.offers = dcd.offers.filter((candidate) => candidate !== open);
  accept(machine, device, host, accepted);
  return RC.success;
}

/** Release Dynamic Capacity (4803h): the host gives back what it holds, asked to or not. */
export function releaseSpans(machine: Machine, device: DeviceState, host: number, spans: readonly Span[]): number {
  const dcd = dcdOf(device);
  const held = dcd.hosts[host] ?? [];
  const released: Extent[] = [];
  for (const span of spans) {
    const source = held.find((extent) => within(span, extent));
    if (source === undefined || span.length === 0n) return INVALID_ADDRESS;
    released.push({ ...source, dpa: span.dpa, length: span.length });
  }
  takeAway(dcd, host, spans);
  // A request to release what is gone now has its answer.
  dcd.offers = dcd.offers.filter(
    (candidate) =>
      candidate.kind === 'add' ||
      candidate.host !== host ||
      candidate.extents.some((extent) => dcd.hosts[host]?.some((rest) => rest.dpa === extent.dpa)),
  );
  capacityEvents(machine, device, 'capacity-released', host, released);
  return RC.success;
}
