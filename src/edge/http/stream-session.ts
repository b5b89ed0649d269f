import type { WebSocket } from 'ws';
import type { CoreApi, Credential } from '../../broker/core-api.ts';
import { encodeMessage, HEADER_SIZE, RC, readUint } from '../../cci/index.ts';
import type { EdgeMetrics } from './metrics.ts';
import { RequestHandles } from './request-handles.ts';

/** Messages of one stream that may be under way: one tag is always free to be refused with. */
export const MAX_OUTSTANDING = 255;
const TAGS = 256;

/** Why the broker ends a stream: WebSocket close codes and their text. */
export const closeReasons = {
  goingAway: { code: 1001, text: 'the broker is shutting down' },
  textFrame: { code: 1003, text: 'CCI messages are binary frames' },
  shortFrame: { code: 1007, text: 'a CCI message has a header of 12 bytes' },
  streamsFull: { code: 1013, text: 'too many streams are open' },
  tokenEnded: { code: 4401, text: 'the token is not valid any more' },
} as const;

export interface StreamSettings {
  readonly switch: string;
  readonly tenant: string;
  readonly credential: Credential;
  /** What the socket writes to. */
  readonly carrier: { cork(): void; uncork(): void };
  /** Within which each message has to be sent to its device; the broker's own time if not given. */
  readonly deadlineMs?: number;
  readonly bufferBytes: number;
  readonly pingMs: number;
  readonly metrics: EdgeMetrics;
  readonly onEnd: () => void;
}

/**
 * One WebSocket: CCI messages in, CCI messages out, in whatever order they finish. The credential goes with every
 * message, so that a token that runs out or is revoked ends here, not at the next connection.
 */
export class StreamSession {
  readonly #socket: WebSocket;
  readonly #core: CoreApi;
  readonly #settings: StreamSettings;
  /** By tag: the handles of the messages under way. */
  readonly #outstanding: (string | undefined)[] = new Array(TAGS).fill(undefined);
  #outstandingCount = 0;
  /** A tag has the same handle each time: it is free again when its message is answered. */
  readonly #handleOf: (string | undefined)[] = new Array(TAGS).fill(undefined);
  readonly #handles: RequestHandles;
  readonly #heartbeat: NodeJS.Timeout;
  #closing = false;
  #alive = true;
  #gathering = false;

  constructor(socket: WebSocket, core: CoreApi, settings: StreamSettings) {
    this.#socket = socket;
    this.#core = core;
    this.#settings = settings;
    this.#handles = new RequestHandles(core);
    socket.on('message', (data: Buffer, isBinary: boolean) => this.#receive(data, isBinary));
    socket.on('pong', () => {
      this.#alive = true;
    });
    socket.on('error', () => socket.terminate());
    socket.once('close', () => {
      clearInterval(this.#heartbeat);
      // Nobody is left to hear the answers: what was not sent to the device yet is not sent any more.
      for (const handle of this.#outstanding) if (handle !== undefined) this.#handles.cancel(handle);
      settings.metrics.streamClosed();
      settings.onEnd();
    });
    this.#heartbeat = setInterval(() => this.#beat(), settings.pingMs);
    this.#heartbeat.unref();
    settings.metrics.streamOpened();
  }

  get tenant(): string {
    return this.#settings.tenant;
  }

  /** Takes no more messages; closes when those under way are answered. */
  finish(): void {
    this.#closing = true;
    this.#closeWhenIdle();
  }

  terminate(): void {
    this.#socket.terminate();
  }

  #beat(): void {
    if (this.#alive) this.#socket.ping();
    else this.#socket.terminate();
    this.#alive = false;
  }

  #receive(data: Buffer, isBinary: boolean): void {
    this.#alive = true;
    const tag = data[1] ?? 0;
    if (!isBinary) this.#close(closeReasons.textFrame);
    else if (data.length < HEADER_SIZE) this.#close(closeReasons.shortFrame);
    else if (this.#closing) this.#refuse(data, RC.retryRequired);
    else if (this.#outstanding[tag] !== undefined) this.#refuse(data, RC.invalidInput);
    else if (this.#outstandingCount >= MAX_OUTSTANDING) this.#refuse(data, RC.retryRequired);
    else {
      const handle = this.#handleOf[tag] ?? this.#handles.make();
      this.#handleOf[tag] = handle;
      this.#outstanding[tag] = handle;
      this.#outstandingCount += 1;
      // The buffer belongs to the receiver; the core gets bytes of its own.
      void this.#submit(tag, handle, new Uint8Array(data));
    }
  }

  async #submit(tag: number, handle: string, bytes: Uint8Array): Promise<void> {
    const { credential, metrics, deadlineMs } = this.#settings;
    let reply: Uint8Array;
    let ended = false;
    try {
      const answer = await this.#core.submit(
        credential,
        this.#settings.switch,
        { kind: 'message', bytes },
        { handle, ...(deadlineMs === undefined ? {} : { deadlineMs }) },
      );
      metrics.streamMessage(
        this.#socket.readyState !== this.#socket.OPEN ? 'dropped' : answer.ok ? 'answered' : 'refused',
      );
      if (answer.ok) {
        const { value } = answer;
        reply = value.message ?? replyTo(bytes, value.returnCode, value.payload, value.vendorStatus);
      } else {
        reply = answer.problem.message ?? replyTo(bytes, answer.problem.returnCode);
        ended = answer.problem.code === 'EAUTH';
      }
    } catch {
      metrics.streamMessage('refused');
      reply = replyTo(bytes, RC.internalError);
    }
    this.#outstanding[tag] = undefined;
    this.#outstandingCount -= 1;
    this.#send(reply);
    if (ended) this.#close(closeReasons.tokenEnded);
    this.#closeWhenIdle();
  }

  #refuse(request: Uint8Array, returnCode: number): void {
    this.#settings.metrics.streamMessage('refused');
    this.#send(replyTo(request, returnCode));
  }

  /** Replies of one turn of the event loop leave together: a system call for each would cost more than the reply. */
  #gather(): void {
    if (this.#gathering) return;
    this.#gathering = true;
    const { carrier } = this.#settings;
    carrier.cork();
    setImmediate(() => {
      this.#gathering = false;
      carrier.uncork();
    });
  }

  #send(reply: Uint8Array): void {
    const socket = this.#socket;
    if (socket.readyState !== socket.OPEN) return;
    // Nothing that could leave with it is under way.
    if (this.#outstandingCount > 0) this.#gather();
    socket.send(reply, { binary: true }, () => {
      if (socket.isPaused && socket.bufferedAmount <= this.#settings.bufferBytes / 2) socket.resume();
    });
    // A reader slower than his own requests gets no more of them read until he catches up.
    if (socket.bufferedAmount > this.#settings.bufferBytes) socket.pause();
  }

  #closeWhenIdle(): void {
    if (this.#closing && this.#outstandingCount === 0) this.#close(closeReasons.goingAway);
  }

  #close(reason: { readonly code: number; readonly text: string }): void {
    this.#closing = true;
    this.#socket.close(reason.code, reason.text);
  }
}

/** A reply without what the core would have put in it: tag and opcode of the request, a return code. */
function replyTo(
  request: Uint8Array,
  returnCode: number,
  payload: Uint8Array = new Uint8Array(0),
  vendorStatus = 0,
): Uint8Array {
  return encodeMessage({
    category: 'response',
    tag: request[1] ?? 0,
    opcode: readUint(request, 3, 2),
    background: false,
    returnCode,
    vendorStatus,
    payload,
  });
}
