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
const LONGEST_TIMER_MS = 0x7fff_ffff;

interface Waiting {
  readonly type: number;
  readonly cciTag: number;
  readonly opcode: number;
  /** On the clock of `performance.now()`. */
  readonly deadlineMs: number;
  readonly settle: (outcome: CciMessage | BackendError) => void;
  /** Its caller has given up; the tag stays taken until the answer comes, or nobody could tell it from the next one. */
  abandoned: boolean;
}

/** Bytes that are taken from the socket at a time, into the same buffer each time. */
const READ_SIZE = 1 << 16;

/**
 * One connection to a switch. Each request has a tag of MCTP and one of CCI to itself, so that an answer that comes late
 * or twice is not taken for another one's. Nothing is ever sent but requests, and packets are never cut in two.
 */
export class MctpLink {
  private readonly socket: Socket;
  private readonly settings: LinkSettings;
  private readonly reader = new PacketReader();
  private readonly assembler: ReplyAssembler;
  /** By tag of MCTP. */
  private readonly waiting: (Waiting | undefined)[] = new Array(TAGS).fill(undefined);
  private waitingCount = 0;
  /** CCI tag that was answered last under each tag of MCTP. */
  private readonly answered = new Map<number, number>();
  private sequence = 0;
  private nextTag = 0;
  private nextCciTag = 0;
  private failure: BackendError | undefined;
  private onIdle: (() => void) | undefined;
  private late: NodeJS.Timeout | undefined;
  /** When `late` looks. */
  private lateAtMs = Number.POSITIVE_INFINITY;
  /** Messages that answered nothing: second answers, requests of the peer. */
  strays = 0;

  private constructor(socket: Socket, settings: LinkSettings) {
    this.socket = socket;
    this.settings = settings;
    this.assembler = new ReplyAssembler(settings.dialect, settings.quirks, settings.maxPayload);
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
      let link: MctpLink | undefined;
      // Else each read would get a new buffer of this size, and the collector with it.
      const callback = (size: number, buffer: Uint8Array): boolean => {
        link?.receive(buffer.subarray(0, size));
        return true;
      };
      const onread = { buffer: Buffer.allocUnsafeSlow(READ_SIZE), callback };
      const how = { noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS, onread };
      const socket = connect({ host, port, ...how });
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
        link = new MctpLink(socket, settings);
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
    return this.waitingCount;
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
      const settle = (outcome: CciMessage | BackendError): void => {
        if (outcome instanceof BackendError) reject(outcome);
        else resolve(outcome);
      };
      const entry: Waiting = { type, cciTag, opcode, deadlineMs, settle, abandoned: false };
      if (deadlineMs < this.lateAtMs) this.lookAt(deadlineMs);
      this.waiting[tag] = entry;
      this.waitingCount++;
      this.send(tag, type, { tag: cciTag, opcode, payload });
    });
  }

  /** One timer for all that wait: it looks when the first of them may be late, and is not moved when one is answered. */
  private lookAt(timeMs: number): void {
    clearTimeout(this.late);
    this.lateAtMs = timeMs;
    const pauseMs = Math.min(Math.max(1, timeMs - performance.now()), LONGEST_TIMER_MS);
    this.late = setTimeout(() => this.giveUpLate(), pauseMs).unref();
  }

  private giveUpLate(): void {
    const nowMs = performance.now();
    this.lateAtMs = Number.POSITIVE_INFINITY;
    let nextMs = Number.POSITIVE_INFINITY;
    for (const entry of this.waiting) {
      if (entry === undefined || entry.abandoned) continue;
      if (entry.deadlineMs > nowMs) nextMs = Math.min(nextMs, entry.deadlineMs);
      else {
        entry.abandoned = true;
        entry.settle(new BackendError('ETIMEDOUT', 'unknown', 'the switch did not answer before the deadline'));
      }
    }
    if (nextMs < Number.POSITIVE_INFINITY) this.lookAt(nextMs);
  }

  /**
   * Waits for what is unanswered, closes our side, and lets the peer close its own: a switch that finds its connection
   * reset while it answers may not survive that. Never throws.
   */
  async close(drainMs: number): Promise<void> {
    if (this.failure === undefined && this.waitingCount > 0) {
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
      if (this.waiting[tag] === undefined) return tag;
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
    if (packet.tagOwner || this.waiting[packet.tag] === undefined) {
      this.strays++;
      return;
    }
    const assembly = this.assembler.accept(packet);
    if (assembly.kind === 'incomplete') return;
    if (assembly.kind === 'broken') {
      this.finish(assembly.tag, new BackendError('EPROTO', 'unknown', assembly.text));
      return;
    }
    const entry = this.waiting[assembly.tag];
    const reply = decodeResponseMessage(assembly.bytes, this.settings.dialect);
    if (entry === undefined) return;
    if (reply.ok && reply.value.tag !== entry.cciTag && reply.value.tag === this.answered.get(assembly.tag)) {
      this.strays++;
      return;
    }
    this.finish(assembly.tag, reply.ok ? believed(entry, assembly.type, reply.value) : malformed(reply.error.message));
  }

  private finish(tag: number, outcome: CciMessage | BackendError): void {
    const entry = this.waiting[tag];
    if (entry === undefined) return;
    this.waiting[tag] = undefined;
    this.waitingCount--;
    this.answered.set(tag, entry.cciTag);
    if (!entry.abandoned) entry.settle(outcome);
    if (this.waitingCount === 0) this.onIdle?.();
  }

  /** The stream cannot be followed any further. */
  private break(text: string): void {
    this.lose(new BackendError('EPROTO', 'unknown', text));
    this.socket.destroy();
  }

  private lose(error: BackendError): void {
    if (this.failure !== undefined) return;
    this.failure = error;
    clearTimeout(this.late);
    for (let tag = 0; tag < TAGS; tag++) this.finish(tag, error);
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
