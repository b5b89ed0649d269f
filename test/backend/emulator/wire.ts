import { connect, type Socket } from 'node:net';
import { type Dialect, fromHex, toHex } from '../../../src/cci/index.ts';
import { type MctpMessage, PacketReader, packetize, Reassembler, trimMessage } from '../../../src/cci/mctp.ts';

/** A client that speaks packets, and can speak them badly. */
export class Wire {
  readonly socket: Socket;
  readonly messages: MctpMessage[] = [];
  /** Byte 3 of every packet that came. */
  readonly flags: number[] = [];
  closed = false;
  private readonly dialect: Dialect;
  private wake: (() => void) | undefined;
  private sequence = 0;

  private constructor(socket: Socket, dialect: Dialect) {
    this.socket = socket;
    this.dialect = dialect;
    const reader = new PacketReader();
    const reassembler = new Reassembler(dialect);
    let seen = 3;
    socket.on('data', (chunk: Uint8Array) => {
      for (const byte of chunk) {
        if (seen === 0) this.flags.push(byte);
        seen = seen === 0 ? 67 : seen - 1;
      }
      const packets = reader.push(chunk);
      for (const packet of packets.ok ? packets.value : []) {
        const assembly = reassembler.accept(packet, 0);
        if (assembly.kind === 'message') this.messages.push(assembly.message);
      }
      this.wake?.();
    });
    socket.on('close', () => {
      this.closed = true;
      this.wake?.();
    });
    socket.on('error', () => {});
  }

  static async to(port: number, dialect: Dialect = 'spec'): Promise<Wire> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const socket = connect({ host: '127.0.0.1', port, noDelay: true }, resolve);
    const wire = new Wire(socket, dialect);
    await promise;
    return wire;
  }

  /** Bytes of the packets of a message. */
  packets(body: string, type = 7, address: { readonly tag?: number; readonly source?: number } = {}): Uint8Array {
    const { bytes, nextSequence } = packetize(
      { destination: 0, source: address.source ?? 0, tagOwner: true, tag: address.tag ?? 0 },
      type,
      fromHex(body) ?? new Uint8Array(0),
      this.sequence,
    );
    this.sequence = nextSequence;
    return bytes;
  }

  /** Sends a message and gives the hex of the next reply, padding cut off. */
  async ask(body: string, type = 7, waitMs?: number): Promise<string> {
    this.socket.write(this.packets(body, type));
    return this.next(waitMs);
  }

  /** The next reply. Rejects when the peer closes instead, or after so much silence. */
  async next(waitMs = 15_000): Promise<string> {
    const untilMs = performance.now() + waitMs;
    while (this.messages.length === 0) {
      if (this.closed) throw new Error('closed');
      if (performance.now() > untilMs) throw new Error('silence');
      const { promise, resolve } = Promise.withResolvers<void>();
      this.wake = resolve;
      const timer = setTimeout(resolve, 50);
      await promise;
      clearTimeout(timer);
    }
    const message = this.messages.shift();
    if (message === undefined) throw new Error('nothing');
    const trimmed = trimMessage(message, this.dialect);
    if (!trimmed.ok) throw new Error(`short: ${trimmed.error.received} of ${trimmed.error.declared}`);
    return toHex(trimmed.value);
  }

  end(): void {
    this.socket.destroy();
  }
}

export const hex = (text: string): string => text.replaceAll(/\s+/g, '');
