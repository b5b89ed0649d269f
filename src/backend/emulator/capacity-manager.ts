import { RC } from '../../cci/index.ts';
import {
  allExtents,
  capacityEvents,
  dcdOf,
  dcdSpecOf,
  gaps,
  NO_TAG,
  offer,
  overlaps,
  regionAt,
  type Span,
  tagsOf,
  takeAway,
  within,
} from './capacity.ts';
import type { DcdState, Extent } from './dcd-state.ts';
import type { Machine } from './machine.ts';
import type { DeviceState } from './state.ts';

/** The fabric manager's side of dynamic capacity: 5604h and 5605h. */

const INVALID_ADDRESS = 0x000f;
const INVALID_EXTENT_LIST = 0x001e;

export interface AddRequest {
  readonly host: number;
  readonly policy: 'free' | 'contiguous' | 'prescriptive' | 'enable-shared-access';
  readonly region: number;
  readonly length: bigint;
  readonly tag: string;
  readonly extents: readonly (Span & { readonly tag: string; readonly sequence: number })[];
}

/**
 * Initiate Dynamic Capacity Add: picks the extents and offers them to the host.
 *
 * INVARIANT: two extents share an address only where both carry one tag in a sharable region.
 *
 * @returns 0000h; 0002h; 000Fh outside every region; 001Dh not that much left; 001Eh extents that overlap or are taken
 */
export function addCapacity(machine: Machine, device: DeviceState, request: AddRequest): number {
  const dcd = dcdOf(device);
  if (dcd.hosts[request.host] === undefined) return RC.invalidInput;
  const chosen = choose(dcd, request);
  if (typeof chosen === 'number') return chosen;
  // No capacity asked for: nobody is offered anything.
  if (chosen.length === 0) return RC.success;
  const spec = dcdSpecOf(machine, device);
  if (allExtents(dcd).length + chosen.length > spec.extents) return RC.resourcesExhausted;
  const tags = new Set([...tagsOf(dcd), ...chosen.map((extent) => extent.tag).filter((tag) => tag !== NO_TAG)]);
  if (tags.size > spec.tags) return RC.resourcesExhausted;
  offer(machine, device, 'add', request.host, chosen);
  return RC.success;
}

function choose(dcd: DcdState, request: AddRequest): readonly Extent[] | number {
  if (request.policy === 'prescriptive') return prescribed(dcd, request);
  if (request.policy === 'enable-shared-access') return shared(dcd, request);
  const region = dcd.regions[request.region];
  if (region === undefined) return RC.invalidInput;
  const { length, tag } = request;
  if (length % region.blockBytes !== 0n) return RC.invalidInput;
  if (length === 0n) return [];
  const refusal = tagRefusal(dcd, region.sharable, tag);
  if (refusal !== undefined) return refusal;
  const found = gaps(dcd, region);
  if (request.policy === 'contiguous') {
    const gap = found.find((candidate) => candidate.length >= length);
    if (gap === undefined) return RC.resourcesExhausted;
    return [extent(gap.dpa, length, tag, region.sharable ? 1 : 0, request.region)];
  }
  const extents: Extent[] = [];
  let left = length;
  for (const gap of found) {
    if (left === 0n) break;
    const size = gap.length < left ? gap.length : left;
    extents.push(extent(gap.dpa, size, tag, region.sharable ? extents.length + 1 : 0, request.region));
    left -= size;
  }
  return left === 0n ? extents : RC.resourcesExhausted;
}

/** A sharable region needs a tag that nobody uses yet: it is the name other hosts are given access by. */
function tagRefusal(dcd: DcdState, sharable: boolean, tag: string): number | undefined {
  if (!sharable) return undefined;
  return tag === NO_TAG || tagsOf(dcd).includes(tag) ? RC.invalidInput : undefined;
}

