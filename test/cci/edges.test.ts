import { describe, expect, test } from 'vitest';
import {
  ascii,
  bits,
  decodePayload,
  encodePayload,
  equalBytes,
  type Field,
  fromHex,
  i16,
  type Layout,
  layout,
  toHex,
  u,
  uuid,
  type Value,
} from '../../src/cci/index.ts';

// The last value that fits and the first that does not: a bound that is off by one sends another number than was asked for.

function of(...fields: readonly Field[]): Layout {
  return layout(0, null, fields);
}

function written(shape: Layout, value: Value, side: 'request' | 'reply' = 'request'): string {
  const encoded = encodePayload(shape, value, side);
  return encoded.ok ? toHex(encoded.value) : `${encoded.error.code} ${encoded.error.field}: ${encoded.error.message}`;
}

function read(shape: Layout, hex: string, side: 'request' | 'reply' = 'request'): unknown {
  const decoded = decodePayload(shape, fromHex(hex) ?? new Uint8Array(0), { side });
  return decoded.ok ? decoded.value : `${decoded.error.code} ${decoded.error.field}`;
}

const tooWide = 'value a: must be 0 to 2^64-1';
const noInt = 'value a: must be -32768 to 32767';
const noUuid = 'value a: must be a UUID';
const id = '0da9c0b5-bf41-4b78-8f79-96b1623b3f17';
const mode = u(1, 'a', { enum: 'unbind_option' });
const noMode = 'value a: must be one of wait-for-link-down, managed-hot-remove, surprise-hot-remove';

describe('a value', () => {
  test.each<[string, Layout, Value, string]>([
    ['the largest byte', of(u(1, 'a')), { a: 255 }, 'ff'],
    ['the largest that may be asked for', of(u(1, 'a', { max: 7 })), { a: 7 }, '07'],
    ['the smallest that may be asked for', of(u(1, 'a', { min: 7 })), { a: 7 }, '07'],
    ['the largest wide number', of(u(8, 'a')), { a: 2n ** 64n - 1n }, 'ffffffffffffffff'],
    ['a wide number below 0', of(u(8, 'a')), { a: -1n }, tooWide],
    ['the largest wide number that may be asked for', of(u(8, 'a', { max: 7 })), { a: 7n }, '0700000000000000'],
    [
      'the smallest wide number that may be asked for',
      of(u(8, 'a', { min: 7, max: 9 })),
      { a: 7n },
      '0700000000000000',
    ],
    ['the largest signed number', of(i16('a')), { a: 32_767 }, 'ff7f'],
    ['the smallest signed number', of(i16('a')), { a: -32_768 }, '0080'],
    ['a signed number over its width', of(i16('a')), { a: 32_768 }, noInt],
    ['a signed number under its width', of(i16('a')), { a: -32_769 }, noInt],
    ['half a signed number', of(i16('a')), { a: 0.5 }, noInt],
    ['a text for a signed number', of(i16('a')), { a: '5' }, noInt],
    ['no signed number', of(i16('a')), {}, noInt],
    ['a UUID', of(uuid('a')), { a: id }, id.replaceAll('-', '')],
    ['a UUID with something before it', of(uuid('a')), { a: `0${id}` }, noUuid],
    ['a UUID with something after it', of(uuid('a')), { a: `${id}0` }, noUuid],
    ['a code that has no name', of(mode), { a: 9 }, noMode],
    ['a code that is no whole number', of(mode), { a: 0.5 }, noMode],
    ['a code that is no number', of(mode), { a: true as unknown as number }, noMode],
    ['a code by its number', of(mode), { a: 1 }, '01'],
    ['a last number left out', of(u(1, 'b'), u(1, 'a', { optional: true })), { b: 1 }, '01'],
    ['a last number given', of(u(1, 'b'), u(1, 'a', { optional: true })), { b: 1, a: 2 }, '0102'],
    [
      'a number that only one dialect leaves out',
      of(u(1, 'b'), u(1, 'a', { absentIn: 'jackrabbit' })),
      { b: 1 },
      'value a: must be a whole number',
    ],
  ])('%s', (_name, shape, value, expected) => expect(written(shape, value)).toBe(expected));

  test('of a reply is bounded by its width alone', () => {
    expect(written(of(u(1, 'a', { max: 7 })), { a: 255 }, 'reply')).toBe('ff');
    expect(written(of(u(1, 'a')), { a: -1 }, 'reply')).toBe('value a: -1 is not 0 to 255');
    expect(written(of(u(1, 'a')), { a: 256 }, 'reply')).toBe('value a: 256 is not 0 to 255');
    expect(written(of(mode), { a: 9 }, 'reply')).toBe('09');
    expect(written(of(u(1, 'b'), u(1, 'a', { absentIn: 'jackrabbit' })), { b: 1 }, 'reply')).toBe('01');
  });

  test.each([0n, 1n, 0x7fff_ffffn, 0x8000_0000n, 0x1_ffff_ffffn, 2n ** 64n - 1n])(
    'of flags around bit 31 comes back: %s',
    (raw) => {
      const hex = toHex(new Uint8Array(new BigUint64Array([raw]).buffer));
      const shape = of(bits(8, 'a', { low: [0, 30], middle: [31, 33], rest: [34, 63] }));
      const value = read(shape, hex);
      expect(written(shape, value as Value)).toBe(hex);
    },
  );
});

describe('a text in a request', () => {
  const shape = of(ascii('a', 4));

  test.each([
    ['padded with zeros', '61620000', { a: 'ab' }],
    ['as long as its field', '61626364', { a: 'abcd' }],
    ['of nothing', '00000000', { a: '' }],
    ['with something after its end', '61620063', 'reserved a'],
  ])('%s', (_name, hex, expected) => expect(read(shape, hex)).toEqual(expected));

  test('is not looked at after its end in a reply', () => {
    expect(read(shape, '61620063', 'reply')).toEqual({ a: 'ab' });
  });
});

test('bytes that are the beginning of others are not the same', () => {
  expect(equalBytes(Uint8Array.of(1), Uint8Array.of(1, 2))).toBe(false);
  expect(equalBytes(new Uint8Array(0), Uint8Array.of(1))).toBe(false);
});
