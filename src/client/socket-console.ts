import type {
  ConsoleEnd,
  ConsoleHandlers,
  ConsoleOpened,
  ConsoleSession,
  ConsoleState,
  ConsoleWaiting,
} from './console.ts';
import {
  type EndedMessage,
  type OpenedMessage,
  readMessage,
  readPiece,
  type StateMessage,
  type WaitingMessage,
  writePiece,
} from './console-frames.ts';
import { BrokerError, ProtocolError, UnreachableError } from './errors.ts';
import { networkOf, tlsProblem } from './network.ts';
import { identityHeaders } from './request-headers.ts';
import { base, bearer, type TransportOptions } from './transport.ts';

/** Bytes of input that wait for the broker before `write` says false. */
const MUCH_INPUT = 64 << 10;
/** Bytes of output that are shown before they are acknowledged, while more of them comes. */
const ACK_EVERY = 32 << 10;
const RETRY_MS = 250;
const RETRY_SLOWEST_MS = 2000;
/** Time for one connection to come about. */
const CONNECT_MS = 10_000;

/** What a connection asks for in the beginning. */
export type FirstMessage = { readonly type: string; readonly [member: string]: unknown };

/** A console over WebSockets, one after the other. */
export class SocketConsole implements ConsoleSession {
  readonly ended: Promise<ConsoleEnd>;
  readonly #transport: TransportOptions;
  readonly #path: string;
  readonly #first: FirstMessage;
  readonly #handlers: ConsoleHandlers;
  readonly #leaving = new AbortController();
  #socket: WebSocket | undefined;
  #opened: OpenedMessage | undefined;
  #end: EndedMessage | undefined;
  #failure: Error | undefined;
  /** Output: the offset behind the last byte that was taken, that was shown, that was acknowledged. */
  #taken = 0;
  #shown = 0;
  #acknowledged = 0;
  #showing: Promise<void> = Promise.resolve();
  /** Input that the broker has not said it took, and the offset of its first byte. */
  #input: Uint8Array[] = [];
  #inputOffset = 0;
  #inputBytes = 0;
  #isFull = false;
  #size: { readonly columns: number; readonly rows: number } | undefined;
  #isEnding = false;

  constructor(transport: TransportOptions, path: string, first: FirstMessage, handlers: ConsoleHandlers) {
    this.#transport = transport;
    this.#path = path;
    this.#first = first;
    this.#handlers = handlers;
    this.ended = this.#run();
    // Whoever has not looked yet is told when he looks.
    this.ended.catch(() => undefined);
  }

  write(bytes: Uint8Array): boolean {
    if (bytes.length > 0 && this.#opened?.watching === false) {
      const own = Uint8Array.from(bytes);
      const offset = this.#inputOffset + this.#inputBytes;
      this.#input.push(own);
      this.#inputBytes += own.length;
      this.#sendPiece(offset, own);
    }
    this.#isFull = this.#inputBytes >= MUCH_INPUT;
    return !this.#isFull;
  }

