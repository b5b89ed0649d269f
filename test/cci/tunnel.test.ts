import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type CciMessage,
  decodeRoute,
  decodeRoutedReply,
  encodeMessage,
  encodeRoute,
  encodeRoutedReply,
  formatVia,
  type Hop,
  hopsProblem,
  type LayerReply,
  ldId,
  maxRoutedPayload,
  parseVia,
  portId,
  type RoutedCommand,
  TUNNEL_OPCODE,
} from '../../src/cci/index.ts';

const PORT_3: Hop = { kind: 'port', port: portId(3) };
const LD_1: Hop = { kind: 'ld', ld: ldId(1) };
const POOL: Hop = { kind: 'ldpool' };
const DONE: LayerReply = { returnCode: 0, vendorStatus: 0, background: false };

function message(opcode: number, payload: Uint8Array, part: Partial<CciMessage> = {}): CciMessage {
  return { category: 'request', tag: 9, opcode, background: false, returnCode: 0, vendorStatus: 0, payload, ...part };
}

/** A tunnel layer around bytes, with the header as given: nothing is checked. */
function layer(id: number, type: number, inner: Uint8Array, size = inner.length): Uint8Array {
  return Uint8Array.of(id, type, size & 0xff, size >> 8, ...inner);
}

const identify = encodeMessage(message(0x0001, new Uint8Array(0)));

const hops: fc.Arbitrary<readonly Hop[]> = fc
  .tuple(fc.nat(255), fc.option(fc.oneof(fc.nat(255), fc.constant('pool' as const))), fc.boolean())
  .map(([port, second, direct]) => {
    if (direct) return [];
    const first: Hop = { kind: 'port', port: portId(port) };
    if (second === null) return [first];
    return [first, second === 'pool' ? POOL : { kind: 'ld', ld: ldId(second) }];
  });

const command: fc.Arbitrary<RoutedCommand> = fc
  .tuple(hops, fc.uint8Array({ minLength: 2, maxLength: 2 }), fc.integer({ min: 1, max: 0xffff }), fc.uint8Array())
  .filter(([, , opcode]) => opcode !== TUNNEL_OPCODE)
  .map(([path, tags, opcode, payload]) => ({ hops: path, tags: [...tags].slice(0, path.length), opcode, payload }));

const dialect = fc.constantFrom('spec' as const, 'jackrabbit' as const);

describe('a routed command', () => {
  test('comes back from its bytes in both dialects', () => {
    fc.assert(
      fc.property(command, dialect, (given, form) => {
        const { opcode, payload } = encodeRoute(given, form);
        expect(decodeRoute(opcode, payload, form)).toEqual({ ok: true, value: given });
      }),
      { numRuns: 2000 },
    );
  });

  test('that the decoder accepted has one byte form: the one that is sent', () => {
    fc.assert(
      fc.property(command, fc.nat(), fc.nat(255), (given, at, value) => {
        const { opcode, payload } = encodeRoute(given);
        if (payload.length === 0 || given.hops.length === 0) return;
        payload[at % Math.min(payload.length, 32)] = value;
        const decoded = decodeRoute(opcode, payload);
        if (!decoded.ok) return;
        const again = encodeRoute(decoded.value).payload;
        // What differs is what is zeroed on purpose: vendor status (D16), and the id that an LD pool layer ignores.
        expect(again.length).toBe(payload.length);
        expect(decodeRoute(opcode, again)).toEqual(decoded);
      }),
      { numRuns: 5000 },
    );
  });

  test('of random bytes is an error or a path, never a crash', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), dialect, (payload, form) => {
        const decoded = decodeRoute(TUNNEL_OPCODE, payload, form);
        if (decoded.ok) expect(hopsProblem(decoded.value.hops)).toBeUndefined();
        else expect(decoded.error.layer).toBeLessThanOrEqual(2);
      }),
      { numRuns: 20_000 },
    );
  });

  test.each(['spec', 'jackrabbit'] as const)('fits to the byte what maxRoutedPayload promises in %s', (form) => {
    for (const path of [[PORT_3], [PORT_3, LD_1]]) {
      const most = maxRoutedPayload(path.length, form);
      const of = (size: number) => ({ hops: path, tags: [], opcode: 0x0201, payload: new Uint8Array(size) });
      const { opcode, payload } = encodeRoute(of(most), form);
      expect(decodeRoute(opcode, payload, form)).toMatchObject({ ok: true, value: { opcode: 0x0201 } });
      expect(() => encodeRoute(of(most + 1), form)).toThrow(RangeError);
    }
    expect(maxRoutedPayload(0, form)).toBe(0x1fffff);
  });

  test.each([
    ['an LD first', [LD_1]],
    ['a pool first', [POOL]],
    ['two ports', [PORT_3, PORT_3]],
    ['three hops', [PORT_3, LD_1, LD_1]],
    ['LD 256, which is not LD 0', [PORT_3, { kind: 'ld', ld: ldId(256) }]],
  ] as [string, Hop[]][])('with a path of %s is not encoded', (_what, path) => {
    expect(() => encodeRoute({ hops: path, tags: [], opcode: 1, payload: new Uint8Array(0) })).toThrow(RangeError);
  });
});

