import {
  constants,
  createServer,
  type Http2Server,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { TLSSocket } from 'node:tls';
import type { EdgeMetrics } from './metrics.ts';
import type { HttpLimits } from './options.ts';
import { type Peer, rememberRequest, rememberSession } from './peer.ts';
import { PROBLEM_TYPE, type TransportProblem, transportProblem } from './problems.ts';

const { NGHTTP2_CANCEL, NGHTTP2_ENHANCE_YOUR_CALM, NGHTTP2_NO_ERROR, NGHTTP2_REFUSED_STREAM } = constants;
const { NGHTTP2_STREAM_STATE_HALF_CLOSED_REMOTE } = constants;

/** How long a session that is told to end may take. */
const GOODBYE_MS = 1000;
/** Bytes of what the library keeps for one connection, in units of a million. */
const SESSION_MEGABYTES = 2;
/** Malformed frames, and streams opened past the limit, that one connection may send. */
const SESSION_FAULTS = 32;

type Handler = (request: Http2ServerRequest, response: Http2ServerResponse) => void;

/** A request under way. */
interface Exchange {
  readonly request: Http2ServerRequest;
  readonly response: Http2ServerResponse;
  readonly sinceMs: number;
  answeredMs: number | undefined;
}

/** One connection. */
interface Watched {
  readonly exchanges: Set<Exchange>;
  readonly sinceMs: number;
  /** Since when nothing is under way. */
  idleMs: number;
  /** It has asked for something. */
  wasUsed: boolean;
  /** Since when it is asked to end. */
  endingMs: number | undefined;
  /** PING and SETTINGS frames since the last look: each of them has to be answered. */
  control: number;
}

class ControlFlood extends Error {}

/**
 * HTTP/2 connections under the limits of the edge. What floods one connection (resets, CONTINUATION, PING, SETTINGS,
 * malformed frames) ends that connection; what is merely slow is ended by a look at all of them once in a while, so that a
 * request costs no timer.
 */
export class Http2Sessions {
  readonly #limits: HttpLimits;
  readonly #metrics: EdgeMetrics;
  readonly #server: Http2Server;
  readonly #sessions = new Map<ServerHttp2Session, Watched>();
  readonly #timer: NodeJS.Timeout;
  #streams = 0;
  #arriving: Peer | undefined;

  constructor(handler: Handler, limits: HttpLimits, metrics: EdgeMetrics) {
    this.#limits = limits;
    this.#metrics = metrics;
    this.#server = createServer({
      settings: {
        maxConcurrentStreams: limits.http2Streams,
        maxHeaderListSize: limits.headerBytes,
        enablePush: false,
        // Nothing of what clients send is worth remembering for long; a bomb needs a table.
        headerTableSize: 4096,
      },
      maxHeaderListPairs: 64,
      maxSessionMemory: SESSION_MEGABYTES,
      maxSettings: 16,
      maxSessionInvalidFrames: SESSION_FAULTS,
      maxSessionRejectedStreams: SESSION_FAULTS,
      streamResetBurst: limits.http2Resets,
      streamResetRate: Math.max(1, Math.ceil(limits.http2Resets / 4)),
    });
    this.#server.on('session', (session) => this.#begin(session));
    this.#server.on('request', (request, response) => this.#receive(request, response, handler));
    // Each has its place in the session's own events; without a listener here they would end the process.
    this.#server.on('sessionError', () => {});
    const everyMs = Math.min(1000, limits.headersTimeoutMs, limits.keepAliveMs, limits.requestTimeoutMs);
    this.#timer = setInterval(() => this.#look(), everyMs);
    this.#timer.unref();
  }

  /** Takes over a connection that has chosen `h2`. */
  accept(socket: TLSSocket, peer: Peer): void {
    this.#arriving = peer;
    this.#server.emit('connection', socket);
    this.#arriving = undefined;
  }

  /** No more requests on any connection; each ends with the last answer. */
  finish(): void {
    for (const [session, watched] of this.#sessions) this.#end(session, watched);
  }

  close(): void {
    clearInterval(this.#timer);
    for (const session of this.#sessions.keys()) session.destroy();
  }

  #begin(session: ServerHttp2Session): void {
    if (this.#arriving !== undefined) rememberSession(session, this.#arriving);
    const watched: Watched = {
      exchanges: new Set(),
      sinceMs: performance.now(),
      idleMs: performance.now(),
      wasUsed: false,
      endingMs: undefined,
      control: 0,
    };
    this.#sessions.set(session, watched);
    this.#metrics.http2Opened();
    const count = (): void => {
      watched.control += 1;
      if (watched.control <= this.#limits.http2Control || session.destroyed) return;
      session.destroy(new ControlFlood(), NGHTTP2_ENHANCE_YOUR_CALM);
    };
    session.on('ping', count);
    session.on('remoteSettings', count);
    session.on('error', (error) => this.#metrics.http2Ended(error instanceof ControlFlood ? 'control-flood' : 'error'));
    session.once('close', () => {
      this.#sessions.delete(session);
      this.#metrics.http2Closed();
    });
  }

  #receive(request: Http2ServerRequest, response: Http2ServerResponse, handler: Handler): void {
    const { stream } = request;
    const { session } = stream;
    const watched = session === undefined ? undefined : this.#sessions.get(session as ServerHttp2Session);
    // It was reset before anybody looked at it: nothing is done for it.
    if (session === undefined || watched === undefined || stream.destroyed || stream.closed) return;
    if (this.#streams >= this.#limits.http2StreamsTotal) {
      this.#metrics.http2Ended('streams-full');
      stream.close(NGHTTP2_REFUSED_STREAM);
      return;
    }
    // What SETTINGS say about it holds only for those who have acknowledged them.
    if (headerBytes(request.rawHeaders) > this.#limits.headerBytes) {
      refuse(request, response, 'headersTooLarge');
      return;
    }
    rememberRequest(request, session);
    const exchange: Exchange = { request, response, sinceMs: performance.now(), answeredMs: undefined };
    watched.wasUsed = true;
    watched.exchanges.add(exchange);
    this.#streams += 1;
    stream.on('error', () => {});
    stream.once('close', () => {
      this.#streams -= 1;
      watched.exchanges.delete(exchange);
      watched.idleMs = performance.now();
    });
    handler(request, response);
  }

  #look(): void {
    const nowMs = performance.now();
    for (const [session, watched] of this.#sessions) {
      watched.control = 0;
      for (const exchange of watched.exchanges) this.#lookAt(exchange, nowMs);
      if (watched.endingMs !== undefined) {
        if (watched.exchanges.size === 0 && nowMs - watched.endingMs > GOODBYE_MS) session.destroy();
        continue;
      }
      // Bytes alone do not keep it: half a header is no request.
      const { headersTimeoutMs, keepAliveMs } = this.#limits;
      const mayIdleMs = watched.wasUsed ? keepAliveMs : headersTimeoutMs;
      if (session.pendingSettingsAck && nowMs - watched.sinceMs > headersTimeoutMs) this.#end(session, watched);
      else if (watched.exchanges.size === 0 && nowMs - watched.idleMs > mayIdleMs) this.#end(session, watched);
    }
  }

  #lookAt(exchange: Exchange, nowMs: number): void {
    const { request, response } = exchange;
    const { requestTimeoutMs } = this.#limits;
    if (response.writableEnded) {
      exchange.answeredMs ??= nowMs;
      // The answer waits for a window that its reader never opens.
      if (nowMs - exchange.answeredMs > requestTimeoutMs) request.stream.close(NGHTTP2_CANCEL);
      return;
    }
    if (nowMs - exchange.sinceMs <= requestTimeoutMs || isWhole(request.stream)) return;
    this.#metrics.http2Ended('slow-request');
    if (response.headersSent) {
      request.stream.close(NGHTTP2_CANCEL);
      return;
    }
    refuse(request, response, 'slowRequest');
  }

  #end(session: ServerHttp2Session, watched: Watched): void {
    watched.endingMs ??= performance.now();
    if (!session.closed && !session.destroyed) session.close();
  }
}

function refuse(request: Http2ServerRequest, response: Http2ServerResponse, problem: TransportProblem): void {
  const document = transportProblem(problem);
  response.writeHead(document.status, { 'content-type': PROBLEM_TYPE });
  response.end(JSON.stringify(document));
  // Behind the answer: what else comes of the request is not wanted.
  request.stream.close(NGHTTP2_NO_ERROR);
}

/** Size of a header list as HTTP/2 counts it (RFC 9113 section 6.5.2). */
function headerBytes(rawHeaders: readonly string[]): number {
  let bytes = rawHeaders.length * 16;
  for (const text of rawHeaders) bytes += text.length;
  return bytes;
}

/** Has the client sent all of its request? Whether anybody has read it is another matter. */
function isWhole(stream: ServerHttp2Stream): boolean {
  const { state } = stream.state;
  return stream.endAfterHeaders || state === NGHTTP2_STREAM_STATE_HALF_CLOSED_REMOTE || stream.destroyed;
}
