import { isDeepStrictEqual } from 'node:util';
import {
  type CciMessage,
  type Dialect,
  decodeRequestMessage,
  decodeResponseMessage,
  encodeMessage,
  HEADER_SIZE,
} from '../../src/cci/index.ts';
import { demand, type Target } from '../engine/target.ts';
import { joined } from './cci-seeds.ts';
import { hexOf, Input, sameBytes } from './input.ts';

/** Header and payload of a CCI message: one byte chooses the dialect. */
export function messageTarget(category: 'request' | 'response'): Target {
  const decode = category === 'request' ? decodeRequestMessage : decodeResponseMessage;
  return {
    name: `${category}-message`,
    oracle: 'a message that is accepted encodes to the bytes that came (a vendor status in a request is zeroed)',
    covers: ['src/cci'],
    kind: 'bytes',
    maxLength: 200,
    seeds: () =>
      [0, 1].flatMap((dialect) =>
        [0, 5, 68].map((length) =>
          joined(
            Uint8Array.of(dialect),
            encodeMessage(
              {
                category,
                tag: 7,
                opcode: 0x5101,
                background: category === 'response',
                returnCode: category === 'response' ? 6 : 0,
                vendorStatus: 0,
                payload: new Uint8Array(length).fill(3),
              },
              dialect === 0 ? 'spec' : 'jackrabbit',
            ),
          ),
        ),
      ),
    mend: (bytes) => (bytes.length > HEADER_SIZE ? withLength(bytes, 1, bytes[0] === 1) : bytes),
    open: () => ({
      run(bytes) {
        const input = new Input(bytes);
        const dialect: Dialect = (input.byte() & 1) === 1 ? 'jackrabbit' : 'spec';
        const message = input.rest();
        const decoded = decode(message, dialect);
        if (!decoded.ok) return;
        demand(decoded.value.category === category, 'another category than was asked for');
        demand(decoded.value.payload.length === message.length - HEADER_SIZE, 'another length than came');
        demand(sameBytes(encodeMessage(decoded.value, dialect), plain(message, category, dialect)), () =>
          hexOf(message),
        );
        checkOwnMemory(decoded.value, message, dialect);
      },
    }),
  };
}

/** What is accepted though it is not the one form: the vendor status of a request, the low nibble of one dialect. */
function plain(message: Uint8Array, category: string, dialect: Dialect): Uint8Array {
  const copy = message.slice();
  if (category === 'request') copy.fill(0, 10, 12);
  else if (dialect === 'jackrabbit') copy[0] = (copy[0] ?? 0) & 0xf0;
  return copy;
}

/** What is decided on must not change when the sender's buffer is used again. */
function checkOwnMemory(value: CciMessage, message: Uint8Array, dialect: Dialect): void {
  const before = structuredClone(value);
  message.fill(0xa5);
  demand(isDeepStrictEqual(value, before), `the ${dialect} message shares memory with its bytes`);
}

/** Sets the length of the message that begins at `at` to the bytes that follow its header. */
export function withLength(bytes: Uint8Array, at: number, isOld: boolean): Uint8Array {
  const copy = bytes.slice();
  const length = copy.length - at - HEADER_SIZE;
  if (length < 0) return copy;
  copy[at + 5] = length & 0xff;
  copy[at + 6] = (length >> 8) & 0xff;
  const flags = (copy[at + 7] ?? 0) & (isOld ? 0x01 : 0x80);
  copy[at + 7] = flags | ((length >> 16) << (isOld ? 3 : 0));
  return copy;
}
