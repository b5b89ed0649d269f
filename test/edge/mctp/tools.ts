import { connect, type Socket } from 'node:net';
import { readUint } from '../../../src/cci/index.ts';

/**
 * Replicas of tools, from what is known of the bytes they send and of what they can read. They share no code with the
 * product: what it packs wrongly, they must not unpack wrongly in the same way.
 */

const PACKET = 68;

export const hexBytes = (text: string): Buffer => Buffer.from(text.replaceAll(/[\s|]+/g, ''), 'hex');

/** The old tool's packetiser: type byte, then the message, in packets whose padding is whatever was there before. */
export function oldPackets(
  type: number,
  message: Buffer,
  from: { readonly tag?: number; readonly sequence?: number } = {},
): Buffer[] {
  const stale = (i: number): number => (i * 37 + 11) & 0xff;
  const packets: Buffer[] = [];
  // It forgets the type byte when it counts, and so loses the last byte of what fills whole packets.
  const count = Math.max(1, Math.ceil(message.length / 64));
  const whole = Buffer.concat([Buffer.of(type), message]);
  for (let i = 0; i < count; i++) {
    const packet = Buffer.from(Array.from({ length: PACKET }, (_, at) => stale(at + i)));
    packet[0] = 1;
    packet[1] = 0;
    packet[2] = 0;
    const sequence = ((from.sequence ?? 0) + i) & 3;
    packet[3] = (i === 0 ? 0x80 : 0) | (i === count - 1 ? 0x40 : 0) | (sequence << 4) | 0x08 | (from.tag ?? 0);
    whole.copy(packet, 4, i * 64, Math.min(whole.length, (i + 1) * 64));
    packets.push(packet);
  }
  return packets;
}

/** One command of the old tool, by its header and payload; `type` 07h unless it is a control or emulator message. */
export interface OldCommand {
  readonly what: string;
  readonly message: string;
  readonly type?: number;
}

/** What one run of the old tool got: every byte of every packet, or how it ended. */
export async function runOldTool(port: number, { message, type = 7 }: OldCommand, waitMs = 10_000): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true });
  const chunks: Buffer[] = [];
  let packets = 0;
  return new Promise((resolve) => {
    const end = (text: string): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(text);
    };
    const timer = setTimeout(() => end('TIMED OUT'), waitMs);
    socket.on('error', (error) => end(`ERROR ${error.message}`));
    socket.on('close', () => end('CLOSED'));
    socket.on('data', (chunk: Buffer) => {
      // It takes every segment for whole packets.
      if (chunk.length % PACKET !== 0) {
        end(`GARBAGE: a segment of ${chunk.length} bytes`);
        return;
      }
      chunks.push(chunk);
      for (let at = 0; at < chunk.length; at += PACKET) {
        const flags = chunk[at + 3] ?? 0;
        if (chunk[at] !== 1 || (flags & 0x0f) !== 0) end('IGNORED: version, tag owner or tag');
        if (packets > 0 && ((flags >> 4) & 3) !== (packets & 3)) end('DROPPED: sequence');
        packets++;
        if ((flags & 0x40) !== 0) end(Buffer.concat(chunks).toString('hex'));
      }
    });
    for (const packet of oldPackets(type, hexBytes(message))) socket.write(packet);
  });
}

/** The header's return code and payload of what `runOldTool` got. */
export function readOld(bytes: string): { readonly code: number; readonly payload: string } {
  const raw = Buffer.from(bytes, 'hex');
  if (raw.length < PACKET) throw new Error(`no reply: ${bytes}`);
  const body = Buffer.concat(
    Array.from({ length: raw.length / PACKET }, (_, i) => raw.subarray(i * PACKET + 4, (i + 1) * PACKET)),
  );
  const message = body.subarray(1);
  if ((message[0] ?? 0) >> 4 !== 1) throw new Error('not a response');
  const length = readUint(message, 5, 2);
  return { code: readUint(message, 8, 2), payload: message.subarray(12, 12 + length).toString('hex') };
}

