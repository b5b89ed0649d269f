import { connect, type Socket } from 'node:net';
import { type CciMessage, type Dialect, decodeResponseMessage, encodeMessage, hex16 } from '../../cci/index.ts';
import { type Packet, PacketReader, packetize } from '../../cci/mctp.ts';
import { segments } from '../../cci/mctp-segments.ts';
import { BackendError } from '../backend.ts';
import { ReplyAssembler, type ReplyQuirks } from './reply-assembler.ts';

export interface LinkSettings {
  readonly host: string;
  readonly port: number;
  readonly dialect: Dialect;
  readonly quirks: ReplyQuirks;
  readonly maxPayload: number;
  readonly connectMs: number;
}

/** Tags of MCTP. */
const TAGS = 8;
/** How long a peer may take to close its side, once ours is closed. */
const CLOSE_MS = 250;
const KEEP_ALIVE_MS = 10_000;

interface Waiting {
  readonly type: number;
  readonly cciTag: number;
  readonly opcode: number;
  readonly settle: (outcome: CciMessage | BackendError) => void;
  /** Its caller has given up; the tag stays taken until the answer comes, or nobody could tell it from the next one. */
  abandoned: boolean;
}

/**
 * One connection to a switch. Each request has a tag of MCTP and one of CCI to itself, so that an answer that comes late
 * or twice is not taken for another one's. Nothing is ever sent but requests, and packets are never cut in two.
 */
export class MctpLink {
  private readonly socket: Socket;
  private readonly settings: LinkSettings;
  private readonly reader = new PacketReader();
  private readonly assembler: ReplyAssembler;
  private readonly waiting = new Map<number, Waiting>();
  /** CCI tag that was answered last under each tag of MCTP. */
  private readonly answered = new Map<number, number>();
  private sequence = 0;
  private nextTag = 0;
  private nextCciTag = 0;
  private failure: BackendError | undefined;
  private onIdle: (() => void) | undefined;
  /** Messages that answered nothing: second answers, requests of the peer. */
  strays = 0;

  private constructor(socket: Socket, settings: LinkSettings) {
    this.socket = socket;
    this.settings = settings;
    this.assembler = new ReplyAssembler(settings.dialect, settings.quirks, settings.maxPayload);
    socket.on('data', (chunk: Uint8Array) => this.receive(chunk));
    socket.on('error', (error) =>
      this.lose(new BackendError('EIO', 'unknown', `the connection broke: ${error.message}`)),
    );
    socket.on('end', () => this.lose(new BackendError('EIO', 'unknown', 'the switch closed the connection')));
    socket.on('close', () => this.lose(new BackendError('EIO', 'unknown', 'the connection is closed')));
  }

  /** @throws BackendError EIO `not-sent` */
  static connect(settings: LinkSettings): Promise<MctpLink> {
    const { host, port, connectMs } = settings;
    return new Promise((resolve, reject) => {
      const socket = connect({ host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS });
      const give = (why: string): void => {
        clearTimeout(timer);
        socket.destroy();
        reject(new BackendError('EIO', 'not-sent', `no connection to ${host}:${port}: ${why}`));
      };
      const failed = (error: Error): void => give(error.message);
      const timer = setTimeout(() => give(`none within ${connectMs} ms`), connectMs);
      socket.once('error', failed);
      socket.once('connect', () => {
        clearTimeout(timer);
        const link = new MctpLink(socket, settings);
        socket.off('error', failed);
        resolve(link);
      });
    });
  }

  /** Is the connection of no more use? */
  get isLost(): boolean {
    return this.failure !== undefined;
  }

  /** Requests that are not answered, given up ones included. */
  get outstanding(): number {
    return this.waiting.size;
  }

