import { describe, expect, test } from 'vitest';
import {
  ascii,
  bitmap,
  bits,
  bytes,
  count,
  decodePayload,
  encodePayload,
  type Field,
  fromHex,
  i16,
  isTyped,
  type Layout,
  layout,
  list,
  reserved,
  rowBySlug,
  struct,
  u,
  uuid,
  type Value,
} from '../../src/cci/index.ts';

function of(...fields: readonly Field[]): Layout {
  return layout(0, null, fields);
}

function refusal(shape: Layout, value: Value, side: 'request' | 'reply' = 'request'): string {
  const encoded = encodePayload(shape, value, side);
  return encoded.ok ? 'accepted' : `${encoded.error.code} ${encoded.error.field}: ${encoded.error.message}`;
}

function reading(shape: Layout, hex: string, side: 'request' | 'reply' = 'request'): unknown {
  const decoded = decodePayload(shape, fromHex(hex) ?? new Uint8Array(0), { side });
  return decoded.ok ? decoded.value : `${decoded.error.code} ${decoded.error.field}: ${decoded.error.message}`;
}

const mode = u(1, 'mode', { enum: 'unbind_option' });
const flags = bits(1, 'flags', { mode: [0, 3, 'unbind_option'], on: [4, 4], size: [5, 6] });
const wide = bits(8, 'wide', { low: [0, 0], middle: [1, 5], high: [6, 63] });

