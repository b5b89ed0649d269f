import type { Logger } from 'pino';
import type { HttpTls } from './secure-server.ts';

/** Bounds of the HTTP edge. Every one protects the broker from a client; all are settable. */
export interface HttpLimits {
  /** Bytes of a request body. */
  readonly bodyBytes: number;
  /** Bytes of all request headers together; a token is one of them. */
  readonly headerBytes: number;
  /** Objects and arrays inside each other in a JSON body. */
  readonly jsonDepth: number;
  /** From the first byte of a request to the end of its headers. */
  readonly headersTimeoutMs: number;
  /** From the first byte of a request to its last. */
  readonly requestTimeoutMs: number;
  /** How long an idle connection is kept. */
  readonly keepAliveMs: number;
  /** Connections open at one time. */
  readonly connections: number;
  /** WebSocket streams open at one time. */
  readonly streams: number;
  /** Of these, how many one tenant may have: the rest stays for the others. */
  readonly streamsPerTenant: number;
  /** Bytes of one WebSocket frame: CCI header and payload. */
  readonly frameBytes: number;
  /** Bytes of replies that may wait for a slow reader before no more of its requests are read. */
  readonly streamBufferBytes: number;
  /** Time between pings; a peer that answered none in that time is dropped. */
  readonly streamPingMs: number;
  /** Streams of events open at one time, server-sent and WebSocket together. */
  readonly eventStreams: number;
  /** Of these, how many one tenant may have. */
  readonly eventStreamsPerTenant: number;
  /** Pause after which a stream of events says that there is nothing; also how late it notices a revoked token. */
  readonly eventHeartbeatMs: number;
  /** How long a reader may take for what was written before his stream is ended; he resumes where he was. */
  readonly eventStallMs: number;
  /** Connections to consoles at one time, of those who type and those who look on. */
  readonly consoles: number;
  /** Of these, how many one tenant may have. */
  readonly consolesPerTenant: number;
  /** Requests at one time on one HTTP/2 connection. */
  readonly http2Streams: number;
  /** Requests at one time on all of them together: each may hold a body. */
  readonly http2StreamsTotal: number;
  /** Requests that one HTTP/2 connection may take back at once; a quarter of that a second over time. */
  readonly http2Resets: number;
  /** PING and SETTINGS frames of one connection in a second: each of them has to be answered. */
  readonly http2Control: number;
  /** How long `close()` waits for what is in flight. */
  readonly shutdownMs: number;
}

export const defaultHttpLimits: HttpLimits = {
  bodyBytes: 64 * 1024,
  headerBytes: 16 * 1024,
  jsonDepth: 16,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  keepAliveMs: 5_000,
  connections: 1024,
  streams: 128,
  streamsPerTenant: 32,
  frameBytes: 64 * 1024,
  streamBufferBytes: 1024 * 1024,
  streamPingMs: 30_000,
  eventStreams: 128,
  eventStreamsPerTenant: 16,
  eventHeartbeatMs: 10_000,
  eventStallMs: 30_000,
  consoles: 64,
  consolesPerTenant: 32,
  http2Streams: 64,
  http2StreamsTotal: 1024,
  http2Resets: 100,
  http2Control: 100,
  shutdownMs: 10_000,
};

export interface HttpEdgeOptions {
  readonly limits?: Partial<HttpLimits>;
  /** Where one line per request goes, at level debug: method, route, status, time. Never a URL, a header or a body. */
  readonly log?: Logger;
  /** Version shown in `/openapi.json`. */
  readonly version?: string;
  /** TLS 1.3 with HTTP/1.1 and HTTP/2; without it plain HTTP/1.1, which is for loopback. */
  readonly tls?: HttpTls;
  /**
   * How clients spell this broker: scheme, host, port, prefix of paths. What DPoP proofs are made for. Without it the
   * `Host` header is believed where the certificate is for that host, or, without TLS, where it is a loopback one.
   */
  readonly publicUrl?: string;
  /** A second listener, plain HTTP, that has nothing but `/healthz` and `/readyz`, for supervisors elsewhere. */
  readonly health?: { readonly host: string; readonly port: number };
  /** Counters of other listeners of this process, Prometheus text, for `/metrics`. */
  readonly moreMetrics?: () => Promise<string>;
}
