import type { DynamicCapacitySpec } from './topology.ts';

export interface Extent {
  readonly dpa: bigint;
  readonly length: bigint;
  /** Hex of 16 bytes; zeros mean no tag. */
  readonly tag: string;
  readonly sequence: number;
  readonly region: number;
}

/** Capacity that a host was offered, or asked to give back, and has not answered yet. */
export interface Offer {
  readonly id: number;
  readonly kind: 'add' | 'release';
  readonly host: number;
  extents: Extent[];
}

export interface RegionState {
  /** First DPA. */
  readonly base: bigint;
  readonly length: bigint;
  blockBytes: bigint;
  readonly sharable: boolean;
  sanitizeOnRelease: boolean;
}

/** State of a device with dynamic capacity. */
export interface DcdState {
  readonly regions: RegionState[];
  /** Accepted extents of each host, in the order of acceptance. */
  readonly hosts: Extent[][];
  offers: Offer[];
  nextOffer: number;
  /** Tags the fabric manager holds a reference to: their extents outlive the last host. */
  readonly references: Set<string>;
  /** Extents that only a reference of the fabric manager keeps. */
  kept: Extent[];
  readonly listGeneration: number[];
  tagGeneration: number;
}

/** A DCD with nothing given away. Regions lie behind the static capacity, one after the other. */
export function newDcd(spec: DynamicCapacitySpec, staticBytes: bigint): DcdState {
  let base = staticBytes;
  const regions = spec.regions.map((region): RegionState => {
    const state = {
      base,
      length: region.sizeBytes,
      blockBytes: region.blockBytes,
      sharable: region.sharable,
      sanitizeOnRelease: region.sanitizeOnRelease,
    };
    base += region.sizeBytes;
    return state;
  });
  return {
    regions,
    hosts: Array.from({ length: spec.hosts }, () => []),
    offers: [],
    nextOffer: 1,
    references: new Set(),
    kept: [],
    listGeneration: Array.from({ length: spec.hosts }, () => 0),
    tagGeneration: 0,
  };
}
