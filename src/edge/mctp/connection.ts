import type { Socket } from 'node:net';
import { RC, readUint } from '../../cci/index.ts';
import { MCTP_TYPE, type MctpMessage, PacketReader, packetize, Reassembler } from '../../cci/mctp.ts';
import { segments } from '../../cci/mctp-segments.ts';
import { type AnswerSettings, answerTo, refusal } from './answer.ts';
import type { MctpCounts, RequestEnd } from './metrics.ts';
import type { MctpLimits } from './options.ts';
import type { Asking } from './relay.ts';

export interface ConnectionSettings extends AnswerSettings {
  readonly limits: MctpLimits;
  readonly counts: MctpCounts;
  /** Thumbprint of the client's certificate. */
  readonly certificate?: string;
  readonly onEnd: (connection: MctpConnection) => void;
}

interface Answered {
  readonly body: Uint8Array;
  readonly end: RequestEnd;
}

/** Tags of MCTP: as many messages may be incomplete at once. */
const OPEN_MESSAGES = 8;

/**
 * One client. Its requests are answered one after the other, in the order in which they came; what it sends beyond that
 * is left in its own socket. Nothing is sent unasked.
 */
export class MctpConnection {
  readonly source: string;
  private readonly socket: Socket;
  private readonly settings: ConnectionSettings;
  private readonly reader = new PacketReader();
  private readonly reassembler: Reassembler;
  private readonly queue: MctpMessage[] = [];
  private readonly gone = new AbortController();
  /** The same for each request: who asks, and until when he waits. */
  private readonly asking: Asking;
  private sequence = 0;
  private isBusy = false;
  /** The client has said its last word. */
  private isEnding = false;
  /** Since when the end of a packet is waited for; undefined between packets. */
  private partialSinceMs: number | undefined;
  private watch: NodeJS.Timeout | undefined;
  /** Started anew with each request, and left to itself when that was answered. */
  private late: NodeJS.Timeout | undefined;
  private onLate: (() => void) | undefined;
  private activeMs = performance.now();

  constructor(socket: Socket, settings: ConnectionSettings) {
    const { limits, dialect, certificate } = settings;
    this.socket = socket;
    this.settings = settings;
    this.source = `${socket.remoteAddress ?? 'unknown'}:${socket.remotePort ?? 0}`;
    this.asking = {
      source: this.source,
      gone: this.gone.signal,
      deadlineMs: limits.answerMs,
      ...(certificate === undefined ? {} : { certificate }),
    };
    this.reassembler = new Reassembler(dialect, {
      maxPayload: limits.maxPayload,
      maxOpen: OPEN_MESSAGES,
      assemblyMs: limits.assemblyMs,
    });
    socket.setTimeout(limits.idleMs, () => {
      if (!this.isBusy) socket.destroy();
    });
    // A reset connection is a client's way to leave.
    socket.on('error', () => socket.destroy());
    socket.on('data', (chunk: Uint8Array) => this.receive(chunk));
    socket.on('end', () => this.finish());
    socket.once('close', () => {
      clearTimeout(this.watch);
      clearTimeout(this.late);
      this.queue.length = 0;
      this.gone.abort();
      settings.onEnd(this);
    });
  }

  /** How long nothing has come and nothing is under way; 0 while something is. */
  get idleMs(): number {
    return this.isBusy ? 0 : performance.now() - this.activeMs;
  }

  /** Takes no more requests, and closes when those that came are answered. */
  finish(): void {
    this.isEnding = true;
    if (!this.isBusy) this.socket.destroySoon();
  }

  destroy(): void {
    this.socket.destroy();
  }

  private receive(chunk: Uint8Array): void {
    if (this.isEnding) return;
    const nowMs = performance.now();
    this.activeMs = nowMs;
    const before = this.reader.waiting;
    const packets = this.reader.push(chunk);
    if (!packets.ok) {
      // Nothing behind this point can be found again.
      this.settings.counts.assemblyError('framing');
      this.socket.destroy();
      return;
    }
    for (const packet of packets.value) {
      const assembly = this.reassembler.accept(packet, nowMs);
      if (assembly.kind === 'dropped') this.settings.counts.assemblyError(assembly.reason);
      if (assembly.kind === 'dropped' && assembly.reason === 'too-long') {
        this.socket.destroy();
        return;
      }
      // Without tag ownership it is a reply, and this side asks nothing.
      if (assembly.kind === 'message' && assembly.message.tagOwner) this.queue.push(assembly.message);
    }
    const isSamePacket = packets.value.length === 0 && before > 0;
    if (this.reader.waiting === 0) this.partialSinceMs = undefined;
    else if (!isSamePacket) this.partialSinceMs = nowMs;
    this.watchParts();
    if (this.queue.length >= this.settings.limits.queued) this.socket.pause();
    if (!this.isBusy && this.queue.length > 0) void this.serve();
  }

