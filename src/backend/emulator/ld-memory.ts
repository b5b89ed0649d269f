import type { LdState } from './state.ts';
import type { DeviceSpec } from './topology.ts';
import { granuleBytes } from './topology-resolve.ts';

/** Memory of an LD in bytes: both of its ranges. */
export function ldBytes(granularity: DeviceSpec['granularity'], ld: LdState): bigint {
  return (ld.range1 + ld.range2) * granuleBytes(granularity);
}
