import { fromHex } from '../../cci/index.ts';
import type { DcdState, Extent, Offer, RegionState } from './dcd-state.ts';
import { type EventBody, emit, LOG } from './events.ts';
import type { Machine } from './machine.ts';
import type { DeviceState } from './state.ts';
import type { DynamicCapacitySpec } from './topology.ts';

/** Dynamic capacity of a device: who holds which extents, and what was offered. */

export const NO_TAG = '0'.repeat(32);

/** A stretch of device physical addresses. */
export interface Span {
  readonly dpa: bigint;
  readonly length: bigint;
}

export function dcdOf(device: DeviceState | undefined): DcdState {
  if (device === undefined || device.dcd === null)
    throw new Error('a command of dynamic capacity reached another device');
  return device.dcd;
}

export function dcdSpecOf(machine: Machine, device: DeviceState): DynamicCapacitySpec {
  const spec = machine.specOf(device).dynamicCapacity;
  if (spec === null) throw new Error(`${device.cci.path} has no dynamic capacity`);
  return spec;
}

/** Every extent somebody holds, was offered, or that only a reference keeps. */
export function allExtents(dcd: DcdState): readonly Extent[] {
  const offered = dcd.offers.filter((offer) => offer.kind === 'add').flatMap((offer) => offer.extents);
  return [...dcd.hosts.flat(), ...offered, ...dcd.kept];
}

export function overlaps(a: Span, b: Span): boolean {
  return a.dpa < b.dpa + b.length && b.dpa < a.dpa + a.length;
}

export function within(inner: Span, outer: Span): boolean {
  return inner.dpa >= outer.dpa && inner.length <= outer.length && inner.dpa - outer.dpa <= outer.length - inner.length;
}

/** Gaps of a region, ascending. */
export function gaps(dcd: DcdState, region: RegionState): readonly Span[] {
  const taken = allExtents(dcd)
    .filter((extent) => overlaps(extent, { dpa: region.base, length: region.length }))
    .sort((a, b) => (a.dpa < b.dpa ? -1 : 1));
  const found: Span[] = [];
  let at = region.base;
  for (const extent of taken) {
    if (extent.dpa > at) found.push({ dpa: at, length: extent.dpa - at });
    // Shared extents lie on one another, so the end may already be behind us.
    if (extent.dpa + extent.length > at) at = extent.dpa + extent.length;
  }
  const end = region.base + region.length;
  if (at < end) found.push({ dpa: at, length: end - at });
  return found;
}

/** Tags in use: held, offered or referenced. */
export function tagsOf(dcd: DcdState): readonly string[] {
  const tags = new Set(dcd.references);
  for (const extent of allExtents(dcd)) if (extent.tag !== NO_TAG) tags.add(extent.tag);
  return [...tags].sort();
}

export function counters(machine: Machine, device: DeviceState) {
  const dcd = dcdOf(device);
  const spec = dcdSpecOf(machine, device);
  const used = allExtents(dcd).length;
  return {
    total_number_of_supported_extents: spec.extents,
    number_of_available_extents: Math.max(0, spec.extents - used),
    total_number_of_supported_tags: spec.tags,
    number_of_available_tags: Math.max(0, spec.tags - tagsOf(dcd).length),
  };
}

type CapacityEvent = Extract<EventBody, { readonly kind: 'dynamic-capacity' }>['type'];

/** One record per extent; all but the last say that more follow. */
export function capacityEvents(
  machine: Machine,
  device: DeviceState,
  type: CapacityEvent,
  host: number,
  extents: readonly Extent[],
): void {
  const { number_of_available_extents, number_of_available_tags } = counters(machine, device);
  extents.forEach((extent, i) => {
    emit(machine, device.cci, LOG.dynamicCapacity, {
      kind: 'dynamic-capacity',
      type,
      host,
      region: extent.region,
      more: i < extents.length - 1,
      dpa: extent.dpa,
      length: extent.length,
      tag: fromHex(extent.tag) ?? new Uint8Array(16),
      sequence: extent.sequence,
      availableExtents: number_of_available_extents,
      availableTags: number_of_available_tags,
    });
  });
}

/** Offers capacity to a host, or asks for it back, and plans the host's answer where hosts answer by themselves. */
export function offer(
  machine: Machine,
  device: DeviceState,
  kind: Offer['kind'],
  host: number,
  extents: readonly Extent[],
): void {
  const dcd = dcdOf(device);
  const id = dcd.nextOffer++;
  dcd.offers.push({ id, kind, host, extents: [...extents] });
  capacityEvents(machine, device, kind === 'add' ? 'add-capacity' : 'release-capacity', host, extents);
  if (dcdSpecOf(machine, device).hostAnswer === 'manual') return;
  machine.schedule(machine.options.timing.hostAnswerMs, {
    kind: 'host-answer',
    device: device.index,
    host,
    offer: id,
  });
}

/** Takes spans away from a host. Parts of an extent are cut out; what nobody else holds is free again. */
export function takeAway(dcd: DcdState, host: number, spans: readonly Span[]): void {
  const before = dcd.hosts[host] ?? [];
  let left = [...before];
  for (const span of spans) left = left.flatMap((extent) => cut(extent, span));
  dcd.hosts[host] = left;
  for (const extent of before) {
    const stays = allExtents(dcd).some((other) => other.tag === extent.tag && overlaps(other, extent));
    if (!stays && dcd.references.has(extent.tag)) dcd.kept.push(extent);
  }
  changed(dcd, host);
}

/** What is left of an extent without a span. */
function cut(extent: Extent, span: Span): readonly Extent[] {
  if (!overlaps(extent, span)) return [extent];
  const parts: Extent[] = [];
  if (span.dpa > extent.dpa) parts.push({ ...extent, length: span.dpa - extent.dpa });
  const end = extent.dpa + extent.length;
  const spanEnd = span.dpa + span.length;
  if (spanEnd < end) parts.push({ ...extent, dpa: spanEnd, length: end - spanEnd });
  return parts;
}

/** The extent list of a host is another one now. */
export function changed(dcd: DcdState, host: number): void {
  dcd.listGeneration[host] = ((dcd.listGeneration[host] ?? 0) + 1) >>> 0;
  dcd.tagGeneration = (dcd.tagGeneration + 1) >>> 0;
}

export function regionAt(dcd: DcdState, span: Span): number {
  return dcd.regions.findIndex((region) => within(span, { dpa: region.base, length: region.length }));
}