  /** A packet that never ends closes the connection; a message that never does is forgotten. */
  private watchParts(): void {
    if (this.watch !== undefined || (this.partialSinceMs === undefined && this.reassembler.openCount === 0)) return;
    const { assemblyMs } = this.settings.limits;
    this.watch = setTimeout(() => {
      this.watch = undefined;
      const nowMs = performance.now();
      const forgotten = this.reassembler.expire(nowMs);
      if (forgotten > 0) this.settings.counts.assemblyError('late', forgotten);
      // What is not read cannot be complete.
      const isOurs = this.socket.isPaused();
      if (!isOurs && this.partialSinceMs !== undefined && nowMs - this.partialSinceMs >= assemblyMs) {
        this.settings.counts.assemblyError('late');
        this.socket.destroy();
      } else this.watchParts();
    }, assemblyMs);
    this.watch.unref();
  }

  private async serve(): Promise<void> {
    this.isBusy = true;
    for (let message = this.queue.shift(); message !== undefined; message = this.queue.shift()) {
      const sinceMs = performance.now();
      const { body, end } = await this.answer(message);
      const seconds = (performance.now() - sinceMs) / 1000;
      if (!this.socket.destroyed) this.send(message, body);
      // Behind the answer: nobody waits for it.
      this.settings.counts.request(end, seconds);
      if (this.socket.destroyed) return;
      if (this.socket.writableNeedDrain && !(await this.drained())) return;
      if (this.queue.length < this.settings.limits.queued && this.socket.isPaused()) this.resume();
    }
    this.isBusy = false;
    this.activeMs = performance.now();
    if (this.isEnding) this.socket.destroySoon();
  }

  private resume(): void {
    // The rest of a packet may have waited for us, not for the client.
    if (this.partialSinceMs !== undefined) this.partialSinceMs = performance.now();
    this.socket.resume();
  }

  /** The answer, or 0004h in time where it does not come. */
  private answer(message: MctpMessage): Promise<Answered> {
    const { settings } = this;
    const { answerMs } = settings.limits;
    return new Promise((resolve) => {
      const answer = (body: Uint8Array, end: RequestEnd): void => {
        // A second answer resolves nothing.
        if (this.onLate === late) this.onLate = undefined;
        resolve({ body, end });
      };
      const failed = (): Uint8Array => refusal(message, RC.internalError, settings.dialect);
      const late = (): void => answer(failed(), 'late');
      this.onLate = late;
      if (this.late === undefined) this.late = setTimeout(() => this.onLate?.(), answerMs).unref();
      else this.late.refresh();
      answerTo(message, this.asking, settings).then(
        (body) => answer(body, endOf(message, body)),
        // A defect of ours must not leave the client without an answer.
        () => answer(failed(), 'error'),
      );
    });
  }

  private send(request: MctpMessage, body: Uint8Array): void {
    const address = { destination: request.source, source: request.destination, tagOwner: false, tag: request.tag };
    const { bytes, nextSequence } = packetize(address, request.type, body, this.sequence);
    this.sequence = nextSequence;
    for (const piece of segments(bytes)) this.socket.write(piece);
  }

  /** False when the client does not take what it asked for: then it is let go. */
  private drained(): Promise<boolean> {
    const { socket } = this;
    return new Promise((resolve) => {
      const timer = setTimeout(() => socket.destroy(), this.settings.limits.writeMs);
      const end = (isDrained: boolean) => () => {
        clearTimeout(timer);
        socket.off('drain', onDrain);
        socket.off('close', onClose);
        resolve(isDrained);
      };
      const onDrain = end(true);
      const onClose = end(false);
      socket.once('drain', onDrain);
      socket.once('close', onClose);
    });
  }
}

/** Where the return code of a reply is, in every dialect. */
const RETURN_CODE_AT = 8;

function endOf(message: MctpMessage, body: Uint8Array): RequestEnd {
  if (message.type === MCTP_TYPE.control) return 'control';
  const returnCode = readUint(body, RETURN_CODE_AT, 2);
  return returnCode === RC.success || returnCode === RC.backgroundStarted ? 'success' : 'error';
}
