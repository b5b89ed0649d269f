import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { HandshakeRefusal } from '../tls/index.ts';

/** Counters of the edge itself; the core has its own. */
export interface EdgeMetrics {
  readonly contentType: string;
  /** One finished request. `route` is the pattern, never the URL: it has few values and no secrets. */
  request(method: string, route: string, status: number, seconds: number): void;
  streamOpened(): void;
  streamClosed(): void;
  /** One message of a stream: `answered`, `refused`, or `dropped` with its connection. */
  streamMessage(result: 'answered' | 'refused' | 'dropped'): void;
  /** A connection that was closed in its handshake, or right behind it. */
  tlsRefused(reason: HandshakeRefusal): void;
  /** When the certificate in force ends, milliseconds since 1970. */
  certificate(notAfterMs: number): void;
  http2Opened(): void;
  http2Closed(): void;
  /** An HTTP/2 connection or stream that the edge ended: why. */
  http2Ended(reason: 'control-flood' | 'error' | 'slow-request' | 'streams-full'): void;
  text(): Promise<string>;
}

/** A registry of its own, so that two edges in one process do not share counters. */
export function createEdgeMetrics(): EdgeMetrics {
  const registry = new Registry();
  const registers = [registry];
  const requests = new Counter({
    name: 'cci_edge_http_requests_total',
    help: 'HTTP requests that were answered',
    labelNames: ['method', 'route', 'status'],
    registers,
  });
  const duration = new Histogram({
    name: 'cci_edge_http_request_duration_seconds',
    help: 'time from the end of the headers to the end of the answer',
    labelNames: ['route'],
    buckets: [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10],
    registers,
  });
  const streams = new Gauge({ name: 'cci_edge_streams', help: 'WebSocket streams that are open', registers });
  const messages = new Counter({
    name: 'cci_edge_stream_messages_total',
    help: 'CCI messages that came over streams',
    labelNames: ['result'],
    registers,
  });
  const refusedTls = new Counter({
    name: 'cci_edge_tls_refusals_total',
    help: 'Connections that were closed in their TLS handshake or right behind it',
    labelNames: ['reason'],
    registers,
  });
  const http2 = new Gauge({ name: 'cci_edge_http2_connections', help: 'HTTP/2 connections that are open', registers });
  const endedHttp2 = new Counter({
    name: 'cci_edge_http2_ended_total',
    help: 'HTTP/2 connections and streams that the edge ended because of what they did',
    labelNames: ['reason'],
    registers,
  });
  /** Only where there is one: without TLS a zero would read as a certificate that has run out. */
  let certificate: Gauge | undefined;
  return {
    contentType: registry.contentType,
    request(method, route, status, seconds) {
      requests.inc({ method, route, status: String(status) });
      duration.observe({ route }, seconds);
    },
    streamOpened: () => streams.inc(),
    streamClosed: () => streams.dec(),
    streamMessage: (result) => messages.inc({ result }),
    tlsRefused: (reason) => refusedTls.inc({ reason }),
    certificate(notAfterMs) {
      certificate ??= new Gauge({
        name: 'cci_edge_tls_not_after_timestamp_seconds',
        help: 'When the certificate in force ends, seconds since 1970',
        registers,
      });
      certificate.set(Math.floor(notAfterMs / 1000));
    },
    http2Opened: () => http2.inc(),
    http2Closed: () => http2.dec(),
    http2Ended: (reason) => endedHttp2.inc({ reason }),
    text: () => registry.metrics(),
  };
}
