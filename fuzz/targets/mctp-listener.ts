import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import type { Dialect } from '../../src/cci/index.ts';
import { decodeResponseMessage, encodeMessage, HEADER_SIZE, readUint } from '../../src/cci/index.ts';
import { MCTP_TYPE, PacketReader, Reassembler, trimMessage } from '../../src/cci/mctp.ts';
import { MctpConnection } from '../../src/edge/mctp/connection.ts';
import { defaultMctpLimits } from '../../src/edge/mctp/options.ts';
import { demand, type Target } from '../engine/target.ts';
import { Input } from '../support/input.ts';
import { chunksOf, mendPackets, streams } from '../support/mctp-stream.ts';

const MAX_PAYLOAD = 512;
const QUEUED = 3;

/** As much of a socket as a connection uses; what is written is kept. */
class FakeSocket extends EventEmitter {
  readonly remoteAddress = '127.0.0.1';
  readonly remotePort = 1;
  readonly written: Uint8Array[] = [];
  readonly writableNeedDrain = false;
  destroyed = false;
  paused = false;
  setTimeout(): void {}
  isPaused(): boolean {
    return this.paused;
  }
  pause(): void {
    this.paused = true;
  }
  resume(): void {
    this.paused = false;
  }
  write(bytes: Uint8Array): boolean {
    demand(!this.destroyed, 'written after the end');
    this.written.push(bytes.slice());
    return true;
  }
  destroy(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    this.emit('close');
  }
  destroySoon(): void {
    this.destroy();
  }
}

interface Exchange {
  readonly written: Uint8Array;
  readonly relayed: number;
  readonly wasCut: boolean;
}

/** Sends a stream as a client would, in pieces, no faster than the connection reads. */
async function exchange(stream: Uint8Array, pattern: number, dialect: Dialect): Promise<Exchange> {
  const socket = new FakeSocket();
  let relayed = 0;
  let underWay = 0;
  const connection = new MctpConnection(socket as unknown as Socket, {
    dialect,
    uuid: new Uint8Array(16),
    limits: { ...defaultMctpLimits[dialect], maxPayload: MAX_PAYLOAD, queued: QUEUED },
    counts: { opened() {}, closed() {}, refused() {}, request() {}, assemblyError() {}, certificate() {} },
    onEnd: () => {},
    relay: async (message) => {
      relayed++;
      underWay++;
      demand(underWay === 1, 'two requests of a client at once');
      demand(message.length >= HEADER_SIZE && message.length <= HEADER_SIZE + MAX_PAYLOAD, `${message.length} bytes`);
      await undefined;
      underWay--;
      const reply = { category: 'response', background: false, returnCode: 0, vendorStatus: 0 } as const;
      const payload = new Uint8Array(readUint(message, 1, 1));
      return encodeMessage({ ...reply, tag: readUint(message, 1, 1), opcode: readUint(message, 3, 2), payload });
    },
  });
  for (const chunk of chunksOf(stream, pattern)) {
    for (let turn = 0; socket.paused && turn < 100; turn++) await setImmediate();
    demand(!socket.paused, 'the connection never reads on');
    if (socket.destroyed) break;
    socket.emit('data', chunk.slice());
  }
  const wasCut = socket.destroyed;
  if (!wasCut) connection.finish();
  for (let turn = 0; !socket.destroyed && turn < 200; turn++) await setImmediate();
  demand(socket.destroyed, 'the connection does not end');
  return { written: new Uint8Array(Buffer.concat(socket.written)), relayed, wasCut };
}

/** Requests that have to be answered, in their order: tag and type. */
function expected(stream: Uint8Array, dialect: Dialect): { readonly tags: string[]; readonly isWhole: boolean } {
  const reader = new PacketReader();
  const reassembler = new Reassembler(dialect, { maxPayload: MAX_PAYLOAD, maxOpen: 8, assemblyMs: 5000 });
  const tags: string[] = [];
  for (let at = 0; at < stream.length; at++) {
    const packets = reader.push(stream.subarray(at, at + 1));
    if (!packets.ok) return { tags, isWhole: false };
    for (const packet of packets.value) {
      const assembly = reassembler.accept(packet, 0);
      if (assembly.kind === 'dropped' && assembly.reason === 'too-long') return { tags, isWhole: false };
      if (assembly.kind === 'message' && assembly.message.tagOwner) {
        tags.push(`${assembly.message.tag} ${assembly.message.type}`);
      }
    }
  }
  return { tags, isWhole: true };
}

function answersIn(written: Uint8Array, dialect: Dialect): readonly string[] {
  const packets = new PacketReader().push(written);
  demand(packets.ok && written.length % 68 === 0, 'what was written is no MCTP');
  const reassembler = new Reassembler(dialect, { maxPayload: 8192, maxOpen: 8, assemblyMs: 5000 });
  return packets.value.flatMap((packet) => {
    demand(!packet.tagOwner, 'the listener asks something');
    const assembly = reassembler.accept(packet, 0);
    demand(assembly.kind !== 'dropped', 'a reply in pieces that do not fit');
    if (assembly.kind !== 'message') return [];
    const { message } = assembly;
    if (message.type === MCTP_TYPE.fmApi || message.type === MCTP_TYPE.cci) {
      const bytes = trimMessage(message, dialect);
      demand(bytes.ok && decodeResponseMessage(bytes.value, dialect).ok, 'a reply that nobody can read');
    }
    return [`${message.tag} ${message.type}`];
  });
}

export const target: Target = {
  name: 'mctp-listener',
  oracle: 'every request is answered once and in order, nothing is sent unasked, and a stream that is no MCTP ends',
  covers: ['src/edge/mctp', 'src/cci'],
  kind: 'bytes',
  maxLength: 2 + 68 * 12,
  seeds: () => [
    ...streams('request', 'spec', Uint8Array.of(0, 0)),
    ...streams('request', 'spec', Uint8Array.of(0, 200)),
    ...streams('request', 'jackrabbit', Uint8Array.of(1, 9)),
  ],
  mend: (bytes, random) => mendPackets(bytes, 2, random),
  open: () => ({
    async run(bytes) {
      const input = new Input(bytes);
      const dialect: Dialect = (input.byte() & 1) === 1 ? 'jackrabbit' : 'spec';
      const pattern = input.byte();
      const stream = input.rest();
      const { written, relayed, wasCut } = await exchange(stream, pattern, dialect);
      const answers = answersIn(written, dialect);
      const { tags, isWhole } = expected(stream, dialect);
      demand(relayed <= tags.length, 'more requests were relayed than came');
      demand(wasCut === !isWhole, wasCut ? 'a good stream was cut' : 'a bad stream was not cut');
      const due = isWhole ? tags : tags.slice(0, answers.length);
      demand(answers.join() === due.join(), `due are [${due.join()}], answered were [${answers.join()}]`);
    },
  }),
};
