import { isDeepStrictEqual } from 'node:util';
import type { Dialect } from '../../src/cci/index.ts';
import {
  type Assembly,
  defaultMctpLimits,
  type Packet,
  PacketReader,
  packetize,
  Reassembler,
  trimMessage,
} from '../../src/cci/mctp.ts';
import { demand, type Target } from '../engine/target.ts';
import { Input } from '../support/input.ts';
import { chunksOf, mendPackets, streams } from '../support/mctp-stream.ts';

const limits = { ...defaultMctpLimits, maxPayload: 512, maxOpen: 4 };
/** Bytes behind the type that a message may have: header and payload, and the padding of its last packet. */
const MOST_BODY = 12 + limits.maxPayload + 64;

function packetsOf(bytes: Uint8Array, pattern: number): readonly Packet[] {
  const reader = new PacketReader();
  const packets: Packet[] = [];
  for (const chunk of chunksOf(bytes, pattern)) {
    const read = reader.push(chunk);
    if (!read.ok) break;
    demand(reader.waiting < 68, `${reader.waiting} bytes wait`);
    packets.push(...read.value);
  }
  return packets;
}

function checkMessages(packets: readonly Packet[], dialect: Dialect): void {
  const reassembler = new Reassembler(dialect, limits);
  let nowMs = 0;
  for (const packet of packets) {
    nowMs += packet.destination;
    const assembly: Assembly = reassembler.accept(packet, nowMs);
    demand(reassembler.openCount <= limits.maxOpen, `${reassembler.openCount} messages are open`);
    if (assembly.kind !== 'message') continue;
    const { message } = assembly;
    demand(message.body.length <= MOST_BODY, `a message of ${message.body.length} bytes`);
    demand(packet.last && message.tag === packet.tag && message.source === packet.source, 'the message of another one');
    const trimmed = trimMessage(message, dialect);
    if (!trimmed.ok) {
      demand(trimmed.error.declared > trimmed.error.received, 'short, but longer than it says');
      continue;
    }
    const { bytes } = packetize(message, message.type, trimmed.value, 0);
    const again = new Reassembler(dialect, limits);
    const last = packetsOf(bytes, 0)
      .map((one) => again.accept(one, 0))
      .at(-1);
    demand(last?.kind === 'message', 'what was received cannot be sent');
    const back = trimMessage(last.message, dialect);
    demand(
      back.ok && isDeepStrictEqual(back.value.slice(0, trimmed.value.length), trimmed.value.slice()),
      'sent otherwise',
    );
  }
  reassembler.expire(nowMs + limits.assemblyMs);
  demand(reassembler.openCount === 0, 'an incomplete message outlives its time');
}

export const target: Target = {
  name: 'mctp-stream',
  oracle: 'packets do not depend on how bytes arrive; at most four messages are open, none over its bound or its time',
  covers: ['src/cci'],
  kind: 'bytes',
  maxLength: 2 + 68 * 14,
  seeds: () => [
    ...streams('request', 'spec', Uint8Array.of(0, 0)),
    ...streams('request', 'jackrabbit', Uint8Array.of(1, 9)),
  ],
  mend: (bytes, random) => mendPackets(bytes, 2, random),
  open: () => ({
    run(bytes) {
      const input = new Input(bytes);
      const dialect: Dialect = (input.byte() & 1) === 1 ? 'jackrabbit' : 'spec';
      const pattern = input.byte();
      const stream = input.rest();
      const packets = packetsOf(stream, 0);
      // What comes in one piece with a bad packet is lost together, so pieces may see more of it, never something else.
      const inPieces = packetsOf(stream, pattern);
      const common = inPieces.slice(0, packets.length);
      demand(isDeepStrictEqual(common, packets), 'the packets depend on the pieces');
      checkMessages(inPieces, dialect);
    },
  }),
};
