import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type CciMessage,
  decodeRequestMessage,
  decodeResponseMessage,
  encodeMessage,
  HEADER_SIZE,
  MAX_MESSAGE_PAYLOAD,
} from '../../src/cci/index.ts';

const request: CciMessage = {
  category: 'request',
  tag: 7,
  opcode: 0x5101,
  background: false,
  returnCode: 0,
  vendorStatus: 0,
  payload: Uint8Array.of(1, 3),
};

function changed(message: CciMessage, offset: number, value: number): Uint8Array {
  const bytes = encodeMessage(message);
  bytes[offset] = value;
  return bytes;
}

describe('a CCI message', () => {
  test.each(['spec', 'jackrabbit'] as const)('comes back from its bytes in the %s form', (dialect) => {
    fc.assert(
      fc.property(
        fc.boolean(),
        fc.nat(0xff),
        fc.nat(0xffff),
        fc.nat(0xffff),
        fc.nat(0xffff),
        fc.boolean(),
        fc.uint8Array({ maxLength: 300 }),
        (isRequest, tag, opcode, returnCode, vendorStatus, background, payload) => {
          const message: CciMessage = isRequest
            ? { ...request, tag, opcode, payload }
            : { category: 'response', tag, opcode, returnCode, vendorStatus, background, payload };
          const bytes = encodeMessage(message, dialect);
          const decode = isRequest ? decodeRequestMessage : decodeResponseMessage;
          expect(bytes.length).toBe(HEADER_SIZE + payload.length);
          expect(decode(bytes, dialect)).toEqual({ ok: true, value: message });
        },
      ),
      { numRuns: 2000 },
    );
  });

  test.each([0xffff, 0x10000, MAX_MESSAGE_PAYLOAD])(
    'carries %i bytes: the length has 21 bits in two places',
    (size) => {
      for (const dialect of ['spec', 'jackrabbit'] as const) {
        const message = { ...request, payload: new Uint8Array(size) };
        const decoded = decodeRequestMessage(encodeMessage(message, dialect), dialect);
        expect(decoded.ok && decoded.value.payload.length).toBe(size);
      }
    },
  );

  test('shares no memory with the bytes it was read from, so that they can change afterwards', () => {
    const bytes = encodeMessage(request);
    const decoded = decodeRequestMessage(bytes);
    bytes.fill(0xff);
    expect(decoded.ok && decoded.value.payload).toEqual(Uint8Array.of(1, 3));
  });

  test.each([
    ['tag', { tag: 256 }],
    ['tag', { tag: -1 }],
    ['opcode', { opcode: 0x10000 }],
    ['opcode', { opcode: 0.5 }],
    ['return code', { returnCode: 0x10000 }],
    ['vendor status', { vendorStatus: Number.NaN }],
    ['payload', { payload: new Uint8Array(MAX_MESSAGE_PAYLOAD + 1) }],
  ])('with a %s that does not fit is not encoded as another one', (name, part) => {
    expect(() => encodeMessage({ ...request, ...part })).toThrow(new RegExp(`^${name}`));
  });
});

describe('a request is refused', () => {
  test.each([
    ['shorter than its header', encodeMessage(request).subarray(0, 11), 'length', ''],
    ['of no bytes', new Uint8Array(0), 'length', ''],
    ['one byte too long', Uint8Array.of(...encodeMessage(request), 0), 'length', 'payload_length'],
    ['one byte too short', encodeMessage(request).subarray(0, 13), 'length', 'payload_length'],
    ['with the category of a response', changed(request, 0, 1), 'value', 'category'],
    ['with byte 2 set', changed(request, 2, 1), 'reserved', 'reserved'],
    ['with bit 5 of byte 7 set', changed(request, 7, 0x20), 'reserved', 'reserved'],
    ['with bit 6 of byte 7 set', changed(request, 7, 0x40), 'reserved', 'reserved'],
    ['with BO set', changed(request, 7, 0x80), 'reserved', 'background'],
    ['with a return code', changed(request, 8, 1), 'value', 'return_code'],
    ['with a length of 64 KiB more than there is', changed(request, 7, 1), 'length', 'payload_length'],
  ])('%s', (_what, bytes, code, field) => {
    expect(decodeRequestMessage(bytes)).toMatchObject({ ok: false, error: { code, field } });
  });
});

test('a response with the category of a request is refused', () => {
  expect(decodeResponseMessage(encodeMessage(request))).toMatchObject({ ok: false, error: { field: 'category' } });
});
