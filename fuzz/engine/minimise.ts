import type { Feature } from './coverage-map.ts';

/**
 * Leaves pieces out and turns bytes to a plain one as long as `keeps` says that what matters is still there: halves first,
 * single bytes last.
 *
 * @param tries most executions that it may cost
 */
export async function shortened(
  input: Uint8Array,
  keeps: (candidate: Uint8Array) => Promise<boolean>,
  tries: number,
): Promise<Uint8Array> {
  let best = input;
  let left = tries;
  for (let size = best.length >> 1; size >= 1 && left > 0; size >>= 1) {
    for (let at = 0; at < best.length && left > 0; ) {
      const candidate = new Uint8Array(best.length - Math.min(size, best.length - at));
      candidate.set(best.subarray(0, at));
      candidate.set(best.subarray(at + size), at);
      left--;
      if (await keeps(candidate)) best = candidate;
      else at += size;
    }
  }
  return best;
}

/** The shortest inputs that together still have every feature: greedy, and stable for the same inputs. */
export function coveringSet<T extends { readonly bytes: Uint8Array; readonly features: readonly Feature[] }>(
  inputs: readonly T[],
): readonly T[] {
  const kept: T[] = [];
  const covered = new Set<Feature>();
  for (const input of inputs.toSorted((a, b) => a.bytes.length - b.bytes.length)) {
    if (input.features.every((feature) => covered.has(feature))) continue;
    kept.push(input);
    for (const feature of input.features) covered.add(feature);
  }
  return kept;
}
