import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodePayload, encodePayload, fromJson, toJson } from '../../src/cci/index.ts';
import { arbitraryValue } from '../support/arbitrary-layout.ts';
import { decoders } from './decoders.ts';

const RUNS = 300;

describe.each(decoders)('$title', ({ layout, side }) => {
  test('a value comes back from its bytes unchanged, and its bytes from it', () => {
    fc.assert(
      fc.property(arbitraryValue(layout, side), (value) => {
        const encoded = encodePayload(layout, value, side);
        if (!encoded.ok) throw new Error(`${encoded.error.field}: ${encoded.error.message}`);
        const decoded = decodePayload(layout, encoded.value, { side });
        if (!decoded.ok) throw new Error(`${decoded.error.field}: ${decoded.error.message}`);
        expect(decoded.value).toEqual(value);
        expect(encodePayload(layout, decoded.value, side)).toEqual(encoded);
      }),
      { numRuns: RUNS },
    );
  });

  test('cut short anywhere, it is refused or is the whole form of something shorter', () => {
    fc.assert(
      fc.property(arbitraryValue(layout, side), fc.nat(), (value, at) => {
        const encoded = encodePayload(layout, value, side);
        if (!encoded.ok || encoded.value.length === 0) return;
        const cut = encoded.value.subarray(0, at % encoded.value.length);
        const decoded = decodePayload(layout, cut, { side });
        // A byte read past the end would come back as one byte too many.
        if (decoded.ok) expect(encodePayload(layout, decoded.value, side)).toEqual({ ok: true, value: cut.slice() });
        else expect(decoded.error.code).toBe('length');
      }),
      { numRuns: RUNS },
    );
  });
});

describe.each(decoders.filter(({ side }) => side === 'request'))('$title', ({ layout, side }) => {
  test('its JSON gives the same value', () => {
    fc.assert(
      fc.property(arbitraryValue(layout, side), (value) => {
        const json: unknown = JSON.parse(JSON.stringify(toJson(value)));
        expect(fromJson(layout, json)).toEqual({ ok: true, value });
      }),
      { numRuns: RUNS },
    );
  });
});
