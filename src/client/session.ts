import type { CciMessage, Params, Reply, TypedSlug } from '../cci/index.ts';
import { CciError, UnreachableError } from './errors.ts';
import { type MessageStream, openStream } from './stream.ts';
import { bearer, type TransportOptions } from './transport.ts';

/** `away`: the broker cannot be reached, and is tried again and again. */
export type SessionState = 'connecting' | 'open' | 'away' | 'closed';

export interface SessionOptions {
  /** Told of each change, with the reason where there is one. */
  readonly onState?: (state: SessionState, why: string) => void;
  /** How long a command may wait for a connection; 0, the default, refuses it at once. */
  readonly waitMs?: number;
  /** Pauses before the first and, doubled each time, at most between attempts to connect: 200 and 5000 if not given. */
  readonly retryMs?: number;
  readonly retrySlowestMs?: number;
  /** How long before its end a token is exchanged for the next one; 30 s if not given. */
  readonly renewMs?: number;
}

export interface SendOptions {
  /** Stops the waiting. A command that has left may be carried out all the same. */
  readonly signal?: AbortSignal;
}

export interface SessionCommandOptions extends SendOptions {
  /** `port:3`, `port:3/ld:1`, `port:3/ldpool`. */
  readonly via?: string;
}

/** The answer to a command that the device carried out. */
export interface SessionAnswer<S extends TypedSlug> {
  /** 0 done, 1 started in the background. */
  readonly returnCode: number;
  /** The decoded reply; undefined while the command runs on in the background. */
  readonly result: Reply<S> | undefined;
}

/**
 * A connection to one switch that stays: commands are pipelined, a connection that breaks off is made again, and a token
 * that runs out is exchanged for the next one of `tokenProvider` without a pause. A command that was under way when the
 * connection broke fails with `UnreachableError`: whether it was carried out is not known, so it is not sent again.
 */
export interface Session {
  readonly state: SessionState;
  /**
   * Runs a command by its slug, typed by the catalogue.
   * @throws ParameterError before anything is sent, ReturnCodeError for a refusal or an error of the device,
   *   UnreachableError
   */
  run<S extends TypedSlug>(slug: S, params: Params<S>, options?: SessionCommandOptions): Promise<SessionAnswer<S>>;
  /** Sends one message. Refusals are return codes of the reply. @throws UnreachableError */
  send(opcode: number, payload: Uint8Array, options?: SendOptions): Promise<CciMessage>;
  /** Waits for what is under way, then ends the connection. */
  close(): Promise<void>;
}

const defaults = { retryMs: 200, retrySlowestMs: 5000, renewMs: 30_000 } as const;
/** Longest time that a timer holds. */
const TIMER_MAX = 0x7fff_ffff;

/** Opens a session that connects by itself; the first connection need not be there yet. */
export function openSession(transport: TransportOptions, path: string, options: SessionOptions = {}): Session {
  return new StreamSession(transport, path, options);
}

class StreamSession implements Session {
  private readonly transport: TransportOptions;
  private readonly path: string;
  private readonly options: SessionOptions;
  private readonly closing = new AbortController();
  private readonly waiters = new Set<() => void>();
  private stream: MessageStream | undefined;
  private current: SessionState = 'connecting';
  private renewal: NodeJS.Timeout | undefined;
  private readonly running: Promise<void>;

  constructor(transport: TransportOptions, path: string, options: SessionOptions) {
    this.transport = transport;
    this.path = path;
    this.options = options;
    this.running = this.keepOpen();
  }

  get state(): SessionState {
    return this.current;
  }

  async run<S extends TypedSlug>(
    slug: S,
    params: Params<S>,
    { via, signal }: SessionCommandOptions = {},
  ): Promise<SessionAnswer<S>> {
    const { readRoutedReply, routedRequest } = await import('./session-typed.ts');
    const request = routedRequest(slug, params, via);
    const reply = await this.send(request.opcode, request.payload, signal === undefined ? {} : { signal });
    return readRoutedReply(slug, params, request.command, reply);
  }

  async send(opcode: number, payload: Uint8Array, { signal }: SendOptions = {}): Promise<CciMessage> {
    const { stream } = this;
    if (stream !== undefined) return stream.send(opcode, payload, signal);
    await this.opened(signal);
    if (this.stream === undefined) throw new UnreachableError(`no connection to ${this.transport.url}`);
    return this.stream.send(opcode, payload, signal);
  }

