import { randomUUID } from 'node:crypto';
import type { Duplex } from 'node:stream';
import {
  ASKS,
  bad,
  type CoreMethod,
  channelBounds,
  coreMethods,
  coreRequests,
  type Frame,
  FrameReader,
  FrameWriter,
  MOST_NESTED,
  MOST_TO_EDGE,
  nestsDeeperThan,
  parseWithBytes,
  type RequestRow,
  readCommandAnswer,
  SLOTS,
  slotArguments,
  toCore,
  toEdge,
  wireBytes,
} from '../../broker/channel/edge-side.ts';
import type { CommandRequest, CoreApi, CoreResult, Credential, Problem, SubmitOptions } from '../../broker/core-api.ts';
import { HEADER_SIZE, RC } from '../../cci/index.ts';

export interface LinkParts {
  /** What the edge is to listen on and with. */
  readonly onOptions: (options: unknown) => void;
  /** New certificates, new tokens. */
  readonly onSupply: (material: unknown) => void;
  /** Finish what is under way, then end. */
  readonly onStop: () => void;
  /** The core has gone. */
  readonly onLost: () => void;
}

interface UnderWay {
  readonly method: CoreMethod | 'ask';
  readonly bytes: number;
  readonly handle?: string;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

const MOST_MESSAGE = 64 * 1024;

/**
 * The edge's end of the channel: `CoreApi` for the listeners. Each request is held against the core's own table before it
 * is sent: a client that finds something which the listeners let through and the core does not is refused here, and does
 * not end the edge for everybody.
 */
export class CoreLink {
  readonly core: CoreApi;
  private readonly parts: LinkParts;
  private readonly writer: FrameWriter;
  private readonly reader = new FrameReader(MOST_TO_EDGE);
  private readonly underWay = new Map<number, UnderWay>();
  private readonly counts = new Map<UnderWay['method'], number>();
  private readonly handles = new Map<string, number>();
  private readonly slots = new Slots();
  private bytes = 0;
  private next = 0;
  private isReady = false;
  private readonly early: (() => void)[] = [];

  constructor(stream: Duplex, parts: LinkParts) {
    this.parts = parts;
    this.writer = new FrameWriter(stream);
    stream.on('data', (chunk: Buffer) => {
      this.reader.push(chunk, (frame) => {
        this.take(frame);
        return true;
      });
    });
    stream.on('error', parts.onLost);
    stream.on('close', parts.onLost);
    stream.on('end', parts.onLost);
    this.core = this.api();
  }

  /** Says that it listens. Only now does the core take requests: those that came before go out behind it. */
  ready(said: unknown): void {
    this.writer.text(toCore.ready, 0, JSON.stringify(said));
    this.isReady = true;
    for (const send of this.early.splice(0)) send();
  }

  /** Asks for material of the edge's own. Rejects where the core has none. */
  ask(what: unknown): Promise<unknown> {
    const text = JSON.stringify(what);
    return this.request({ method: 'ask', bytes: Buffer.byteLength(text) }, (id) =>
      this.writer.text(toCore.ask, id, text),
    );
  }

  /** What was written so far is on its way. */
  flush(): void {
    this.writer.flush();
  }

  private api(): CoreApi {
    const calls = Object.fromEntries(
      coreMethods.map((method) => [method, (...values: readonly unknown[]) => this.call(method, values)]),
    );
    return {
      ...(calls as unknown as CoreApi),
      submit: (credential, switchName, request, options) => this.submit(credential, switchName, request, options),
      cancel: async (handle) => this.cancel(handle),
    };
  }

  private submit(
    credential: Credential,
    switchName: string,
    request: CommandRequest,
    { handle, deadlineMs }: SubmitOptions = {},
  ): ReturnType<CoreApi['submit']> {
    const options = deadlineMs === undefined ? undefined : { deadlineMs };
    if (request.kind !== 'message') {
      return this.call('submit', [credential, switchName, request, options], handle) as ReturnType<CoreApi['submit']>;
    }
    const { bytes } = request;
    if (bytes.length < HEADER_SIZE || bytes.length > MOST_MESSAGE) return Promise.resolve(unfit());
    const whose: Whose = [credential, switchName, deadlineMs];
    if (!this.slots.takes(whose)) return Promise.resolve(unfit());
    const size = 2 + bytes.length;
    const sent = this.request({ method: 'submit', bytes: size, handle }, (id) => {
      const { number, text } = this.slots.of(whose);
      if (text !== undefined) this.writer.text(toCore.slot, 0, text, [number & 0xff, number >> 8]);
      const at = this.writer.open(toCore.message, id, size);
      this.writer.room.writeUInt16LE(number, at);
      this.writer.room.set(bytes, at + 2);
    });
    return sent as ReturnType<CoreApi['submit']>;
  }

  private cancel(handle: string): void {
    const id = this.handles.get(handle);
    if (id === undefined) return;
    this.handles.delete(handle);
    const send = (): void => void this.writer.open(toCore.cancel, id, 0);
    // Behind its request, which may wait for the edge to be ready: before that the core ends an edge that says anything.
    if (this.isReady) send();
    else this.early.push(send);
  }

  private call(method: CoreMethod, values: readonly unknown[], handle?: string): Promise<unknown> {
    const row: RequestRow<readonly unknown[]> = coreRequests[method];
    const wired = values.map(asWire);
    const text = JSON.stringify(wired);
    const size = 1 + Buffer.byteLength(text);
    if (size > row.bytes || row.read(wired) === bad || nestsDeeperThan(MOST_NESTED, Buffer.from(text))) {
      if (this.isPlain(method)) return Promise.reject(new Error(`${method}: the core would not take it`));
      return Promise.resolve(unfit());
    }
    return this.request({ method, bytes: size, handle }, (id) =>
      this.writer.text(toCore.call, id, text, [coreMethods.indexOf(method)]),
    );
  }

