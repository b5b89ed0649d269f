import { isDeepStrictEqual } from 'node:util';
import {
  catalogue,
  type Dialect,
  decodePayload,
  encodePayload,
  fromJson,
  isTyped,
  type Layout,
  type TypedRow,
  toJson,
  toJsonMasked,
} from '../../src/cci/index.ts';
import { demand, type Target } from '../engine/target.ts';
import { joined, validPayloads, wordOf } from './cci-seeds.ts';
import { hexOf, Input, sameBytes } from './input.ts';

const rows: readonly TypedRow[] = catalogue.flatMap((row) => (isTyped(row) ? [row] : []));

/** Requests that may be sent in a longer form, which is never forwarded: the encoder's form is the one that leaves. */
const LONG_FORMS: ReadonlyMap<string, number> = new Map([
  ['send-ld-cxl-io-memory-request', 16],
  ['initiate-dynamic-capacity-add', 28],
  ['initiate-dynamic-capacity-release', 28],
]);

/** Requests or replies of every typed command: 16 bits choose the row, one byte the dialect, the rest is the payload. */
export function payloadTarget(side: 'request' | 'reply'): Target {
  const layoutOf = (row: TypedRow): Layout => (side === 'request' ? row.request : row.response);
  return {
    name: `${side}-payload`,
    oracle:
      side === 'request'
        ? 'a payload that is accepted has one byte form: what was decided on encodes to the bytes that came'
        : 'a value that was read from a reply survives encoding and reading again, and is JSON',
    covers: ['src/cci'],
    kind: 'bytes',
    maxLength: 600,
    seeds: () =>
      rows.flatMap((row, index) =>
        validPayloads(layoutOf(row), side, 3).map((bytes) => joined(wordOf(index), Uint8Array.of(0), bytes)),
      ),
    open: () => ({
      run(bytes) {
        const input = new Input(bytes);
        const row = input.oneOf(rows);
        const dialect: Dialect = side === 'reply' && (input.byte() & 1) === 1 ? 'jackrabbit' : 'spec';
        if (side === 'request') input.byte();
        checkPayload(row.slug, layoutOf(row), side, input.rest(), dialect);
      },
    }),
  };
}

/** Holds a payload against what must be true of every payload. @throws Violation */
export function checkPayload(
  slug: string,
  layout: Layout,
  side: 'request' | 'reply',
  payload: Uint8Array,
  dialect: Dialect,
): void {
  const before = hexOf(payload);
  const decoded = decodePayload(layout, payload, { side, dialect });
  demand(hexOf(payload) === before, `${slug}: decoding changed the payload`);
  if (!decoded.ok) {
    demand(['length', 'reserved', 'value'].includes(decoded.error.code), `${slug}: code ${decoded.error.code}`);
    return;
  }
  const { value } = decoded;
  const encoded = encodePayload(layout, value, side);
  demand(encoded.ok, () => `${slug}: accepted ${before}, but does not encode`);
  const long = LONG_FORMS.get(slug);
  const isLong = long !== undefined && encoded.value.length === long && payload.length > long;
  if (side === 'request' && !isLong) {
    demand(sameBytes(encoded.value, payload), () => `${slug}: ${before} is sent as ${hexOf(encoded.value)}`);
  }
  const again = decodePayload(layout, encoded.value, { side, dialect });
  demand(again.ok && isDeepStrictEqual(again.value, value), () => `${slug}: ${before} does not survive encoding`);
  toJsonMasked(layout, value);
  const json: unknown = JSON.parse(JSON.stringify(toJson(value)));
  if (side === 'request') checkJson(slug, layout, json, encoded.value);
}

/** What a client reads of its own request means the same request. Codes without a name, in replies, are for reading only. */
function checkJson(slug: string, layout: Layout, json: unknown, bytes: Uint8Array): void {
  const read = fromJson(layout, json);
  demand(read.ok, () => `${slug}: its JSON is refused: ${read.ok ? '' : `${read.error.field} ${read.error.message}`}`);
  const back = encodePayload(layout, read.value, 'request');
  demand(back.ok && sameBytes(back.value, bytes), () => `${slug}: ${hexOf(bytes)} does not survive JSON`);
}