function prescribed(dcd: DcdState, request: AddRequest): readonly Extent[] | number {
  if (request.extents.length === 0) return RC.invalidInput;
  const taken = allExtents(dcd);
  const chosen: Extent[] = [];
  for (const wanted of request.extents) {
    const index = regionAt(dcd, wanted);
    const region = dcd.regions[index];
    if (region === undefined) return INVALID_ADDRESS;
    const offset = wanted.dpa - region.base;
    if (wanted.length === 0n || wanted.length % region.blockBytes !== 0n || offset % region.blockBytes !== 0n) {
      return INVALID_EXTENT_LIST;
    }
    if ([...taken, ...chosen].some((other) => overlaps(other, wanted))) return INVALID_EXTENT_LIST;
    if (region.sharable && (wanted.tag === NO_TAG || tagsOf(dcd).includes(wanted.tag))) return INVALID_EXTENT_LIST;
    chosen.push(extent(wanted.dpa, wanted.length, wanted.tag, wanted.sequence, index));
  }
  return chosen;
}

/** Access to extents that another host has already, by their tag. */
function shared(dcd: DcdState, request: AddRequest): readonly Extent[] | number {
  if (request.tag === NO_TAG) return RC.invalidInput;
  const open = dcd.offers
    .filter((candidate) => candidate.host === request.host)
    .flatMap((candidate) => candidate.extents);
  const has = (candidate: Extent): boolean => candidate.tag === request.tag;
  if (dcd.hosts[request.host]?.some(has) === true || open.some(has)) return RC.invalidInput;
  const found = new Map<bigint, Extent>();
  for (const candidate of [...dcd.hosts.flat(), ...dcd.kept]) {
    if (has(candidate) && dcd.regions[candidate.region]?.sharable === true) found.set(candidate.dpa, candidate);
  }
  return found.size === 0 ? RC.invalidInput : [...found.values()].sort((a, b) => a.sequence - b.sequence);
}

function extent(dpa: bigint, length: bigint, tag: string, sequence: number, region: number): Extent {
  return { dpa, length, tag, sequence, region };
}

export interface ReleaseRequest {
  readonly host: number;
  readonly policy: 'tag-based' | 'prescriptive';
  readonly forced: boolean;
  readonly length: bigint;
  readonly tag: string;
  readonly extents: readonly Span[];
}

/**
 * Initiate Dynamic Capacity Release: asks the host, or, forced, takes the capacity away at once.
 *
 * @returns 0000h; 0002h no such host, or nothing of that tag; 001Eh extents the host does not have
 */
export function releaseCapacity(machine: Machine, device: DeviceState, request: ReleaseRequest): number {
  const dcd = dcdOf(device);
  const held = dcd.hosts[request.host];
  if (held === undefined) return RC.invalidInput;
  const chosen = request.policy === 'prescriptive' ? named(held, request.extents) : tagged(held, request);
  if (typeof chosen === 'number') return chosen;
  if (chosen.length === 0) return RC.success;
  if (!request.forced) {
    offer(machine, device, 'release', request.host, chosen);
    return RC.success;
  }
  takeAway(dcd, request.host, chosen);
  capacityEvents(machine, device, 'forced-release-capacity', request.host, chosen);
  return RC.success;
}

function named(held: readonly Extent[], spans: readonly Span[]): readonly Extent[] | number {
  if (spans.length === 0) return RC.invalidInput;
  const chosen: Extent[] = [];
  for (const span of spans) {
    const source = held.find((candidate) => within(span, candidate));
    if (source === undefined || span.length === 0n || chosen.some((other) => overlaps(other, span))) {
      return INVALID_EXTENT_LIST;
    }
    chosen.push({ ...source, dpa: span.dpa, length: span.length });
  }
  return chosen;
}

/** Extents of a tag, last ones first, until the length is reached; 0 stands for all of them. */
function tagged(held: readonly Extent[], request: ReleaseRequest): readonly Extent[] | number {
  const candidates = held.filter((candidate) => candidate.tag === request.tag);
  // Nothing of no tag is always there; a tag has to exist.
  if (candidates.length === 0) return request.length === 0n && request.tag === NO_TAG ? [] : RC.invalidInput;
  const total = candidates.reduce((sum, candidate) => sum + candidate.length, 0n);
  if (request.length > total) return RC.invalidInput;
  let left = request.length === 0n ? total : request.length;
  const chosen: Extent[] = [];
  for (const candidate of candidates.toReversed()) {
    if (left === 0n) break;
    const size = candidate.length < left ? candidate.length : left;
    chosen.push({ ...candidate, dpa: candidate.dpa + candidate.length - size, length: size });
    left -= size;
  }
  return chosen;
}
