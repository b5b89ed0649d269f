import { RC } from '../../cci/index.ts';
import { ldBytes } from './ld-memory.ts';
import type { Machine } from './machine.ts';
import { truncateSparse } from './sparse-memory.ts';
import type { DeviceState } from './state.ts';
import { granuleBytes } from './topology-resolve.ts';

export interface Ranges {
  readonly range1: bigint;
  readonly range2: bigint;
}

interface Piece {
  readonly base: bigint;
  readonly size: bigint;
}

/**
 * Set LD Allocations (5402h): new sizes for a run of LDs, in granules. Bound LDs keep what they have and where it
 * lies; the others are placed anew, lowest LD first, each range in the first gap that holds it.
 *
 * INVARIANT: no two ranges of a device share a granule, and none lies outside it.
 *
 * @returns 0000h, 0002h (no such LD, a bound one, more than there is), 001Dh (there is enough, but in no one piece)
 */
export function reallocate(machine: Machine, device: DeviceState, start: number, wanted: readonly Ranges[]): number {
  if (wanted.length === 0 || start + wanted.length > device.lds.length) return RC.invalidInput;
  const spec = machine.specOf(device);
  const total = spec.capacityBytes / granuleBytes(spec.granularity);
  const next = device.lds.map((ld): Ranges => wanted[ld.id - start] ?? { range1: ld.range1, range2: ld.range2 });
  for (const ld of device.lds) {
    const ranges = next[ld.id];
    const changes = ranges?.range1 !== ld.range1 || ranges.range2 !== ld.range2;
    if (changes && ld.bound !== null) return RC.invalidInput;
  }
  if (next.some((ranges) => ranges.range1 > total || ranges.range2 > total)) return RC.invalidInput;
  if (next.reduce((sum, ranges) => sum + ranges.range1 + ranges.range2, 0n) > total) return RC.invalidInput;
  const placed = place(device, next, total);
  if (placed === undefined) return RC.resourcesExhausted;
  for (const ld of device.lds) {
    const ranges = next[ld.id];
    const bases = placed[ld.id];
    if (ranges === undefined || bases === undefined) continue;
    ld.range1 = ranges.range1;
    ld.range2 = ranges.range2;
    ld.base1 = bases.base1;
    ld.base2 = bases.base2;
    truncateSparse(ld.memory, ldBytes(spec.granularity, ld));
    // The media of an LD of another size are other media.
    if (ld.media !== null && ld.media.capacityBytes !== ldBytes(spec.granularity, ld)) ld.media = null;
  }
  return RC.success;
}

function place(
  device: DeviceState,
  next: readonly Ranges[],
  total: bigint,
): readonly { readonly base1: bigint; readonly base2: bigint }[] | undefined {
  const taken: Piece[] = [];
  for (const ld of device.lds) {
    if (ld.bound === null) continue;
    taken.push({ base: ld.base1, size: ld.range1 }, { base: ld.base2, size: ld.range2 });
  }
  const bases: { readonly base1: bigint; readonly base2: bigint }[] = [];
  for (const ld of device.lds) {
    const ranges = next[ld.id];
    if (ld.bound !== null || ranges === undefined) {
      bases.push({ base1: ld.base1, base2: ld.base2 });
      continue;
    }
    const base1 = firstGap(taken, ranges.range1, total);
    if (base1 === undefined) return undefined;
    taken.push({ base: base1, size: ranges.range1 });
    const base2 = firstGap(taken, ranges.range2, total);
    if (base2 === undefined) return undefined;
    taken.push({ base: base2, size: ranges.range2 });
    bases.push({ base1, base2 });
  }
  return bases;
}

/** Start of the first gap of that size. */
function firstGap(taken: readonly Piece[], size: bigint, total: bigint): bigint | undefined {
  if (size === 0n) return 0n;
  let at = 0n;
  const sorted = taken
    .filter((piece) => piece.size > 0n)
    .sort((a, b) => (a.base < b.base ? -1 : a.base > b.base ? 1 : 0));
  for (const piece of sorted) {
    if (piece.base - at >= size) return at;
    at = piece.base + piece.size;
  }
  return total - at >= size ? at : undefined;
}