describe('a tunnel is refused', () => {
  const inner = layer(1, 0, identify);
  const nested = encodeMessage(message(TUNNEL_OPCODE, inner));
  const third = encodeMessage(message(TUNNEL_OPCODE, layer(0, 0, nested)));
  const cut = (size: number): Uint8Array => layer(3, 0, identify.subarray(0, size));
  const with0 = (at: number, value: number): Uint8Array => {
    const copy = identify.slice();
    copy[at] = value;
    return layer(3, 0, copy);
  };
  test.each([
    ['with no header', new Uint8Array(3), 0, 'length', ''],
    ['with a size one too small', layer(3, 0, identify, 11), 0, 'length', 'command_size'],
    ['with a size one too large', layer(3, 0, identify, 13), 0, 'length', 'command_size'],
    ['with an inner message of 11 bytes', cut(11), 0, 'length', ''],
    ['with no inner message', cut(0), 0, 'length', ''],
    ['with an inner length one too large', with0(5, 1), 0, 'length', 'payload_length'],
    ['with an inner length over 64 KiB', with0(7, 1), 0, 'length', 'payload_length'],
    ['with an inner response', with0(0, 1), 0, 'value', 'category'],
    ['with a reserved inner byte', with0(2, 1), 0, 'reserved', 'reserved'],
    ['with reserved inner bits', with0(7, 0x60), 0, 'reserved', 'reserved'],
    ['with BO in the inner request', with0(7, 0x80), 0, 'reserved', 'background'],
    ['with a return code in the inner request', with0(8, 1), 0, 'value', 'return_code'],
    ['to an LD pool of the switch itself', layer(3, 1, identify), 0, 'value', 'target_type'],
    ['with target type 2 at the switch', layer(3, 2, identify), 0, 'value', 'target_type'],
    ['with a target type over its nibble', layer(3, 0x10, identify), 0, 'reserved', 'target_type'],
    ['around opcode 0000h', layer(3, 0, encodeMessage(message(0, new Uint8Array(0)))), 1, 'value', 'opcode'],
    [
      'with target type 2 at the device',
      layer(3, 0, encodeMessage(message(TUNNEL_OPCODE, layer(1, 2, identify)))),
      1,
      'value',
      'target_type',
    ],
    [
      'with a size one too small in the second layer',
      layer(3, 0, encodeMessage(message(TUNNEL_OPCODE, layer(1, 0, identify, 11)))),
      1,
      'length',
      'command_size',
    ],
    [
      'with a size one too large in the second layer',
      layer(3, 0, encodeMessage(message(TUNNEL_OPCODE, layer(1, 0, identify, 13)))),
      1,
      'length',
      'command_size',
    ],
    [
      'around opcode 0000h in the second layer',
      layer(3, 0, encodeMessage(message(TUNNEL_OPCODE, layer(1, 0, encodeMessage(message(0, new Uint8Array(0))))))),
      2,
      'value',
      'opcode',
    ],
    ['three levels deep', layer(3, 0, third), 2, 'value', 'opcode'],
  ])('%s', (_what, payload, at, code, field) => {
    expect(decodeRoute(TUNNEL_OPCODE, payload)).toMatchObject({ ok: false, error: { layer: at, code, field } });
  });

  test('of opcode 0000h itself', () => {
    expect(decodeRoute(0, new Uint8Array(0))).toMatchObject({ ok: false, error: { layer: 0, field: 'opcode' } });
  });
});

test('the id of an LD pool layer says nothing, and is sent as 0', () => {
  const payload = layer(3, 0, encodeMessage(message(TUNNEL_OPCODE, layer(0x77, 1, identify))));
  const decoded = decodeRoute(TUNNEL_OPCODE, payload);
  if (!decoded.ok) return expect.fail(decoded.error.message);
  expect(decoded.value.hops).toEqual([PORT_3, POOL]);
  expect(encodeRoute(decoded.value).payload[16]).toBe(0);
});

