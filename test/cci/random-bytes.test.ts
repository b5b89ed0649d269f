import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodePayload, encodePayload, type Layout, type Value } from '../../src/cci/index.ts';
import { arbitraryValue } from '../support/arbitrary-layout.ts';
import { decoders } from './decoders.ts';
import { SeededRandom } from './seeded-random.ts';

/** Random payloads for each decoder: half of noise, half of valid payloads with a few bytes changed. */
const TRIES = 100_000;
const LONGEST = 160;
const POOL = new SeededRandom(0x5eed).fill(new Uint8Array(1 << 16));

/** Some valid payloads of a layout, the same in each run. */
function seeds(layout: Layout, side: 'request' | 'reply'): readonly Uint8Array[] {
  return fc.sample(arbitraryValue(layout, side), { numRuns: 24, seed: 7 }).flatMap((value) => {
    const encoded = encodePayload(layout, value, side);
    return encoded.ok ? [encoded.value] : [];
  });
}

class Payloads {
  private readonly random = new SeededRandom(20_260);
  private readonly room = new Uint8Array(1 << 16);
  private readonly layout: Layout;
  private readonly valid: readonly Uint8Array[];

  constructor(layout: Layout, side: 'request' | 'reply') {
    this.layout = layout;
    this.valid = seeds(layout, side);
  }

  /** The next payload; only good until the one after it. */
  next(): Uint8Array {
    return this.random.next() & 1 ? this.noise() : this.changed();
  }

  private noise(): Uint8Array {
    const { min, max } = this.layout;
    const longest = Math.min(max ?? LONGEST, LONGEST);
    // Mostly of a length that the layout allows, else nothing would be seen but the check of the length.
    const length =
      this.random.below(8) === 0 ? this.random.below(LONGEST) : min + this.random.below(Math.max(1, longest - min + 1));
    const start = this.random.below(POOL.length - length);
    return POOL.subarray(start, start + length);
  }

  private changed(): Uint8Array {
    const base = this.valid[this.random.below(this.valid.length)] ?? new Uint8Array(0);
    this.room.set(base);
    const length = Math.max(0, base.length + (this.random.below(4) === 0 ? this.random.below(5) - 2 : 0));
    const payload = this.room.subarray(0, length);
    for (let i = this.random.below(3); i > 0 && length > 0; i--)
      payload[this.random.below(length)] = this.random.next();
    return payload;
  }
}

// INVARIANT checked here: whatever the bytes, a decoder answers with a value or with an error of one of three codes, and
// what it accepted from a client has exactly one byte form.
describe.each(decoders)('$title', ({ layout, side, slug }) => {
  test(`${TRIES} random payloads neither crash the decoder nor pass with a second byte form`, () => {
    const payloads = new Payloads(layout, side);
    const codes = new Set<string>();
    let accepted = 0;
    for (let i = 0; i < TRIES; i++) {
      const payload = payloads.next();
      const decoded = decodePayload(layout, payload, { side });
      if (!decoded.ok) codes.add(decoded.error.code);
      else if (accepted++ % 16 === 0) sameBytes(layout, slug, side, payload, decoded.value);
    }
    expect(accepted).toBeGreaterThan(0);
    expect([...codes].every((code) => code === 'length' || code === 'reserved' || code === 'value')).toBe(true);
  }, 60_000);
});

function sameBytes(layout: Layout, slug: string, side: 'request' | 'reply', payload: Uint8Array, value: Value): void {
  const encoded = encodePayload(layout, value, side);
  if (!encoded.ok) throw new Error(`accepted, but does not encode: ${encoded.error.field}: ${encoded.error.message}`);
  if (side === 'reply' || hasTwoForms(slug, payload, encoded.value)) {
    // Reserved bits and padding of a reply are dropped: its value is what has to survive.
    expect(decodePayload(layout, encoded.value, { side })).toEqual({ ok: true, value });
    return;
  }
  if (!Buffer.from(encoded.value).equals(payload)) expect(encoded.value).toEqual(payload.slice());
}

/** The three requests that may be sent in a longer form, which is never forwarded. */
function hasTwoForms(slug: string, payload: Uint8Array, encoded: Uint8Array): boolean {
  if (slug === 'send-ld-cxl-io-memory-request') return payload.length > encoded.length && encoded.length === 16;
  const capacity = slug === 'initiate-dynamic-capacity-add' || slug === 'initiate-dynamic-capacity-release';
  return capacity && payload.length === 32 && encoded.length === 28;
}