  async close(): Promise<void> {
    const { stream } = this;
    this.closing.abort();
    clearTimeout(this.renewal);
    this.stream = undefined;
    await finish(stream);
    await this.running;
  }

  /** Resolves when there is a connection, or when it has been waited for long enough. */
  private opened(signal: AbortSignal | undefined): Promise<void> {
    const { waitMs = 0 } = this.options;
    if (waitMs === 0 || this.closing.signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        this.waiters.delete(end);
        signal?.removeEventListener('abort', end);
        resolve();
      };
      const timer = setTimeout(end, waitMs);
      this.waiters.add(end);
      signal?.addEventListener('abort', end, { once: true });
    });
  }

  private async keepOpen(): Promise<void> {
    const { retryMs = defaults.retryMs, retrySlowestMs = defaults.retrySlowestMs } = this.options;
    let pauseMs = retryMs;
    while (!this.closing.signal.aborted) {
      let why: string;
      try {
        const stream = await this.connect();
        pauseMs = retryMs;
        why = await this.lastOf(stream);
      } catch (error) {
        why = error instanceof CciError ? error.message : 'no token';
      }
      if (this.closing.signal.aborted) break;
      this.enter('away', why);
      await this.pause(pauseMs);
      pauseMs = Math.min(pauseMs * 2, retrySlowestMs);
    }
    this.enter('closed', '');
    for (const wake of [...this.waiters]) wake();
  }

  /** Waits for the end of a stream, and of those that took its place while their tokens were exchanged. */
  private async lastOf(first: MessageStream): Promise<string> {
    for (let stream = first; ; ) {
      const why = await stream.closed;
      const next = this.stream;
      if (next === undefined || next === stream) {
        if (next === stream) this.stream = undefined;
        return why;
      }
      stream = next;
    }
  }

  private async connect(): Promise<MessageStream> {
    const token = await bearer(this.transport);
    const stream = await openStream(this.transport, this.path, token);
    if (this.closing.signal.aborted) {
      await stream.close();
      throw new UnreachableError('the session was closed');
    }
    const before = this.stream;
    this.stream = stream;
    this.renewBefore(expiryOf(token));
    this.enter('open', '');
    for (const wake of [...this.waiters]) wake();
    // What is under way on the old one is answered there.
    void finish(before);
    return stream;
  }

  /** The broker asks for a valid token with every message: the next one has to be in use before this one ends. */
  private renewBefore(expiresAtMs: number | undefined): void {
    clearTimeout(this.renewal);
    if (expiresAtMs === undefined || this.transport.tokenProvider === undefined) return;
    const { renewMs = defaults.renewMs } = this.options;
    const leftMs = expiresAtMs - Date.now();
    // A short-lived token is exchanged after half of its time.
    const inMs = Math.max(leftMs - renewMs, leftMs / 2, 1000);
    this.renewal = setTimeout(
      () => {
        this.connect().catch(() => {
          if (this.stream !== undefined) this.renewBefore(expiresAtMs);
        });
      },
      Math.min(inMs, TIMER_MAX),
    );
    this.renewal.unref?.();
  }

  private pause(ms: number): Promise<void> {
    const { signal } = this.closing;
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', end);
        resolve();
      };
      const timer = setTimeout(end, ms);
      signal.addEventListener('abort', end, { once: true });
    });
  }

  private enter(state: SessionState, why: string): void {
    if (this.current === state) return;
    this.current = state;
    this.options.onState?.(state, why);
  }
}

const FINISH_STEP_MS = 20;
const FINISH_MS = 10_000;

/** Lets a stream answer what is under way, then closes it. */
async function finish(stream: MessageStream | undefined): Promise<void> {
  if (stream === undefined) return;
  const untilMs = performance.now() + FINISH_MS;
  while (stream.outstanding > 0 && performance.now() < untilMs) {
    await new Promise((resolve) => setTimeout(resolve, FINISH_STEP_MS));
  }
  await stream.close();
}

/** When a token says that it ends; it is only looked at to fetch the next one in time. */
function expiryOf(token: string): number | undefined {
  try {
    const claims: unknown = JSON.parse(atob((token.split('.')[1] ?? '').replaceAll('-', '+').replaceAll('_', '/')));
    const exp = typeof claims === 'object' && claims !== null && 'exp' in claims ? claims.exp : undefined;
    return typeof exp === 'number' && Number.isFinite(exp) ? exp * 1000 : undefined;
  } catch {
    return undefined;
  }
}
