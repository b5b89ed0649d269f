import { isUtf8 } from 'node:buffer';
import { randomUUID } from 'node:crypto';
import type { Duplex } from 'node:stream';
import type { CoreApi, Credential } from '../core-api.ts';
import { writeCommandAnswer } from './command-answer.ts';
import {
  ASKS,
  type CoreMethod,
  channelBounds,
  coreMethods,
  coreRequests,
  MOST_NESTED,
  SLOTS,
  slotArguments,
} from './requests.ts';
import { bad, nestsDeeperThan } from './shape.ts';
import type { Violation } from './violations.ts';
import { type Frame, FrameReader, FrameWriter, jsonWithBytes, MOST_TO_CORE, toCore, toEdge } from './wire.ts';

export interface ChannelParts {
  readonly core: CoreApi;
  /** The edge says once that it is there, in words of its own: JSON that was not looked at. */
  readonly onReady: (said: unknown) => void;
  /** The edge asks for material of its own. Its answer goes back as it is. */
  readonly onAsk: (asked: unknown) => Promise<unknown>;
  /** The edge did what no edge of ours does. Nothing it says is listened to any more. */
  readonly onViolation: (violation: Violation) => void;
}

/** Bytes of answers that may wait for an edge that is slow to read; then no more of its requests are read. */
const SLOW_BYTES = 8 * 1024 * 1024;
/** Beyond this many it does not read at all. */
const UNREAD_BYTES = 128 * 1024 * 1024;
/** Frames without an answer: at most one slot and one taking-back go with each command, and no more commands are under way. */
const UNANSWERED_PER_COMMAND = 2;
const UNANSWERED_AHEAD = 64;
const UNANSWERED_SAVED = UNANSWERED_PER_COMMAND * channelBounds.atOnce;
const SILENT_PINGS = 3;
const READY_BYTES = 64 * 1024;
const MESSAGE_HEAD = 12;
const MOST_MESSAGE = 64 * 1024;

interface Slot {
  readonly credential: Credential;
  readonly switchName: string;
  readonly deadlineMs: number | undefined;
}

interface UnderWay {
  readonly method: CoreMethod | 'ask';
  readonly bytes: number;
  readonly handle?: string;
}

/**
 * The core's end of the channel. What comes is either exactly a request of the table or the end of this edge: there is no
 * answer that says what was wrong.
 */
export class CoreChannel {
  private readonly parts: ChannelParts;
  private readonly stream: Duplex;
  private readonly writer: FrameWriter;
  private readonly reader = new FrameReader(MOST_TO_CORE);
  /** Nobody else can guess it: handles of this edge begin with it. */
  private readonly name = randomUUID();
  private readonly slots: (Slot | undefined)[] = Array.from({ length: SLOTS });
  private readonly underWay = new Map<number, UnderWay>();
  private readonly counts = new Map<UnderWay['method'], number>();
  /** Sessions that this edge has begun for streams and not ended: they end with it. */
  private readonly sessions = new Set<string>();
  private bytes = 0;
  private ahead = 0;
  /** Requests that were under way when it was closed: nobody hears of them any more. */
  unheard = 0;
  private pings = 0;
  private pongs = 0;
  private isReady = false;
  private isClosed = false;

  constructor(stream: Duplex, parts: ChannelParts) {
    this.stream = stream;
    this.parts = parts;
    this.writer = new FrameWriter(stream);
    stream.on('data', (chunk: Buffer) => this.receive(chunk));
    stream.on('drain', () => this.stream.resume());
    // The edge has gone; whoever watches its process hears of it there.
    stream.on('error', () => this.close());
    stream.on('close', () => this.close());
  }

  /** Requests that are under way. */
  get outstanding(): number {
    return this.underWay.size;
  }

  /** The first frame: what the edge listens on and with. */
  start(options: unknown): void {
    this.writer.text(toEdge.options, 0, JSON.stringify(options));
  }

  /** New material for it. */
  supply(material: unknown): void {
    if (!this.isClosed) this.writer.text(toEdge.supply, 0, JSON.stringify(material));
  }

  /** Asks for a sign of life. @returns false where it has given none for three of these */
  ping(): boolean {
    if (this.isClosed) return true;
    if (this.pings - this.pongs >= SILENT_PINGS) return false;
    this.pings += 1;
    this.writer.open(toEdge.ping, this.pings, 0);
    return true;
  }

  /** Asks it to finish what is under way, and to end. */
  stop(): void {
    if (this.isClosed) return;
    this.writer.open(toEdge.stop, 0, 0);
    this.writer.flush();
  }

