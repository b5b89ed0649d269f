import fc from 'fast-check';
import { encodePayload, type Layout } from '../../src/cci/index.ts';
import { arbitraryValue } from '../../test/support/arbitrary-layout.ts';

/** Some valid payloads of a layout, the same in each run. */
export function validPayloads(layout: Layout, side: 'request' | 'reply', count: number): readonly Uint8Array[] {
  return fc.sample(arbitraryValue(layout, side), { numRuns: count, seed: 7 }).flatMap((value) => {
    const encoded = encodePayload(layout, value, side);
    return encoded.ok ? [encoded.value] : [];
  });
}

/** 16 bits, little-endian. */
export const wordOf = (value: number): Uint8Array => Uint8Array.of(value & 0xff, (value >> 8) & 0xff);

export const joined = (...parts: readonly Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts));