describe('an encoder refuses', () => {
  test.each<[string, Layout, Value, string]>([
    ['a missing number', of(u(2, 'a')), {}, 'value a: must be a whole number'],
    ['a number over its width', of(u(2, 'a')), { a: 0x10000 }, 'value a: 65536 is not 0 to 65535'],
    ['a number below 0', of(u(1, 'a')), { a: -1 }, 'value a: -1 is not 0 to 255'],
    ['half a number', of(u(1, 'a')), { a: 0.5 }, 'value a: must be a whole number'],
    ['no number', of(u(1, 'a')), { a: Number.NaN }, 'value a: must be a whole number'],
    ['a bigint in a narrow field', of(u(4, 'a')), { a: 1n }, 'value a: must be a whole number'],
    ['a number below its bound', of(u(1, 'a', { min: 2 })), { a: 1 }, 'value a: 1 is not 2 to 255'],
    ['a number above its bound', of(u(1, 'a', { max: 2 })), { a: 3 }, 'value a: 3 is not 0 to 2'],
    ['a number in a wide field', of(u(8, 'a')), { a: 1 }, 'value a: must be 0 to 2^64-1'],
    ['2^64', of(u(8, 'a')), { a: 2n ** 64n }, 'value a: must be 0 to 2^64-1'],
    ['a wide number above its bound', of(u(8, 'a', { max: 7 })), { a: 8n }, 'value a: 8 is not 0 to 7'],
    ['a wide number below its bound', of(u(8, 'a', { min: 2, max: 7 })), { a: 1n }, 'value a: 1 is not 2 to 7'],
    [
      'an unknown name',
      of(mode),
      { mode: 'never' },
      'value mode: must be one of wait-for-link-down, managed-hot-remove, surprise-hot-remove',
    ],
    [
      'a name of the prototype',
      of(mode),
      { mode: 'constructor' },
      'value mode: must be one of wait-for-link-down, managed-hot-remove, surprise-hot-remove',
    ],
    [
      'an unnamed code',
      of(mode),
      { mode: 9 },
      'value mode: must be one of wait-for-link-down, managed-hot-remove, surprise-hot-remove',
    ],
    ['a signed number over its width', of(i16('a')), { a: 0x8000 }, 'value a: must be -32768 to 32767'],
    ['bits that are no object', of(flags), { flags: 3 }, 'value flags: must be an object of mode, on, size'],
    [
      'a missing part',
      of(flags),
      { flags: { mode: 'managed-hot-remove', on: true } },
      'value flags.size: must be a whole number, 0 to 3',
    ],
    [
      'a part over its width',
      of(flags),
      { flags: { mode: 'managed-hot-remove', on: true, size: 4 } },
      'value flags.size: must be a whole number, 0 to 3',
    ],
    [
      'a number for a bit',
      of(flags),
      { flags: { mode: 'managed-hot-remove', on: 2, size: 0 } },
      'value flags.on: must be true or false',
    ],
    [
      'a boolean for a range',
      of(flags),
      { flags: { mode: 'managed-hot-remove', on: true, size: true } },
      'value flags.size: must be a whole number, 0 to 3',
    ],
    [
      'a bigint in a narrow range',
      of(flags),
      { flags: { mode: 'managed-hot-remove', on: true, size: 1n } },
      'value flags.size: must be a whole number, 0 to 3',
    ],
    [
      'a boolean for a code',
      of(flags),
      { flags: { mode: true, on: true, size: 1 } },
      'value flags.mode: must be one of wait-for-link-down, managed-hot-remove, surprise-hot-remove',
    ],
    [
      'a wide part over its width',
      of(wide),
      { wide: { low: true, middle: 1, high: 2n ** 58n } },
      'value wide.high: must be a whole number, 0 to 288230376151711743',
    ],
    ['text for bytes', of(bytes('a', 2)), { a: 'ff00' }, 'value a: must be bytes'],
    ['bytes of another size', of(bytes('a', 2)), { a: new Uint8Array(3) }, 'value a: must be 2 bytes, has 3'],
    ['a NUL in text', of(ascii('a', 4)), { a: 'a\0' }, 'value a: must be at most 4 characters of one byte'],
    ['text too long', of(ascii('a', 4)), { a: 'abcde' }, 'value a: must be at most 4 characters of one byte'],
    [
      'text of two bytes a character',
      of(ascii('a', 4)),
      { a: 'Ā' },
      'value a: must be at most 4 characters of one byte',
    ],
    ['a UUID without dashes', of(uuid('a')), { a: '0da9c0b5bf414b788f7996b1623b3f17' }, 'value a: must be a UUID'],
    ['a UUID that is a number', of(uuid('a')), { a: 1 }, 'value a: must be a UUID'],
    ['a bitmap that is no list', of(bitmap('a', 1)), { a: 1 }, 'value a: must be a list of bit numbers'],
    ['a bit outside', of(bitmap('a', 1)), { a: [8] }, 'value a: bit 8 is not 0 to 7'],
    ['half a bit', of(bitmap('a', 1)), { a: [0.5] }, 'value a: bit 0.5 is not 0 to 7'],
    [
      'a list that is none',
      of(count(1, 'n'), list('a', u(1, 'id'), { counter: 'n' })),
      { a: 'x' },
      'value a: must be a list',
    ],
    [
      'a list over its counter',
      of(count(1, 'n'), list('a', u(1, 'id'), { counter: 'n' })),
      { a: Array(256).fill(0) },
      'value n: 256 are more than 255',
    ],
    [
      'a list over the bound of its counter',
      of(count(1, 'n', { max: 1 }), list('a', u(1, 'id'), { counter: 'n' })),
      { a: [1, 2] },
      'value n: 2 are more than 1',
    ],
    [
      'a list under the bound of its counter',
      of(count(1, 'n', { min: 1 }), list('a', u(1, 'id'), { counter: 'n' })),
      { a: [] },
      'value n: 0 are fewer than 1',
    ],
    ['a wrong element', of(list('a', u(1, 'id'), 'rest')), { a: [1, 256] }, 'value a[1]: 256 is not 0 to 255'],
    [
      'an element that is no object',
      of(list('a', struct('s', [u(1, 'x')]), 'rest')),
      { a: [7] },
      'value a[0]: must be an object',
    ],
    [
      'an element that is null',
      of(list('a', struct('s', [u(1, 'x')]), 'rest')),
      { a: JSON.parse('[null]') },
      'value a[0]: must be an object',
    ],
    [
      'a wrong member of an element',
      of(list('a', struct('s', [u(1, 'x')]), 'rest')),
      { a: [{ x: 1 }, { x: 256 }] },
      'value a[1].x: 256 is not 0 to 255',
    ],
    ['a list of another fixed length', of(list('a', u(1, 'id'), 2)), { a: [1] }, 'value a: must be 2 elements, has 1'],
    [
      'more than its layout has room for',
      layout(0, 2, [bytes('a', 'rest')]),
      { a: new Uint8Array(3) },
      'length : payload has 3 bytes, may have at most 2',
    ],
    [
      'less than its layout needs',
      layout(2, null, [bytes('a', 'rest')]),
      { a: new Uint8Array(1) },
      'length : payload has 1 bytes, needs at least 2',
    ],
    [
      'more bytes than a message carries',
      of(bytes('a', 'rest')),
      { a: new Uint8Array(0x200000) },
      'length : more than 2097151 bytes',
    ],
    [
      'more zeros than a message carries',
      of(bytes('a', 'rest'), reserved(1)),
      { a: new Uint8Array(0x1fffff) },
      'length : more than 2097151 bytes',
    ],
    [
      'one number more than a message carries',
      of(bytes('a', 0x1fffff), u(1, 'b')),
      { a: new Uint8Array(0x1fffff), b: 0 },
      'length b: more than 2097151 bytes',
    ],
    [
      'one wide number more than a message carries',
      of(bytes('a', 0x1fffff), u(8, 'b')),
      { a: new Uint8Array(0x1fffff), b: 0n },
      'length b: more than 2097151 bytes',
    ],
  ])('%s', (_what, shape, value, expected) => {
    expect(refusal(shape, value)).toBe(expected);
  });

  test('an unnamed code of a reply only where its field has no room', () => {
    expect(refusal(of(mode), { mode: 9 }, 'reply')).toBe('accepted');
    expect(refusal(of(mode), { mode: 256 }, 'reply')).toBe('value mode: 256 is not 0 to 255');
    expect(refusal(of(mode), { mode: -1 }, 'reply')).toBe('value mode: -1 is not 0 to 255');
    expect(refusal(of(mode), { mode: 0.5 }, 'reply')).toMatch(/must be one of/);
    expect(refusal(of(u(1, 'a', { max: 2 })), { a: 3 }, 'reply')).toBe('accepted');
    expect(refusal(of(u(1, 'a', { max: 2 })), { a: 256 }, 'reply')).toBe('value a: 256 is not 0 to 255');
    expect(refusal(of(u(8, 'a', { max: 2 })), { a: 3n }, 'reply')).toBe('accepted');
  });

  test('a VCS with more vPPBs listed than it has: no decoder would take it back', () => {
    const row = rowBySlug('get-virtual-cxl-switch-info');
    if (row === undefined || !isTyped(row)) return expect.fail('no codec');
    const block = { vcs_id: 0, vcs_state: 'enabled', usp_id: 0, number_of_vppbs: 1 };
    const entry = { binding_status: 'unbound', bound_port_id: 0, bound_ld_id: 255 };
    const value = { vcs_information_list: [{ ...block, vppb_information_list: [entry, entry] }] };
    expect(refusal(row.response, value, 'reply')).toMatch(/vppb_information_list: must be at most 1 elements, has 2/);
  });
});