  /** The edge is gone: what it waits for is taken back where it was not sent; what was sent goes on, unheard. */
  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.stream.destroy();
    for (const { handle } of this.underWay.values()) if (handle !== undefined) this.cancel(handle);
    for (const session of this.sessions) this.parts.core.end(session).catch(() => {});
    this.sessions.clear();
    this.unheard = this.underWay.size;
    this.underWay.clear();
    this.counts.clear();
    this.slots.length = 0;
  }

  private receive(chunk: Buffer): void {
    if (this.isClosed) return;
    const isWhole = this.reader.push(chunk, (frame) => {
      const violation = this.take(frame);
      if (violation !== undefined) this.violated(violation);
      return !this.isClosed;
    });
    if (!isWhole) this.violated('frame');
    if (this.writer.waiting > SLOW_BYTES) this.stream.pause();
  }

  private violated(violation: Violation): void {
    if (this.isClosed) return;
    this.close();
    this.parts.onViolation(violation);
  }

  private take(frame: Frame): Violation | undefined {
    if (frame.kind === toCore.ready) return this.ready(frame);
    if (!this.isReady) return 'kind';
    if (frame.kind === toCore.message) return this.message(frame);
    if (frame.kind === toCore.call) return this.call(frame);
    if (frame.kind === toCore.slot) return this.slot(frame);
    if (frame.kind === toCore.cancel) return this.takeBack(frame);
    if (frame.kind === toCore.ask) return this.ask(frame);
    if (frame.kind === toCore.pong) return this.pong(frame);
    return 'kind';
  }

  private ready({ id, body }: Frame): Violation | undefined {
    if (this.isReady || id !== 0) return 'kind';
    if (body.length > READY_BYTES) return 'oversize';
    const said = parsed(body);
    if (said === bad) return 'text';
    this.isReady = true;
    this.parts.onReady(said);
    return undefined;
  }

  /** The short way, of which there are tens of thousands a second. */
  private message({ id, body }: Frame): Violation | undefined {
    const length = body.length - 2;
    if (length < MESSAGE_HEAD) return 'arguments';
    if (length > MOST_MESSAGE) return 'oversize';
    const slot = this.slots[body.readUInt16LE(0)];
    if (slot === undefined) return 'slot';
    const handle = `${this.name}:${id}`;
    const violation = this.begin(id, { method: 'submit', bytes: body.length, handle });
    if (violation !== undefined) return violation;
    // The frame lies in a buffer that is read into again.
    const bytes = new Uint8Array(body.subarray(2));
    const { credential, switchName, deadlineMs } = slot;
    const options = deadlineMs === undefined ? { handle } : { handle, deadlineMs };
    this.answered(id, this.parts.core.submit(credential, switchName, { kind: 'message', bytes }, options), false);
    return undefined;
  }

  private call({ id, body }: Frame): Violation | undefined {
    const method = coreMethods[body[0] ?? 0xff];
    if (body.length === 0 || method === undefined || method === 'cancel') return 'method';
    const row = coreRequests[method];
    if (body.length > row.bytes) return 'oversize';
    const values = parsed(body.subarray(1));
    if (values === bad) return 'text';
    const read = row.read(values);
    if (read === bad) return 'arguments';
    const handle = method === 'submit' ? `${this.name}:${id}` : undefined;
    const underWay = { method, bytes: body.length, ...(handle === undefined ? {} : { handle }) };
    const violation = this.begin(id, underWay);
    if (violation !== undefined) return violation;
    const given: unknown[] = [...read];
    if (method === 'end') this.sessions.delete(String(given[0]));
    if (handle !== undefined) given[3] = { ...(given[3] as object | undefined), handle };
    const { core } = this.parts;
    // The row has made these arguments: they are the method's.
    const ask = core[method] as (...values: readonly unknown[]) => Promise<unknown>;
    this.answered(id, ask.apply(core, given), 'answersBytes' in row);
    return undefined;
  }

  private slot({ id, body }: Frame): Violation | undefined {
    if (id !== 0 || body.length < 2) return 'kind';
    if (body.length > coreRequests.whoami.bytes) return 'oversize';
    if (this.unanswered()) return 'unanswered';
    const number = body.readUInt16LE(0);
    if (number >= SLOTS) return 'slot';
    const values = parsed(body.subarray(2));
    if (values === bad) return 'text';
    const read = slotArguments(values);
    if (read === bad) return 'arguments';
    const [credential, switchName, deadlineMs] = read;
    this.slots[number] = { credential, switchName, deadlineMs };
    return undefined;
  }

  private takeBack({ id, body }: Frame): Violation | undefined {
    if (body.length !== 0) return 'oversize';
    if (this.unanswered()) return 'unanswered';
    // Answered meanwhile: the two frames have met on the way.
    const handle = this.underWay.get(id)?.handle;
    if (handle !== undefined) this.cancel(handle);
    return undefined;
  }

  private ask({ id, body }: Frame): Violation | undefined {
    if (body.length > READY_BYTES) return 'oversize';
    const asked = parsed(body);
    if (asked === bad) return 'text';
    const violation = this.begin(id, { method: 'ask', bytes: body.length });
    if (violation !== undefined) return violation;
    this.answered(id, this.parts.onAsk(asked), false);
    return undefined;
  }

  private pong({ id, body }: Frame): Violation | undefined {
    if (body.length !== 0) return 'oversize';
    // It answers each once, and in order.
    if (id !== this.pongs + 1 || id > this.pings) return 'kind';
    this.pongs = id;
    return undefined;
  }

  private begin(id: number, request: UnderWay): Violation | undefined {
    if (this.underWay.has(id)) return 'number';
    const { method } = request;
    const count = (this.counts.get(method) ?? 0) + 1;
    const atOnce = method === 'ask' ? ASKS : coreRequests[method].atOnce;
    this.bytes += request.bytes;
    if (count > atOnce || this.underWay.size >= channelBounds.atOnce || this.bytes > channelBounds.bytes)
      return 'flood';
    this.counts.set(method, count);
    this.underWay.set(id, request);
    // Each command gives leave for a slot before it and a taking-back behind it.
    if (request.handle !== undefined) {
      this.ahead = Math.max(-UNANSWERED_SAVED, this.ahead - UNANSWERED_PER_COMMAND);
    }
    return undefined;
  }

  private unanswered(): boolean {
    this.ahead += 1;
    return this.ahead > UNANSWERED_AHEAD;
  }

  private answered(id: number, answer: Promise<unknown>, hasBytes: boolean): void {
    answer.then(
      (value) => this.answer(id, value, hasBytes),
      () => this.failed(id),
    );
  }

  private answer(id: number, value: unknown, hasBytes: boolean): void {
    const request = this.end(id);
    if (request === undefined) return;
    if (request.method === 'begin') this.began(sessionOf(value));
    try {
      if (request.method === 'submit')
        writeCommandAnswer(this.writer, id, value as Awaited<ReturnType<CoreApi['submit']>>);
      else this.writer.text(toEdge.answer, id, textOf(value, hasBytes));
    } catch {
      // What cannot be written is a defect of the core; the caller hears that.
      this.writer.open(toEdge.failed, id, 0);
    }
    if (this.writer.waiting > UNREAD_BYTES) this.violated('unread');
  }

  private began(session: string | undefined): void {
    if (session !== undefined) this.sessions.add(session);
  }

  private failed(id: number): void {
    if (this.end(id) !== undefined) this.writer.open(toEdge.failed, id, 0);
  }

  private end(id: number): UnderWay | undefined {
    const request = this.underWay.get(id);
    if (request === undefined) return undefined;
    this.underWay.delete(id);
    this.bytes -= request.bytes;
    this.counts.set(request.method, (this.counts.get(request.method) ?? 1) - 1);
    return request;
  }

  private cancel(handle: string): void {
    this.parts.core.cancel(handle).catch(() => {
      // It is answered all the same; there is nobody to tell.
    });
  }
}

/** JSON, or nothing at all for what has no value. */
function textOf(value: unknown, hasBytes: boolean): string {
  if (value === undefined) return '';
  return hasBytes ? jsonWithBytes(value) : JSON.stringify(value);
}

/** The session in an answer to `begin`. */
function sessionOf(answer: unknown): string | undefined {
  const { ok, value } = (answer ?? {}) as { readonly ok?: unknown; readonly value?: { readonly session?: unknown } };
  return ok === true && typeof value?.session === 'string' ? value.session : undefined;
}

/** JSON of the other side, looked at before it is parsed. */
function parsed(body: Buffer): unknown {
  if (!isUtf8(body) || nestsDeeperThan(MOST_NESTED, body)) return bad;
  try {
    return JSON.parse(body.toString('utf8')) as unknown;
  } catch {
    return bad;
  }
}