  resize(columns: number, rows: number): void {
    this.#size = { columns, rows };
    if (this.#opened !== undefined) this.#send({ type: 'resize', columns, rows });
  }

  end(): void {
    this.#isEnding = true;
    if (this.#opened === undefined || this.#opened.watching) this.leave();
    else this.#send({ type: 'close' });
  }

  leave(): void {
    this.#leaving.abort();
    this.#socket?.close(1000);
  }

  async #run(): Promise<ConsoleEnd> {
    let untilMs = Number.NEGATIVE_INFINITY;
    let pauseMs = RETRY_MS;
    for (;;) {
      let why: string;
      try {
        why = await this.#connection(() => {
          pauseMs = RETRY_MS;
          untilMs = Number.NEGATIVE_INFINITY;
        });
      } catch (error) {
        if (!(error instanceof UnreachableError) || this.#opened === undefined) throw error;
        why = error.message;
      }
      await this.#showing;
      if (this.#end !== undefined) return this.#ending(this.#end);
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#leaving.signal.aborted) return this.#left();
      const opened = this.#opened;
      if (opened === undefined) throw new UnreachableError(why);
      if (untilMs === Number.NEGATIVE_INFINITY) {
        untilMs = Date.now() + opened.resume_ms;
        this.#handlers.onAway?.(why, untilMs);
      }
      if (Date.now() >= untilMs) {
        throw new UnreachableError(`no connection for ${Math.round(opened.resume_ms / 1000)} s: ${why}`);
      }
      await pause(Math.min(pauseMs, Math.max(0, untilMs - Date.now())), this.#leaving.signal);
      if (this.#leaving.signal.aborted) return this.#left();
      pauseMs = Math.min(pauseMs * 2, RETRY_SLOWEST_MS);
    }
  }

  /** One connection from its beginning to its end; resolves with why it ended. @throws UnreachableError */
  async #connection(onBack: () => void): Promise<string> {
    const url = new URL(this.#path, base(this.#transport.url));
    const token = await bearer(this.#transport);
    const [network, headers] = await Promise.all([
      networkOf(this.#transport),
      identityHeaders(this.#transport, token, { method: 'GET', url: new URL(url), isUpgrade: true }),
    ]);
    if (this.#leaving.signal.aborted) return 'left';
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
    const socket = network.webSocket(url, headers);
    socket.binaryType = 'arraybuffer';
    this.#socket = socket;
    const timer = setTimeout(() => socket.close(), CONNECT_MS);
    const before = this.#opened;
    return new Promise((resolve, reject) => {
      let isOpen = false;
      socket.addEventListener('open', () => {
        isOpen = true;
        clearTimeout(timer);
        this.#send(this.#firstMessage());
      });
      socket.addEventListener('message', ({ data }) => {
        // What comes behind the end, or behind a mistake, says nothing more.
        if (this.#end !== undefined || this.#failure !== undefined || this.#socket !== socket) return;
        try {
          if (typeof data === 'string') this.#message(data, before, onBack);
          else if (data instanceof ArrayBuffer) this.#output(new Uint8Array(data));
        } catch (error) {
          const isGone = error instanceof BrokerError && error.code === 'ENOENT' && before !== undefined;
          this.#fail(isGone ? new UnreachableError('the session has ended while there was no connection') : error);
        }
      });
      socket.addEventListener('error', (event) => {
        if (!isOpen) reject(new UnreachableError(notOpened(this.#transport.url, event)));
      });
      socket.addEventListener('close', ({ code, reason }) => {
        clearTimeout(timer);
        if (this.#socket === socket) this.#socket = undefined;
        resolve(`the connection was closed (${code}${reason === '' ? '' : ` ${reason}`})`);
      });
    });
  }

  #firstMessage(): FirstMessage {
    const opened = this.#opened;
    if (opened === undefined) return this.#size === undefined ? this.#first : { ...this.#first, ...this.#size };
    // Who looks on has no seat; he sees what comes from now on.
    if (opened.watching) return this.#first;
    return { type: 'resume', session: opened.session, seat: opened.seat, after: this.#taken };
  }

  #message(json: string, before: OpenedMessage | undefined, onBack: () => void): void {
    const message = readMessage(json);
    switch (message.type) {
      case 'waiting':
        this.#handlers.onWaiting?.(waitingOf(message));
        break;
      case 'opened':
        onBack();
        this.#open(message, before !== undefined);
        break;
      case 'state':
        this.#tookInput(message.input_offset);
        this.#handlers.onState?.(stateOf(message));
        break;
      case 'ended':
        this.#end = message;
        this.#socket?.close(1000);
    }
  }

  #open(message: OpenedMessage, isBack: boolean): void {
    if (!isBack || message.watching) {
      this.#taken = message.offset;
      this.#shown = message.offset;
      this.#acknowledged = message.offset;
      this.#inputOffset = isBack ? this.#inputOffset : message.input_offset;
    } else if (message.session !== this.#opened?.session) {
      throw new ProtocolError('the broker came back with another session');
    }
    // The seat may be another one now.
    this.#opened = message;
    this.#handlers.onOpened?.(openedOf(message, isBack));
    if (message.watching) return;
    this.#tookInput(message.input_offset);
    let offset = this.#inputOffset;
    for (const bytes of this.#input) {
      this.#sendPiece(offset, bytes);
      offset += bytes.length;
    }
    if (isBack && this.#size !== undefined) this.#send({ type: 'resize', ...this.#size });
    if (this.#isEnding) this.#send({ type: 'close' });
  }

  #output(frame: Uint8Array): void {
    if (this.#opened === undefined) throw new ProtocolError('the broker sent output before the session was open');
    const { offset, bytes } = readPiece(frame);
    if (offset > this.#taken) {
      if (!this.#opened.watching)
        throw new ProtocolError(`the broker left ${offset - this.#taken} bytes of output out`);
      // Nobody waits for those who only look on.
      this.#handlers.onMissed?.(offset - this.#taken);
      this.#taken = offset;
    }
    // After a resumption some may come again.
    const fresh = bytes.subarray(Math.min(bytes.length, this.#taken - offset));
    if (fresh.length === 0) return;
    this.#taken += fresh.length;
    const end = this.#taken;
    this.#showing = this.#showing.then(() => this.#show(fresh, end)).catch((error: unknown) => this.#fail(error));
  }

  async #show(bytes: Uint8Array, end: number): Promise<void> {
    if (this.#failure !== undefined) return;
    await this.#handlers.onOutput(bytes);
    this.#shown = end;
    if (this.#shown !== this.#taken && this.#shown - this.#acknowledged < ACK_EVERY) return;
    this.#acknowledged = this.#shown;
    this.#send({ type: 'ack', offset: this.#shown });
  }

  #fail(error: unknown): void {
    this.#failure ??= error instanceof Error ? error : new Error(String(error));
    this.#socket?.close(1000);
  }

  #tookInput(offset: number): void {
    const most = this.#inputOffset + this.#inputBytes;
    if (!Number.isSafeInteger(offset) || offset > most)
      throw new ProtocolError('the broker took input that nobody sent');
    let took = Math.max(0, offset - this.#inputOffset);
    this.#inputOffset += took;
    this.#inputBytes -= took;
    while (took > 0) {
      const [head = new Uint8Array(0)] = this.#input;
      if (head.length > took) {
        this.#input[0] = head.subarray(took);
        break;
      }
      took -= head.length;
      this.#input.shift();
    }
    if (!this.#isFull || this.#inputBytes >= MUCH_INPUT) return;
    this.#isFull = false;
    this.#handlers.onDrain?.();
  }

  #send(message: FirstMessage): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  #sendPiece(offset: number, bytes: Uint8Array): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(writePiece({ offset, bytes }));
  }

  #ending({ why, detail, exit_code: exitCode, signal }: EndedMessage): ConsoleEnd {
    return {
      session: this.#opened?.session ?? '',
      why,
      detail,
      ...(exitCode === undefined ? {} : { exitCode }),
      ...(signal === undefined ? {} : { signal }),
    };
  }

  #left(): ConsoleEnd {
    return { session: this.#opened?.session ?? '', why: 'left', detail: 'you left' };
  }
}

function notOpened(url: string, event: Event): string {
  const problem = tlsProblem('error' in event ? event.error : undefined);
  return `${url} does not open a console: ${problem ?? 'is it there, is the token valid, is there such a switch?'}`;
}

function waitingOf({ request, digest, expires_at_ms }: WaitingMessage): ConsoleWaiting {
  return { request, digest, expiresAtMs: expires_at_ms };
}

function openedOf(message: OpenedMessage, isBack: boolean): ConsoleOpened {
  const { session, program, principal, columns, rows, ends_at_ms, resume_ms, watching } = message;
  return { session, program, principal, columns, rows, endsAtMs: ends_at_ms, resumeMs: resume_ms, watching, isBack };
}

function stateOf({ state, columns, rows, watchers }: StateMessage): ConsoleState {
  return { state, columns, rows, watchers };
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done, { once: true });
  });
}
