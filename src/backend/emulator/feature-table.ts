import type { ComponentKind } from './state.ts';

/** One feature of a component (sets 0500h to 0502h). */
export interface Feature {
  readonly uuid: string;
  readonly defaults: Uint8Array;
  /** Bytes at the start of the data that 0502h may write; 0 for a feature that cannot be changed. */
  readonly writable: number;
  readonly version: number;
  /** CEL bits of a change. */
  readonly effects: number;
}

/** A Set Feature in parts. */
export interface FeatureTransfer {
  readonly uuid: string;
  readonly saved: boolean;
  data: Uint8Array;
  received: number;
}

/** Patrol scrub control of a memory device: attribute, cycle and enable bytes. */
const patrolScrub: Feature = {
  uuid: '96dad7d6-fde8-482b-a733-75774e06db8a',
  defaults: Uint8Array.of(0x03, 0x18, 0x0c, 0x01),
  writable: 4,
  version: 1,
  effects: 0x0c02,
};

/** Soft post-package repair: what the device can repair, and one flag to set. */
const softRepair: Feature = {
  uuid: '892ba475-fad8-474e-9d3e-692c917568bb',
  defaults: Uint8Array.of(0x00, 0x00, 0x00, 0x01, 0x00, 0x01, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00),
  writable: 1,
  version: 2,
  effects: 0x0c02,
};

/** Sixteen bytes that do nothing: a switch has no feature that two sources describe. */
const scratch: Feature = {
  uuid: '6d1f2f0e-7b3c-4a57-9a51-0c5e2b8d4f10',
  defaults: new Uint8Array(16),
  writable: 16,
  version: 1,
  effects: 0x0c02,
};

/** Features in the order of their index. */
export function featuresOf(kind: ComponentKind): readonly Feature[] {
  return kind === 'switch' || kind === 'ld-pool-cci' ? [scratch] : [patrolScrub, softRepair];
}