  /** It has no refusals: there is nothing but an error to say. */
  private isPlain(method: CoreMethod): boolean {
    return method === 'readiness' || method === 'metrics';
  }

  private request(
    request: { readonly method: UnderWay['method']; readonly bytes: number; readonly handle?: string | undefined },
    send: (id: number) => void,
  ): Promise<unknown> {
    const { method, bytes, handle } = request;
    const count = (this.counts.get(method) ?? 0) + 1;
    const atOnce = method === 'ask' ? ASKS : coreRequests[method].atOnce;
    if (count > atOnce || this.underWay.size >= channelBounds.atOnce || this.bytes + bytes > channelBounds.bytes) {
      return method === 'ask' || this.isPlain(method)
        ? Promise.reject(new Error('too much waits'))
        : Promise.resolve(full());
    }
    const id = this.freeId();
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.underWay.set(id, { method, bytes, resolve, reject, ...(handle === undefined ? {} : { handle }) });
    this.counts.set(method, count);
    this.bytes += bytes;
    if (handle !== undefined) this.handles.set(handle, id);
    if (this.isReady) send(id);
    else this.early.push(() => send(id));
    return promise;
  }

  private freeId(): number {
    do this.next = (this.next + 1) >>> 0;
    while (this.underWay.has(this.next));
    return this.next;
  }

  private take({ kind, id, body }: Frame): void {
    if (kind === toEdge.options) this.parts.onOptions(JSON.parse(body.toString('utf8')));
    else if (kind === toEdge.supply) this.parts.onSupply(JSON.parse(body.toString('utf8')));
    else if (kind === toEdge.stop) this.parts.onStop();
    else if (kind === toEdge.ping) this.writer.open(toCore.pong, id, 0);
    else this.settle(kind, id, body);
  }

  private settle(kind: number, id: number, body: Buffer): void {
    const request = this.underWay.get(id);
    if (request === undefined) return;
    this.underWay.delete(id);
    this.bytes -= request.bytes;
    this.counts.set(request.method, (this.counts.get(request.method) ?? 1) - 1);
    if (request.handle !== undefined && this.handles.get(request.handle) === id) this.handles.delete(request.handle);
    if (kind === toEdge.command) request.resolve(readCommandAnswer(body));
    else if (kind === toEdge.answer) request.resolve(this.read(request.method, body));
    else request.reject(new Error('the core failed on this request'));
  }

  private read(method: UnderWay['method'], body: Buffer): unknown {
    if (body.length === 0) return undefined;
    const text = body.toString('utf8');
    return method !== 'ask' && 'answersBytes' in coreRequests[method] ? parseWithBytes(text) : JSON.parse(text);
  }
}

/** Bytes stand in arguments and in their members, no deeper. */
function asWire(value: unknown): unknown {
  if (value instanceof Uint8Array) return wireBytes(value);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const members = Object.entries(value);
  if (!members.some(([, one]) => one instanceof Uint8Array)) return value;
  return Object.fromEntries(members.map(([name, one]) => [name, one instanceof Uint8Array ? wireBytes(one) : one]));
}

type Whose = readonly [credential: Credential, switchName: string, deadlineMs: number | undefined];

/** Whoever sends messages is named once: a token is longer than most messages. The oldest slot is given away first. */
class Slots {
  private readonly owners: (Credential | undefined)[] = Array.from({ length: SLOTS });
  private readonly keys: string[] = [];
  private readonly numbers = new WeakMap<Credential, number>();
  private next = 0;

  /** Would the core take it? */
  takes(whose: Whose): boolean {
    if (this.known(whose) !== undefined) return true;
    const text = textOf(whose);
    return Buffer.byteLength(text) + 2 <= coreRequests.whoami.bytes && slotArguments(JSON.parse(text)) !== bad;
  }

  /** The slot, with what has to be said about it first where it is a new one. */
  of(whose: Whose): { readonly number: number; readonly text?: string } {
    const known = this.known(whose);
    if (known !== undefined) return { number: known };
    const [credential] = whose;
    const number = this.next;
    this.next = (number + 1) % SLOTS;
    this.owners[number] = credential;
    this.keys[number] = keyOf(whose);
    this.numbers.set(credential, number);
    return { number, text: textOf(whose) };
  }

  private known(whose: Whose): number | undefined {
    const [credential] = whose;
    const number = this.numbers.get(credential);
    if (number === undefined || this.owners[number] !== credential) return undefined;
    return this.keys[number] === keyOf(whose) ? number : undefined;
  }
}

function keyOf([, switchName, deadlineMs]: Whose): string {
  return deadlineMs === undefined ? switchName : `${deadlineMs} ${switchName}`;
}

function textOf([credential, switchName, deadlineMs]: Whose): string {
  return JSON.stringify(deadlineMs === undefined ? [credential, switchName] : [credential, switchName, deadlineMs]);
}

const refusal = (problem: Omit<Problem, 'requestId'>): CoreResult<never> => ({
  ok: false,
  problem: { ...problem, requestId: randomUUID() },
});

const unfit = (): CoreResult<never> =>
  refusal({
    code: 'EPARAM',
    detail: 'something of the request is larger than the broker takes',
    returnCode: RC.invalidInput,
  });

const full = (): CoreResult<never> =>
  refusal({
    code: 'EAGAIN',
    detail: 'too many requests are under way',
    returnCode: RC.retryRequired,
    retryAfterMs: 100,
  });
