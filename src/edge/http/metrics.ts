import { Counter, Gauge, Histogram, Registry } from 'prom-client';

/** Counters of the edge itself; the core has its own. */
export interface EdgeMetrics {
  readonly contentType: string;
  /** One finished request. `route` is the pattern, never the URL: it has few values and no secrets. */
  request(method: string, route: string, status: number, seconds: number): void;
  streamOpened(): void;
  streamClosed(): void;
  /** One message of a stream: `answered`, `refused`, or `dropped` with its connection. */
  streamMessage(result: 'answered' | 'refused' | 'dropped'): void;
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
  return {
    contentType: registry.contentType,
    request(method, route, status, seconds) {
      requests.inc({ method, route, status: String(status) });
      duration.observe({ route }, seconds);
    },
    streamOpened: () => streams.inc(),
    streamClosed: () => streams.dec(),
    streamMessage: (result) => messages.inc({ result }),
    text: () => registry.metrics(),
  };
}
