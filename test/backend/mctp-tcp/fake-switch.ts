import { createServer, type Server, type Socket } from 'node:net';
import { type CciMessage, type Dialect, decodeRequestMessage, encodeMessage } from '../../../src/cci/index.ts';
import { type MctpMessage, PacketReader, packetize, Reassembler, trimMessage } from '../../../src/cci/mctp.ts';

export interface Asked {
  readonly socket: Socket;
  /** How many connections there were before this one. */
  readonly connection: number;
  readonly message: MctpMessage;
  readonly request: CciMessage;
  /** The packets of a reply to it; parts of the header and of the address can be spoilt. */
  readonly reply: (
    change?: Partial<CciMessage>,
    address?: { readonly tag?: number; readonly type?: number; readonly tagOwner?: boolean },
  ) => Buffer;
}

/** A switch on the wire that answers as a test tells it. Takes one connection at a time, as a known one does. */
export class FakeSwitch implements AsyncDisposable {
  readonly asked: Asked[] = [];
  /** Sizes of what came in one piece, and how each connection ended. */
  readonly chunks: number[] = [];
  readonly ends: string[] = [];
  readonly sockets: Socket[] = [];
  private readonly server: Server;
  private readonly behave: (asked: Asked) => void;
  private readonly dialect: Dialect;

  private constructor(dialect: Dialect, behave: (asked: Asked) => void) {
    this.dialect = dialect;
    this.behave = behave;
    this.server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => this.serve(socket));
  }

  static async start(behave: (asked: Asked) => void, dialect: Dialect = 'jackrabbit'): Promise<FakeSwitch> {
    const fake = new FakeSwitch(dialect, behave);
    await new Promise<void>((resolve) => fake.server.listen(0, '127.0.0.1', resolve));
    return fake;
  }

  get port(): number {
    const address = this.server.address();
    if (address === null || typeof address === 'string') throw new Error('not listening');
    return address.port;
  }

  get opcodes(): readonly number[] {
    return this.asked.map(({ request }) => request.opcode);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private serve(socket: Socket): void {
    const connection = this.sockets.push(socket) - 1;
    const reader = new PacketReader();
    const reassembler = new Reassembler(this.dialect);
    let sequence = 0;
    socket.on('error', (error) => this.ends.push(error.message));
    socket.on('end', () => {
      this.ends.push(`end after ${this.asked.length}`);
      socket.end();
    });
    socket.on('data', (chunk: Uint8Array) => {
      this.chunks.push(chunk.length);
      const packets = reader.push(chunk);
      for (const packet of packets.ok ? packets.value : []) {
        const assembly = reassembler.accept(packet, 0);
        if (assembly.kind !== 'message') continue;
        const bytes = trimMessage(assembly.message, this.dialect);
        const request = bytes.ok ? decodeRequestMessage(bytes.value, this.dialect) : undefined;
        if (!request?.ok) throw new Error('the fake switch was sent what is no request');
        const asked: Asked = {
          socket,
          connection,
          message: assembly.message,
          request: request.value,
          reply: (change = {}, address = {}) => {
            const { tag, opcode } = request.value;
            const body = encodeMessage(
              {
                category: 'response',
                tag,
                opcode,
                background: false,
                returnCode: 0,
                vendorStatus: 0,
                payload: new Uint8Array(0),
                ...change,
              },
              this.dialect,
            );
            const to = {
              destination: 0,
              source: 0,
              tagOwner: address.tagOwner ?? false,
              tag: address.tag ?? assembly.message.tag,
            };
            const made = packetize(to, address.type ?? assembly.message.type, body, sequence);
            sequence = made.nextSequence;
            return Buffer.from(made.bytes);
          },
        };
        this.asked.push(asked);
        this.behave(asked);
      }
    });
  }
}