describe('a reply through tunnels', () => {
  const sent: RoutedCommand = { hops: [PORT_3, LD_1], tags: [0x22, 0x33], opcode: 0x0001, payload: new Uint8Array(0) };
  const full = { layers: [DONE, DONE, { ...DONE, vendorStatus: 5 }], payload: Uint8Array.of(1, 2, 3) };

  test('comes back from its bytes, whichever layer was the last to answer', () => {
    const code = fc.record({
      returnCode: fc.integer({ min: 2, max: 0xffff }),
      vendorStatus: fc.nat(0xffff),
      background: fc.boolean(),
    });
    fc.assert(
      fc.property(command, dialect, fc.nat(2), code, fc.uint8Array(), (given, form, refusing, refusal, data) => {
        const last = Math.min(refusing, given.hops.length);
        const layers = [...Array.from({ length: last }, () => DONE), refusal];
        const reply = { layers, payload: last === given.hops.length ? data : new Uint8Array(0) };
        const payload = encodeRoutedReply(given, reply, form);
        const outer = { ...(layers[0] ?? DONE), payload };
        expect(decodeRoutedReply(given, outer, form)).toEqual({ ok: true, value: reply });
      }),
      { numRuns: 2000 },
    );
  });

  const bytes = encodeRoutedReply(sent, full);
  const changed = (at: number, value: number): Uint8Array => {
    const copy = bytes.slice();
    copy[at] = value;
    return copy;
  };
  test.each([
    ['of 15 bytes', bytes.subarray(0, 15), 0, 'length', ''],
    ['with a size one too small', changed(0, (bytes[0] ?? 0) - 1), 0, 'length', 'response_size'],
    ['with a size one too large', changed(0, (bytes[0] ?? 0) + 1), 0, 'length', 'response_size'],
    ['with reserved byte 2', changed(2, 1), 0, 'reserved', 'reserved'],
    ['with reserved byte 3', changed(3, 1), 0, 'reserved', 'reserved'],
    ['with a request inside', changed(4, 0), 0, 'value', 'category'],
    ['with another tag', changed(5, 0), 0, 'value', 'message_tag'],
    ['with another opcode', changed(7, 1), 0, 'value', 'opcode'],
    ['with another tag in the second layer', changed(21, 0), 1, 'value', 'message_tag'],
    ['with another opcode in the second layer', changed(23, 2), 1, 'value', 'opcode'],
    ['with a size one too small in the second layer', changed(16, (bytes[16] ?? 0) - 1), 1, 'length', 'response_size'],
    ['that refuses in the middle and yet goes on', changed(12, 2), 1, 'length', ''],
  ])('%s is refused', (_what, payload, at, code, field) => {
    const decoded = decodeRoutedReply(sent, { ...DONE, payload });
    expect(decoded).toMatchObject({ ok: false, error: { layer: at, code, field } });
  });

  test('that refuses outside and yet carries something is refused', () => {
    const decoded = decodeRoutedReply(sent, { ...DONE, returnCode: 2, payload: bytes });
    expect(decoded).toMatchObject({ ok: false, error: { layer: 0, code: 'length' } });
  });

  test('of more layers than the path has is not encoded', () => {
    expect(() => encodeRoutedReply({ ...sent, hops: [PORT_3] }, full)).toThrow(RangeError);
  });

  test('over 65535 bytes is not encoded with a size that wrapped', () => {
    expect(() => encodeRoutedReply(sent, { ...full, payload: new Uint8Array(70_000) })).toThrow(RangeError);
  });
});

describe('the text of a path', () => {
  test('comes back', () => {
    fc.assert(
      fc.property(hops, (path) => {
        expect(path.length === 0 ? [] : parseVia(formatVia(path))).toEqual(path);
      }),
    );
  });

  test.each([
    '',
    'port',
    'port:',
    'port:256',
    'port:03',
    'port:3/',
    'port:3/ld:256',
    'port:3/ld:01',
    'port:3/ldpool/ld:1',
    'ld:1',
    'port:3\n',
    'PORT:3',
    ' port:3',
    'port:3/ldpool:1',
    'port:٣',
  ])('refuses `%s`: an id has one spelling', (text) => {
    expect(parseVia(text)).toBeUndefined();
  });
});
