import type { Dialect } from '../../src/cci/index.ts';
import { encodeMessage } from '../../src/cci/index.ts';
import { MCTP_TYPE, PACKET_SIZE, packetize } from '../../src/cci/mctp.ts';
import type { SeededRandom } from '../../test/cci/seeded-random.ts';
import { joined } from './cci-seeds.ts';

/** Packets of one message. */
export function messagePackets(
  category: 'request' | 'response',
  dialect: Dialect,
  more: {
    readonly opcode?: number;
    readonly length?: number;
    readonly tag?: number;
    readonly cciTag?: number;
    readonly type?: number;
  } = {},
): Uint8Array {
  const body = encodeMessage(
    {
      category,
      tag: more.cciTag ?? 1,
      opcode: more.opcode ?? 0x5100,
      background: false,
      returnCode: 0,
      vendorStatus: 0,
      payload: new Uint8Array(more.length ?? 0).fill(0x31),
    },
    dialect,
  );
  const address = { destination: 8, source: 9, tagOwner: category === 'request', tag: more.tag ?? 0 };
  return packetize(address, more.type ?? MCTP_TYPE.fmApi, body, 0).bytes;
}

export const controlPackets = (...body: readonly number[]): Uint8Array =>
  packetize({ destination: 8, source: 9, tagOwner: true, tag: 2 }, MCTP_TYPE.control, Uint8Array.from(body), 0).bytes;

/** Streams to begin with. `head` stands before each of them. */
export function streams(category: 'request' | 'response', dialect: Dialect, head: Uint8Array): readonly Uint8Array[] {
  const one = messagePackets(category, dialect);
  const long = messagePackets(category, dialect, { length: 200, tag: 3 });
  return [
    joined(head, one),
    joined(head, long),
    joined(head, one, long, one),
    // Two messages whose packets alternate.
    joined(head, long.subarray(0, PACKET_SIZE), one, long.subarray(PACKET_SIZE)),
    joined(head, controlPackets(0x81, 3), messagePackets(category, dialect, { type: MCTP_TYPE.cci, opcode: 1 })),
  ];
}

/** Makes packets behind `from` plausible: version 1 in each, and sometimes one sequence from the first to the last. */
export function mendPackets(bytes: Uint8Array, from: number, random: SeededRandom): Uint8Array {
  const copy = bytes.slice();
  const isOneMessage = random.below(4) === 0;
  for (let at = from, number = 0; at + 4 <= copy.length; at += PACKET_SIZE, number++) {
    copy[at] = ((copy[at] ?? 0) & 0xf0) | 1;
    if (!isOneMessage) continue;
    const isLast = at + 2 * PACKET_SIZE > copy.length;
    copy[at + 3] =
      (number === 0 ? 0x80 : 0) | (isLast ? 0x40 : 0) | ((number & 3) << 4) | ((copy[from + 3] ?? 0) & 0x0f);
  }
  return copy;
}

/** Cuts bytes into pieces, as a network may: the pieces' lengths follow from `pattern`. */
export function* chunksOf(bytes: Uint8Array, pattern: number): Generator<Uint8Array> {
  let state = pattern;
  for (let at = 0; at < bytes.length; ) {
    state = (state * 73 + 41) & 0xff;
    const size = pattern === 0 ? bytes.length : 1 + (state % (pattern < 64 ? 7 : 150));
    yield bytes.subarray(at, at + size);
    at += size;
  }
}
