import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type CommandRow,
  catalogue,
  encodePayload,
  fromJson,
  isTyped,
  jsonSchemaOf,
  toJson,
} from '../../src/cci/index.ts';
import { arbitraryValue } from '../support/arbitrary-layout.ts';

const ajv = new Ajv2020({ strict: true, formats: { uuid: /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i } });
const rows = (catalogue as readonly CommandRow[]).filter(isTyped);

describe('the JSON Schema of a command', () => {
  it.each(rows.map((row) => [row.slug, row] as const))('of %s fits every value that its codec takes', (_slug, row) => {
    for (const side of ['request', 'reply'] as const) {
      const layout = side === 'request' ? row.request : row.response;
      const fits = ajv.compile(jsonSchemaOf(layout, side));
      fc.assert(
        fc.property(arbitraryValue(layout, side), (value) => {
          const json = toJson(value);
          expect(fits(json), JSON.stringify(fits.errors)).toBe(true);
        }),
        { numRuns: 20 },
      );
    }
  });

  it('refuses what the codec refuses: unknown members, values out of range, unnamed codes', () => {
    const row = rows.find(({ slug }) => slug === 'unbind-vppb');
    if (row === undefined) throw new Error('no row');
    const fits = ajv.compile(jsonSchemaOf(row.request, 'request'));
    const good = { vcs_id: 0, vppb_id: 1, option: 'managed-hot-remove' };
    expect(fits(good)).toBe(true);
    for (const bad of [
      { ...good, more: 1 },
      { ...good, vcs_id: 256 },
      { ...good, vcs_id: -1 },
      { ...good, option: 'gently' },
      { vcs_id: 0, vppb_id: 1 },
      [],
    ]) {
      expect(fits(bad)).toBe(false);
      const value = fromJson(row.request, bad);
      expect(value.ok && encodePayload(row.request, value.value as never).ok).toBe(false);
    }
  });

  it('gives a pattern to 64-bit numbers, which JSON readers cannot hold', () => {
    const row = rows.find(({ slug }) => slug === 'set-timestamp');
    if (row === undefined) throw new Error('no row');
    const fits = ajv.compile(jsonSchemaOf(row.request, 'request'));
    expect(fits({ timestamp: '0xffffffffffffffff' })).toBe(true);
    expect(fits({ timestamp: 5 })).toBe(true);
    expect(fits({ timestamp: 'soon' })).toBe(false);
  });
});