/**
 * The library: connections that stay, one for each message type; tags that count up; ABCDh in the vendor status of
 * requests; and a strict look at every reply.
 */
export class Library {
  private readonly sockets = new Map<
    number,
    { readonly socket: Socket; held: Buffer; wake: (() => void) | undefined }
  >();
  private readonly port: number;
  private tag = 0;
  private sequence = new Map<number, number>();

  constructor(port: number) {
    this.port = port;
  }

  /** @returns return code and payload, or throws what the library would call a bad reply */
  async send(opcode: number, payload: Buffer, waitMs = 10_000): Promise<string> {
    const set = opcode >> 8;
    const type = set >= 0x51 && set <= 0x56 ? 7 : 8;
    const tag = this.tag++ & 0xff;
    const header = Buffer.alloc(12);
    header.writeUInt8(tag, 1);
    header.writeUInt16LE(opcode, 3);
    header.writeUInt16LE(payload.length, 5);
    header.writeUInt16LE(0xabcd, 10);
    const wire = await this.connection(type);
    const message = Buffer.concat([Buffer.of(type), header, payload]);
    const count = Math.ceil(message.length / 64);
    const sequence = this.sequence.get(type) ?? 0;
    this.sequence.set(type, sequence + count);
    for (let i = 0; i < count; i++) {
      const packet = Buffer.alloc(PACKET);
      packet[0] = 1;
      packet[1] = 9;
      packet[2] = 8;
      packet[3] = (i === 0 ? 0x80 : 0) | (i === count - 1 ? 0x40 : 0) | (((sequence + i) & 3) << 4) | 0x08 | (tag & 7);
      message.copy(packet, 4, i * 64, Math.min(message.length, (i + 1) * 64));
      wire.socket.write(packet);
    }
    const reply = await this.read(wire, waitMs);
    if (reply.flags !== (tag & 7)) throw new Error('tag owner or tag of MCTP');
    if (reply.destination !== 8) throw new Error('not for us');
    const bytes = reply.body;
    if (bytes[0] !== type) throw new Error(`message type ${bytes[0]}`);
    if (bytes[1] !== 1) throw new Error(`byte 0 is ${bytes[1]}`);
    if (bytes[2] !== tag) throw new Error('tag echo');
    if (readUint(bytes, 4, 2) !== opcode) throw new Error('opcode echo');
    const length = readUint(bytes, 6, 2);
    const code = readUint(bytes, 9, 2);
    return `${code}:${bytes.subarray(13, 13 + length).toString('hex')}`;
  }

  end(): void {
    for (const { socket } of this.sockets.values()) socket.destroy();
  }

  private async connection(type: number) {
    const there = this.sockets.get(type);
    if (there !== undefined) return there;
    const socket = connect({ host: '127.0.0.1', port: this.port, noDelay: true });
    const wire = { socket, held: Buffer.alloc(0), wake: undefined as (() => void) | undefined };
    this.sockets.set(type, wire);
    socket.on('data', (chunk: Buffer) => {
      wire.held = Buffer.concat([wire.held, chunk]);
      wire.wake?.();
    });
    socket.on('error', () => wire.wake?.());
    await new Promise<void>((resolve) => socket.once('connect', () => resolve()));
    return wire;
  }

  private async read(wire: { readonly socket: Socket; held: Buffer; wake: (() => void) | undefined }, waitMs: number) {
    const untilMs = performance.now() + waitMs;
    const parts: Buffer[] = [];
    for (;;) {
      while (wire.held.length >= PACKET) {
        const packet = wire.held.subarray(0, PACKET);
        wire.held = wire.held.subarray(PACKET);
        parts.push(packet.subarray(4));
        const flags = packet[3] ?? 0;
        if ((flags & 0x40) !== 0) return { body: Buffer.concat(parts), flags: flags & 0x0f, destination: packet[1] };
      }
      if (performance.now() > untilMs) throw new Error('timed out');
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 50);
        wire.wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }
}
