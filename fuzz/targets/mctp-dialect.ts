import {
  decodeRequestMessage,
  decodeResponseMessage,
  decodeRoute,
  encodeMessage,
  encodeRoute,
  parseVia,
  TUNNEL_OPCODE,
} from '../../src/cci/index.ts';
import { fromClient, toDevice } from '../../src/cci/mctp-dialect.ts';
import { demand, type Target } from '../engine/target.ts';
import { hexOf, Input, sameBytes } from '../support/input.ts';
import { withLength } from '../support/message-target.ts';

const DIALECT = 'jackrabbit';
/** Commands whose payload the other dialect has in another form; there it is not the same bytes that arrive. */
const CHANGED = new Set([0x0004]);

function request(opcode: number, payload: Uint8Array): Uint8Array {
  const message = { category: 'request', tag: 5, background: false, returnCode: 0, vendorStatus: 0 } as const;
  return encodeMessage({ ...message, opcode, payload }, DIALECT);
}

function tunnelled(via: string, opcode: number, payload: Uint8Array): Uint8Array {
  const hops = parseVia(via) ?? [];
  const route = encodeRoute({ hops, tags: hops.map(() => 6), opcode, payload }, DIALECT);
  return request(route.opcode, route.payload);
}

export const target: Target = {
  name: 'mctp-dialect',
  oracle: 'a request of the older dialect is decided on in one form and reaches a device of its own dialect unchanged',
  covers: ['src/cci'],
  kind: 'bytes',
  maxLength: 300,
  seeds: () => [
    request(0x0001, new Uint8Array(0)),
    request(0x0004, Uint8Array.of(12)),
    request(0x5203, new Uint8Array(40).fill(0, 0, 40).with(4, 8)),
    tunnelled('port:2', 0x0001, new Uint8Array(0)),
    tunnelled('port:2/ld:1', 0x4000, new Uint8Array(0)),
    tunnelled('port:2/ld:1', 0x5203, new Uint8Array(40).with(7, 0x80)),
  ],
  mend(bytes) {
    let copy = bytes.length < 12 ? bytes : withLength(bytes, 0, true);
    for (
      let at = 12;
      copy.length >= at + 17 && (copy[at - 9] ?? 0) + (copy[at - 8] ?? 0) * 256 === TUNNEL_OPCODE;
      at += 17
    ) {
      const size = copy.length - at - 4;
      copy = copy.with(at + 2, size & 0xff).with(at + 3, (size >> 8) & 0xff);
      copy = withLength(copy, at + 5, true);
    }
    return copy;
  },
  open: () => ({
    run(bytes) {
      const taken = fromClient(new Input(bytes).rest(), DIALECT);
      if (!taken.ok) return;
      const { message, reply } = taken.value;
      const decided = decodeRequestMessage(message);
      demand(decided.ok, () => `${hexOf(bytes)} becomes what nobody can decide on`);
      const route = decodeRoute(decided.value.opcode, decided.value.payload);
      demand(route.ok, () => `${hexOf(bytes)} becomes a tunnel that does not decode`);
      const sent = toDevice(decided.value.opcode, decided.value.payload, DIALECT);
      demand(sent.ok, () => `${hexOf(bytes)} cannot be sent on`);
      const original = decodeRequestMessage(bytes, DIALECT);
      demand(original.ok && original.value.opcode === sent.value.opcode, 'another command leaves');
      const came = decodeRoute(original.value.opcode, original.value.payload, DIALECT);
      demand(came.ok && came.value.opcode === sent.value.command.opcode, 'another command is executed');
      if (!CHANGED.has(route.value.opcode)) {
        const expected = encodeRoute(came.value, DIALECT).payload;
        demand(sameBytes(sent.value.payload, expected), () => `${hexOf(bytes)} leaves as ${hexOf(sent.value.payload)}`);
      }
      // A refusal of ours always has a way back.
      const { tag, opcode } = decided.value;
      const refusal = { category: 'response', tag, opcode, background: false, vendorStatus: 0 } as const;
      const shown = reply(encodeMessage({ ...refusal, returnCode: 2, payload: new Uint8Array(0) }));
      const read = decodeResponseMessage(shown, DIALECT);
      demand(read.ok && read.value.tag === tag && read.value.returnCode === 2, 'the refusal is lost');
    },
  }),
};
