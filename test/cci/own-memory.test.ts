import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  decodePayload,
  decodeRequestMessage,
  decodeRoute,
  encodeMessage,
  encodePayload,
  encodeRoute,
  ldId,
  portId,
} from '../../src/cci/index.ts';
import { arbitraryValue } from '../support/arbitrary-layout.ts';
import { decoders } from './decoders.ts';

// A Buffer gives views where an array gives copies, and whoever read it may use it again for what comes next. What was decided
// on must not change with it.

/** What came of some bytes, and what it is when these are used for something else. */
function beforeAndAfter<T>(bytes: Uint8Array, decode: (buffer: Buffer) => T): { before: T; after: T } {
  const buffer = Buffer.from(bytes);
  const after = decode(buffer);
  const before = structuredClone(after);
  buffer.fill(0xee);
  return { before, after };
}

test('a message is not changed by what its buffer is used for next', () => {
  const { opcode, payload } = encodeRoute({
    hops: [
      { kind: 'port', port: portId(3) },
      { kind: 'ld', ld: ldId(2) },
    ],
    tags: [1, 2],
    opcode: 0x4b01,
    payload: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8),
  });
  const message = {
    category: 'request',
    tag: 1,
    opcode,
    background: false,
    returnCode: 0,
    vendorStatus: 0,
    payload,
  } as const;
  const { before, after } = beforeAndAfter(encodeMessage(message), decodeRequestMessage);
  expect(after).toEqual(before);
  const route = beforeAndAfter(payload, (buffer) => decodeRoute(opcode, buffer));
  expect(route.after).toEqual(route.before);
});

test('no field of any command is changed by what its buffer is used for next', () => {
  let compared = 0;
  for (const { layout, side, title } of decoders) {
    for (const value of fc.sample(arbitraryValue(layout, side), { numRuns: 8, seed: 11 })) {
      const encoded = encodePayload(layout, value, side);
      if (!encoded.ok) continue;
      const { before, after } = beforeAndAfter(encoded.value, (buffer) => decodePayload(layout, buffer, { side }));
      expect(after, title).toEqual(before);
      compared += 1;
    }
  }
  expect(compared).toBeGreaterThan(decoders.length);
});