  /**
   * Sends a request and waits for its reply.
   *
   * @throws BackendError `not-sent` EIO on a lost connection, EBUSY where every tag is taken; `unknown` EIO, ETIMEDOUT,
   *   EPROTO
   */
  ask(type: number, opcode: number, payload: Uint8Array, deadlineMs: number): Promise<CciMessage> {
    if (this.failure !== undefined) {
      return Promise.reject(new BackendError('EIO', 'not-sent', this.failure.message));
    }
    const tag = this.freeTag();
    if (tag === undefined) {
      return Promise.reject(new BackendError('EBUSY', 'not-sent', `${TAGS} requests wait for the switch already`));
    }
    const cciTag = this.nextCciTag;
    this.nextCciTag = (cciTag + 1) & 0xff;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => {
          entry.abandoned = true;
          reject(new BackendError('ETIMEDOUT', 'unknown', 'the switch did not answer before the deadline'));
        },
        Math.max(1, deadlineMs - performance.now()),
      );
      const entry: Waiting = {
        type,
        cciTag,
        opcode,
        abandoned: false,
        settle: (outcome) => {
          clearTimeout(timer);
          if (outcome instanceof BackendError) reject(outcome);
          else resolve(outcome);
        },
      };
      this.waiting.set(tag, entry);
      this.send(tag, type, { tag: cciTag, opcode, payload });
    });
  }

  /**
   * Waits for what is unanswered, closes our side, and lets the peer close its own: a switch that finds its connection
   * reset while it answers may not survive that. Never throws.
   */
  async close(drainMs: number): Promise<void> {
    if (this.failure === undefined && this.waiting.size > 0) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, drainMs);
        this.onIdle = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    if (!this.socket.destroyed) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, CLOSE_MS);
        this.socket.once('close', () => {
          clearTimeout(timer);
          resolve();
        });
        this.socket.end();
      });
    }
    this.lose(new BackendError('EIO', 'unknown', 'the backend was closed'));
    this.socket.destroy();
  }

  private freeTag(): number | undefined {
    for (let tries = 0; tries < TAGS; tries++) {
      const tag = this.nextTag;
      this.nextTag = (tag + 1) % TAGS;
      if (!this.waiting.has(tag)) return tag;
    }
    return undefined;
  }

  private send(tag: number, type: number, request: Pick<CciMessage, 'tag' | 'opcode' | 'payload'>): void {
    const message = encodeMessage(
      { ...request, category: 'request', background: false, returnCode: 0, vendorStatus: 0 },
      this.settings.dialect,
    );
    const address = { destination: 0, source: 0, tagOwner: true, tag };
    const { bytes, nextSequence } = packetize(address, type, message, this.sequence);
    this.sequence = nextSequence;
    for (const piece of segments(bytes)) this.socket.write(piece);
  }

  private receive(chunk: Uint8Array): void {
    if (this.failure !== undefined) return;
    const packets = this.reader.push(chunk);
    if (!packets.ok) {
      this.break(`what the switch sends is no MCTP: ${packets.error.message}`);
      return;
    }
    for (const packet of packets.value) this.take(packet);
  }

  private take(packet: Packet): void {
    if (packet.tagOwner || !this.waiting.has(packet.tag)) {
      this.strays++;
      return;
    }
    const assembly = this.assembler.accept(packet);
    if (assembly.kind === 'incomplete') return;
    if (assembly.kind === 'broken') {
      this.finish(assembly.tag, new BackendError('EPROTO', 'unknown', assembly.text));
      return;
    }
    const entry = this.waiting.get(assembly.tag);
    const reply = decodeResponseMessage(assembly.bytes, this.settings.dialect);
    if (entry === undefined) return;
    if (reply.ok && reply.value.tag !== entry.cciTag && reply.value.tag === this.answered.get(assembly.tag)) {
      this.strays++;
      return;
    }
    this.finish(assembly.tag, reply.ok ? believed(entry, assembly.type, reply.value) : malformed(reply.error.message));
  }

  private finish(tag: number, outcome: CciMessage | BackendError): void {
    const entry = this.waiting.get(tag);
    if (entry === undefined) return;
    this.waiting.delete(tag);
    this.answered.set(tag, entry.cciTag);
    if (!entry.abandoned) entry.settle(outcome);
    if (this.waiting.size === 0) this.onIdle?.();
  }

  /** The stream cannot be followed any further. */
  private break(text: string): void {
    this.lose(new BackendError('EPROTO', 'unknown', text));
    this.socket.destroy();
  }

  private lose(error: BackendError): void {
    if (this.failure !== undefined) return;
    this.failure = error;
    for (const tag of [...this.waiting.keys()]) this.finish(tag, error);
    this.onIdle?.();
    // The peer has closed its side, or the connection is broken: ours has nothing more to say.
    this.socket.end();
  }
}

function malformed(text: string): BackendError {
  return new BackendError('EPROTO', 'unknown', `the reply cannot be read: ${text}`);
}

/** Holds a reply against its request. */
function believed(entry: Waiting, type: number, reply: CciMessage): CciMessage | BackendError {
  if (reply.tag !== entry.cciTag) return malformed(`tag ${reply.tag} answers tag ${entry.cciTag}`);
  if (reply.opcode !== entry.opcode) return malformed(`${hex16(reply.opcode)} answers ${hex16(entry.opcode)}`);
  if (type !== entry.type) return malformed(`message type ${type} answers type ${entry.type}`);
  return reply;
}
