import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  ascii,
  bits,
  bytes,
  count,
  encodePayload,
  type Field,
  fromJson,
  isTyped,
  type Layout,
  layout,
  list,
  rowBySlug,
  struct,
  type TypedRow,
  toJson,
  toJsonMasked,
  u,
  uuid,
  type Value,
} from '../../src/cci/index.ts';
import { arbitraryValue } from '../support/arbitrary-layout.ts';
import { cpuTimeMs } from '../support/cpu-time.ts';
import { decoders } from './decoders.ts';

function rowOf(slug: string): TypedRow {
  const row = rowBySlug(slug);
  return row !== undefined && isTyped(row) ? row : expect.fail(`no codec for ${slug}`);
}

function of(...fields: readonly Field[]): Layout {
  return layout(0, null, fields);
}

function read(shape: Layout, json: unknown): unknown {
  const result = fromJson(shape, json);
  return result.ok ? result.value : `${result.error.field}: ${result.error.message}`;
}

const requests = decoders.filter(({ side }) => side === 'request');

describe('parameters from JSON', () => {
  test.each<[string, Layout, unknown, unknown]>([
    ['a number', of(u(2, 'a')), { a: 5201 }, { a: 5201 }],
    ['a number as text', of(u(2, 'a')), { a: ' 0x10 ' }, { a: 16 }],
    ['minus zero, which is zero', of(u(2, 'a')), { a: -0 }, { a: 0 }],
    ['a wide number', of(u(8, 'a')), { a: 5 }, { a: 5n }],
    ['a wide number as text', of(u(8, 'a')), { a: '0xffffffffffffffff' }, { a: 2n ** 64n - 1n }],
    [
      'a code by name',
      rowOf('unbind-vppb').request,
      { vcs_id: 0, vppb_id: 0, option: 'managed-hot-remove' },
      { vcs_id: 0, vppb_id: 0, option: 'managed-hot-remove' },
    ],
    ['a code by number', of(u(1, 'a', { enum: 'unbind_option' })), { a: 2 }, { a: 'surprise-hot-remove' }],
    ['a code by number as text', of(u(1, 'a', { enum: 'unbind_option' })), { a: '0x2' }, { a: 'surprise-hot-remove' }],
    ['a list', rowOf('get-physical-port-state').request, { port_id_list: [1, '2'] }, { port_id_list: [1, 2] }],
    ['one number for a list', rowOf('get-physical-port-state').request, { port_id_list: 3 }, { port_id_list: [3] }],
    [
      'ranges',
      rowOf('get-physical-port-state').request,
      { port_id_list: '1, 4-6 ,0x10' },
      { port_id_list: [1, 4, 5, 6, 16] },
    ],
    ['nothing for a list', rowOf('get-physical-port-state').request, null, { port_id_list: [] }],
    ['bytes', of(bytes('a', 'rest')), { a: 'de AD' }, { a: Uint8Array.of(0xde, 0xad) }],
    ['nothing for bytes', of(bytes('a', 2), bytes('b', 'rest')), {}, { a: new Uint8Array(2), b: new Uint8Array(0) }],
    ['text', of(ascii('a', 4)), { a: 'x' }, { a: 'x' }],
    [
      'a UUID in capitals',
      of(uuid('a')),
      { a: '0DA9C0B5-BF41-4B78-8F79-96B1623B3F17' },
      { a: '0da9c0b5-bf41-4b78-8f79-96b1623b3f17' },
    ],
    ['one bit', of(bits(1, 'a', { on: [0, 0] })), { a: 'true' }, { a: true }],
    [
      'several bits, of which the missing are off',
      of(bits(1, 'a', { x: [0, 0], y: [1, 1], z: [2, 2], v: [3, 3] })),
      { a: { x: 1, y: '0', v: false } },
      { a: { x: true, y: false, z: false, v: false } },
    ],
    ['a wide part', of(bits(8, 'a', { x: [0, 0], y: [6, 63] })), { a: { y: '0x10' } }, { a: { x: false, y: 16n } }],
    ['no optional field', of(u(1, 'a', { optional: true }), bits(1, 'b', { c: [0, 0] }, { optional: true })), {}, {}],
    [
      'elements',
      of(count(1, 'n'), list('a', struct('s', [u(1, 'x')]), { counter: 'n' })),
      { a: [{ x: 1 }] },
      { a: [{ x: 1 }] },
    ],
  ])('takes %s', (_what, shape, json, expected) => {
    expect(read(shape, json)).toEqual(expected);
  });

  const oneOf = 'wait-for-link-down, managed-hot-remove, surprise-hot-remove';
  const code = of(u(1, 'a', { enum: 'unbind_option' }));
  const flag = of(bits(1, 'a', { on: [0, 0], size: [1, 3] }));
  const ports = rowOf('get-physical-port-state').request;
  test.each<[string, Layout, unknown, string]>([
    ['no object', of(u(1, 'a')), [], ': must be an object'],
    ['text for the whole', of(u(1, 'a')), 'a', ': must be an object'],
    ['a missing number', of(u(1, 'a')), {}, 'a: is missing'],
    ['a missing wide number', of(u(8, 'a')), {}, 'a: is missing'],
    ['a missing code', code, {}, `a: is missing: one of ${oneOf}`],
    ['a missing UUID', of(uuid('a')), {}, 'a: is missing'],
    ['missing text', of(ascii('a', 4)), {}, 'a: is missing'],
    ['missing bits', flag, {}, 'a: is missing'],
    ['a member that is no field', of(u(1, 'a')), { a: 1, b: 2 }, 'b: is not a field here; there are a'],
    ['a member where there is none', of(), { b: 2 }, 'b: is not a field here; there are none'],
    ['a very long member', of(), { ['x'.repeat(1e6)]: 2 }, `${'x'.repeat(64)}...: is not a field here; there are none`],
    ['a part that is none', flag, { a: { on: true, size: 1, other: 1 } }, 'a.other: is not a part of this field'],
    ['bits that are no object', flag, { a: 3 }, 'a: must be an object of on, size'],
    ['maybe for a bit', flag, { a: { on: 'maybe', size: 1 } }, 'a.on: must be true or false'],
    ['a missing part', flag, { a: { on: true } }, 'a.size: is missing'],
    ['half a number', of(u(1, 'a')), { a: 0.5 }, 'a: must be a whole number'],
    ['NaN', of(u(1, 'a')), { a: Number.NaN }, 'a: must be a whole number'],
    ['infinity', of(u(8, 'a')), { a: Number.POSITIVE_INFINITY }, 'a: must be a whole number (text above 2^53)'],
    [
      'a number that lost its last digits',
      of(u(8, 'a')),
      { a: 2 ** 53 },
      'a: must be a whole number (text above 2^53)',
    ],
    ['a number with an exponent', of(u(1, 'a')), { a: '1e1' }, 'a: must be a whole number'],
    ['a number with a leading zero', of(u(1, 'a')), { a: '010' }, 'a: must be a whole number'],
    ['blank text', of(u(1, 'a')), { a: '  ' }, 'a: must be a whole number'],
    ['a boolean', of(u(1, 'a')), { a: true }, 'a: must be a whole number'],
    ['a list in a list', ports, { port_id_list: [[1]] }, 'port_id_list[0]: must be a whole number'],
    ['an object for a list', ports, { port_id_list: { 0: 1, length: 1 } }, 'port_id_list: must be a list'],
    ['a range that runs backwards', ports, { port_id_list: '7-3' }, 'port_id_list: 7-3 runs backwards'],
    ['a range over the counter', ports, { port_id_list: '0-99999' }, 'port_id_list: has more than 255 elements'],
    [
      'ranges over the counter together',
      ports,
      { port_id_list: '0-200,0-200' },
      'port_id_list: has more than 255 elements',
    ],
    [
      'a list over the counter',
      ports,
      { port_id_list: Array(256).fill(1) },
      'port_id_list: has 256 elements, may have at most 255',
    ],
    ['a list that no message carries', of(list('a', u(8, 'id'), 'rest')), { a: { length: 1 } }, 'a: must be a list'],
    [
      'a range that no message carries',
      of(list('a', struct('s', [bytes('b', 65536)]), 'rest')),
      { a: '0-99' },
      'a: has more than 31 elements',
    ],
    [
      'a range of elements that are objects',
      of(list('a', struct('s', [u(1, 'x')]), 'rest')),
      { a: '0-1' },
      'a[0]: must be an object',
    ],
    [
      'an element without its member',
      of(list('a', struct('s', [u(1, 'x')]), 'rest')),
      { a: [{ x: 1 }, {}] },
      'a[1].x: is missing',
    ],
    ['blank for a code', code, { a: ' ' }, `a: must be one of ${oneOf}`],
    ['true for a code', code, { a: true }, `a: must be one of ${oneOf}`],
    ['a list for a code', code, { a: [] }, `a: must be one of ${oneOf}`],
    [
      'an object whose toString is no function for a code',
      code,
      JSON.parse('{"a":{"toString":1,"valueOf":1}}'),
      `a: must be one of ${oneOf}`,
    ],
    ['a name of the prototype for a code', code, { a: 'constructor' }, `a: must be one of ${oneOf}`],
    ['a code without a name', code, { a: 3 }, `a: must be one of ${oneOf}`],
    ['odd hex', of(bytes('a', 'rest')), { a: 'abc' }, 'a: must be hex digits'],
    ['0x in front of bytes', of(bytes('a', 'rest')), { a: '0xab' }, 'a: must be hex digits'],
    ['a number for bytes', of(bytes('a', 'rest')), { a: 7 }, 'a: must be hex digits'],
    ['a number for text', of(ascii('a', 4)), { a: 7 }, 'a: must be text'],
    ['a UUID that is none', of(uuid('a')), { a: 'x' }, 'a: must be a UUID'],
    ['a UUID that is a list', of(uuid('a')), { a: ['0da9c0b5-bf41-4b78-8f79-96b1623b3f17'] }, 'a: must be a UUID'],
    ['the members of a prototype', of(u(1, 'a')), Object.create({ a: 1 }), 'a: is missing'],
    [
      '__proto__',
      of(u(1, 'a')),
      JSON.parse('{"a":1,"__proto__":{"b":1}}'),
      '__proto__: is not a field here; there are a',
    ],
    [
      'constructor',
      of(u(1, 'a')),
      JSON.parse('{"a":1,"constructor":{"prototype":{"b":1}}}'),
      'constructor: is not a field here; there are a',
    ],
    [
      'toString',
      flag,
      JSON.parse('{"a":{"on":true,"size":1,"toString":1}}'),
      'a.toString: is not a part of this field',
    ],
  ])('refuses %s', (_what, shape, json, expected) => {
    expect(read(shape, json)).toBe(expected);
  });

  test('a bitmap is sorted and has each bit once, as the decoder would give it', () => {
    const shape = rowOf('identify-switch-device').response;
    const result = fromJson(shape, {
      ingress_port_id: 0,
      number_of_physical_ports: 1,
      number_of_vcss: 1,
      active_port_bitmask: [9, 3, '3', 9],
      active_vcs_bitmask: '0-2',
      total_number_of_vppbs: 0,
      number_of_bound_vppbs: 0,
      number_of_hdm_decoders: 0,
    });
    expect(result).toMatchObject({ ok: true, value: { active_port_bitmask: [3, 9], active_vcs_bitmask: [0, 1, 2] } });
  });

  test('a whole range of ids is expanded', () => {
    expect(read(rowOf('get-physical-port-state').request, { port_id_list: '0-254' })).toMatchObject({
      port_id_list: Array.from({ length: 255 }, (_, i) => i),
    });
  });

  // What a request body can hold: everything JSON can say, with the names that have hurt others before.
  const name = fc.oneof(
    fc.constantFrom('__proto__', 'constructor', 'toString', 'valueOf', 'hasOwnProperty', 'length', ''),
    fc.constantFrom(
      ...requests.flatMap(({ layout: shape }) => shape.fields.map((field) => ('name' in field ? field.name : ''))),
    ),
    fc.string(),
  );
  const leaf = fc.oneof(
    fc.constantFrom<unknown>(
      null,
      true,
      false,
      '0-99999',
      '0-',
      '-1',
      '1e999',
      ' ',
      '\ud800',
      '\0',
      '9'.repeat(40),
      '0xffffffffffffffffff',
    ),
    fc.double(),
    fc.integer(),
    fc.string({ unit: 'binary' }),
  );
  const hostile = fc.letrec<{ json: unknown }>((tie) => ({
    json: fc.oneof(
      { maxDepth: 4 },
      leaf,
      fc.array(tie('json'), { maxLength: 5 }),
      fc.array(fc.tuple(name, tie('json')), { maxLength: 6 }).map((members) => {
        const text = members.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value) ?? 'null'}`);
        return JSON.parse(`{${text.join(',')}}`) as unknown;
      }),
    ),
  })).json;

  test('whatever JSON says is a value or an error, and no prototype changes', () => {
    const layouts = requests.map((decoder) => decoder.layout);
    fc.assert(
      fc.property(fc.constantFrom(...layouts), hostile, (shape, json) => {
        const result = fromJson(shape, json);
        if (result.ok) encodePayload(shape, result.value);
        else expect(result.error.code).toBe('value');
        expect(Object.keys(Object.prototype)).toEqual([]);
      }),
      { numRuns: 20_000 },
    );
  });

  test('one hostile member in good parameters is a value or an error with its path', () => {
    const targets = requests.filter(({ layout: shape }) => shape.fields.some((field) => 'name' in field));
    fc.assert(
      fc.property(fc.constantFrom(...targets), hostile, fc.nat(), ({ layout: shape }, json, at) => {
        const [value] = fc.sample(arbitraryValue(shape, 'request'), { numRuns: 1, seed: at });
        const good = toJson(value) as { [name: string]: unknown };
        const names = Object.keys(good);
        const chosen = names[at % names.length] ?? '';
        const result = fromJson(shape, { ...good, [chosen]: json });
        if (!result.ok) expect(result.error.field.startsWith(chosen)).toBe(true);
        else encodePayload(shape, result.value);
      }),
      { numRuns: 5000 },
    );
  });

  test('ten million elements or a text of them are refused without being looked at', () => {
    const shape = rowOf('initiate-dynamic-capacity-add').request;
    const start = cpuTimeMs();
    const most = Math.floor(0x1fffff / 40);
    expect(read(rowOf('get-physical-port-state').request, { port_id_list: new Array(1e7) })).toMatch(/at most 255/);
    expect(read(rowOf('get-physical-port-state').request, { port_id_list: '1,'.repeat(5e6) })).toMatch(/more than 255/);
    const params = { host_id: 0, selection_policy: 'prescriptive', region: 0, length: 0, extents: new Array(1e7) };
    expect(read(shape, params)).toMatch(`at most ${most}`);
    expect(cpuTimeMs() - start).toBeLessThan(2000);
  });
});

describe('JSON of a value', () => {
  test('writes 64 bits as text, bytes as hex, and leaves out what is not there', () => {
    expect(toJson({ a: 2n ** 64n - 1n, b: Uint8Array.of(1, 0xff), c: undefined, d: [true, 'x'] })).toEqual({
      a: '0xffffffffffffffff',
      b: '01ff',
      d: [true, 'x'],
    });
    expect(toJson(undefined)).toBeNull();
  });
});

describe('JSON for logs', () => {
  const tag = new Uint8Array(16).fill(0xab);
  const extent = { starting_dpa: 0n, length: 1n, tag, shared_extent_sequence: 0 };

  function masked(slug: string, part: 'request' | 'response', value: Value): string {
    return JSON.stringify(toJsonMasked(rowOf(slug)[part], value));
  }

  test('hides the tag of a request and of each extent in a list', () => {
    const value: Value = {
      host_id: 1,
      selection_policy: 'prescriptive',
      region: 0,
      length: 1n,
      tag,
      extents: [extent],
    };
    const text = masked('initiate-dynamic-capacity-add', 'request', value);
    expect(text).not.toContain('abab');
    expect(text).toContain('"host_id":1');
    expect(JSON.parse(text)).toMatchObject({ tag: '(masked)', extents: [{ tag: '(masked)', length: '0x1' }] });
  });

  test('hides passphrases, domain secrets, tags of replies, and what tunnels and event records carry', () => {
    const secret = new Uint8Array(32).fill(0xab);
    expect(
      masked('set-passphrase', 'request', {
        passphrase_type: 'user',
        current_passphrase: secret,
        new_passphrase: secret,
      }),
    ).not.toContain('abab');
    expect(
      masked('get-domain-validation-sv', 'response', { secret_value_uuid: 'abababab-abab-abab-abab-abababababab' }),
    ).not.toContain('abab');
    expect(masked('get-dc-region-extent-lists', 'response', { host_id: 1, extents: [extent] })).not.toContain('abab');
    expect(masked('tunnel-management-command', 'request', { port_or_ld_id: 1, command_payload: secret })).not.toContain(
      'abab',
    );
    expect(
      masked('get-event-records', 'response', {
        event_records: [{ event_record_handle: 1, event_record_data: secret }],
      }),
    ).not.toContain('abab');
  });

  test('hides secrets of every kind of field, and only those', () => {
    const shape = of(
      u(4, 'number', { secret: true }),
      bits(1, 'flags', { a: [0, 0], b: [1, 1] }, { secret: true }),
      { ...ascii('text', 4), secret: true },
      list('numbers', u(1, 'id', { secret: true }), 'rest'),
      list('plain', u(1, 'id'), 'rest'),
      list('structs', struct('s', [u(1, 'x')]), 'rest'),
      u(1, 'left_out', { optional: true }),
    );
    const value: Value = {
      number: 1,
      flags: { a: true, b: true },
      text: 'x',
      numbers: [1],
      plain: [1],
      structs: [{ x: 1 }, 7],
    };
    expect(toJsonMasked(shape, value)).toEqual({
      number: '(masked)',
      flags: '(masked)',
      text: '(masked)',
      numbers: '(masked)',
      plain: [1],
      structs: [{ x: 1 }, '(masked)'],
    });
  });

  test('shows everything else as toJson does', () => {
    for (const { layout: shape, side } of decoders) {
      for (const value of fc.sample(arbitraryValue(shape, side), { numRuns: 5, seed: 3 })) {
        const hidden = JSON.stringify(toJsonMasked(shape, value));
        if (!hidden.includes('(masked)')) expect(JSON.parse(hidden)).toEqual(JSON.parse(JSON.stringify(toJson(value))));
      }
    }
  });
});