describe('a decoder', () => {
  test.each<[string, Layout, string, unknown]>([
    [
      'refuses a payload under the minimum',
      layout(2, 2, [u(2, 'a')]),
      '01',
      'length : payload has 1 bytes, needs at least 2',
    ],
    [
      'refuses a payload over the maximum',
      layout(2, 2, [u(2, 'a')]),
      '010203',
      'length : payload has 3 bytes, may have at most 2',
    ],
    ['refuses what follows the end', of(u(1, 'a')), '0102', 'length : 1 bytes follow the end of the payload'],
    [
      'refuses reserved bytes',
      of(reserved(2), u(1, 'a')),
      '000107',
      'reserved reserved: reserved bytes at 0 are not zero',
    ],
    [
      'refuses reserved bytes of an element',
      of(list('a', struct('s', [reserved(1)]), 'rest')),
      '0001',
      'reserved a[1].reserved: reserved bytes at 1 are not zero',
    ],
    ['refuses reserved bits', of(flags), '80', 'reserved flags: reserved bits 0x80 are set'],
    [
      'refuses reserved bits of 64',
      of(bits(8, 'w', { a: [0, 0] })),
      '0000000000000080',
      'reserved w: reserved bits 0x8000000000000000 are set',
    ],
    ['refuses an unnamed part', of(flags), '07', 'value flags.mode: 7 is reserved'],
    ['refuses an unnamed code', of(mode), '07', 'value mode: 7 is reserved'],
    ['refuses a number below its bound', of(u(1, 'a', { min: 2 })), '01', 'value a: 1 is below 2'],
    ['refuses a number above its bound', of(u(8, 'a', { max: 2 })), '0300000000000000', 'value a: 3 is above 2'],
    [
      'refuses a counter below its bound',
      of(count(1, 'n', { min: 1 }), list('a', u(1, 'id'), { counter: 'n' })),
      '00',
      'value n: 0 is below 1',
    ],
    [
      'refuses a counter above its bound',
      of(count(1, 'n', { max: 1 }), list('a', u(1, 'id'), { counter: 'n' })),
      '020000',
      'value n: 2 is above 1',
    ],
    [
      'refuses a list its counter makes too long',
      of(count(1, 'n'), list('a', u(2, 'id'), { counter: 'n' })),
      '020000',
      'length a: 2 elements need 4 bytes, 2 are left',
    ],
    [
      'refuses a part of an element',
      of(list('a', u(2, 'id'), 'rest')),
      '010002',
      'length a: 2 elements need 4 bytes, 3 are left',
    ],
    ['refuses reserved bytes that are missing', of(reserved(2)), '00', 'length reserved: needs 2 bytes, 1 are left'],
    [
      'refuses a counter that is cut',
      of(count(2, 'n'), bytes('a', { counter: 'n' })),
      '00',
      'length n: needs 2 bytes, 1 are left',
    ],
    [
      'refuses padding that says something',
      of(ascii('a', 4)),
      '61006200',
      'reserved a: the bytes after the NUL are not zero',
    ],
    ['reads text to the end', of(ascii('a', 2)), '61ff', { a: 'aÿ' }],
    ['reads elements to the end', of(list('a', u(2, 'id'), 'rest')), '01000200', { a: [1, 2] }],
    ['reads a fixed number of elements', of(list('a', u(1, 'id'), 2)), '0102', { a: [1, 2] }],
    [
      'reads elements of unlike size to the end',
      of(list('a', struct('s', [count(1, 'n'), bytes('b', { counter: 'n' })]), 'rest')),
      '0001aa',
      { a: [{ b: new Uint8Array(0) }, { b: Uint8Array.of(0xaa) }] },
    ],
    ['reads signed numbers', of(i16('a'), i16('b', 'with a note')), 'ffff0080', { a: -1, b: -32768 }],
    [
      'reads 32 bits without a sign',
      of(bits(4, 'a', { low: [0, 30], high: [31, 31] })),
      'ffffffff',
      { a: { low: 0x7fffffff, high: true } },
    ],
    ['reads one part of 32 bits', of(bits(4, 'a', { all: [0, 31] })), 'ffffffff', { a: 0xffffffff }],
    ['reads 64 bits', of(wide), 'ffffffffffffffff', { wide: { low: true, middle: 31, high: 2n ** 58n - 1n } }],
    ['reads one part of 64 bits', of(bits(8, 'w', { a: [1, 1] })), '0200000000000000', { w: true }],
    ['reads bit 63', of(bits(8, 'w', { a: [0, 62], b: [63, 63] })), '0100000000000080', { w: { a: 1, b: true } }],
    ['leaves an optional number out', of(u(1, 'a'), u(1, 'b', { optional: true })), '01', { a: 1 }],
    ['leaves optional bits out', of(u(1, 'a'), bits(1, 'b', { c: [0, 0] }, { optional: true })), '01', { a: 1 }],
  ])('%s', (_what, shape, hex, expected) => {
    expect(reading(shape, hex)).toEqual(expected);
  });

  test('lets a reply of a newer device pass: reserved bits, unnamed codes, numbers out of bounds', () => {
    expect(reading(of(reserved(1), flags, mode, u(1, 'a', { max: 2 })), '01 87 07 09', 'reply')).toEqual({
      flags: { mode: 7, on: false, size: 0 },
      mode: 7,
      a: 9,
    });
    expect(reading(of(bits(8, 'w', { a: [0, 0] })), '0100000000000080', 'reply')).toEqual({ w: true });
    expect(reading(of(ascii('a', 4)), '61006200', 'reply')).toEqual({ a: 'a' });
    expect(reading(of(count(1, 'n', { max: 1 }), list('a', u(1, 'id'), { counter: 'n' })), '020000', 'reply')).toEqual({
      a: [0, 0],
    });
  });

  test('hands out flags of replies that nobody can change for the next reader', () => {
    const read = (): unknown => (reading(of(flags), '10', 'reply') as { flags: unknown }).flags;
    expect(Object.isFrozen(read())).toBe(true);
    expect(read()).toEqual({ mode: 'wait-for-link-down', on: true, size: 0 });
  });

  test('shares no memory with the payload', () => {
    const payload = Uint8Array.of(1, 2);
    const decoded = decodePayload(of(bytes('a', 'rest')), payload, { side: 'reply' });
    payload.fill(9);
    expect(decoded).toEqual({ ok: true, value: { a: Uint8Array.of(1, 2) } });
  });

  test('refuses to be made from a layout that would make it loop or guess', () => {
    expect(() => reading(of(list('a', u(1, 'id'), { counter: 'n' })), '00')).toThrow(RangeError);
    expect(() => reading(of(list('a', struct('s', [bytes('b', 'rest')]), 'rest')), '00')).toThrow(RangeError);
    expect(() => refusal(of(count(1, 'n')), {})).toThrow(RangeError);
  });
});

describe('a counter that lies costs nothing', () => {
  test.each([
    ['get-dc-region-extent-lists', 'response', 'reply', `${'00'.repeat(8)} ff ff ff ee ${'00'.repeat(12)}`, 'extents'],
    ['get-dynamic-capacity-extent-list', 'response', 'reply', `ff ff ff ff ${'00'.repeat(12)}`, 'extents'],
    [
      'dynamic-capacity-list-tags',
      'response',
      'reply',
      `${'00'.repeat(8)} ff ff ff ff 00 00 00 00`,
      'tag_information_list',
    ],
    ['media-operations', 'request', 'request', '01 00 00 00 ff ff ff ff', 'dpa_range_list'],
    ['get-event-records', 'response', 'reply', `${'00'.repeat(20)} ff ff ${'00'.repeat(10)}`, 'event_records'],
    ['initiate-dynamic-capacity-add', 'request', 'request', `00 00 02 ${'00'.repeat(25)} ff ff ff ff`, 'extents'],
    [
      'send-ld-cxl-io-memory-request',
      'request',
      'request',
      `00 00 00 80 00 00 00 10 ${'00'.repeat(8)}`,
      'transaction_data',
    ],
    ['tunnel-management-command', 'request', 'request', '00 00 ff ff', 'command_payload'],
  ] as const)('%s %s', (slug, part, side, hex, field) => {
    const row = rowBySlug(slug);
    if (row === undefined || !isTyped(row)) return expect.fail('no codec');
    const before = process.memoryUsage().heapUsed;
    for (let i = 0; i < 1000; i++) {
      const decoded = decodePayload(row[part], fromHex(hex) ?? new Uint8Array(0), { side });
      expect(decoded).toMatchObject({ ok: false, error: { code: 'length', field } });
    }
    // A thousand honest lists of four thousand million elements would not fit in any heap.
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(200e6);
  });
});
