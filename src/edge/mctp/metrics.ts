import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { HandshakeRefusal } from '../tls/index.ts';

/** Why a connection was not served: no room, given up for a newer one, or not let in. */
export type ConnectionRefusal = 'full' | 'yielded' | 'unknown-certificate' | HandshakeRefusal;

/** Why bytes became no request. `framing`: no MCTP at all; `late`: a packet or message that never came to its end. */
export type AssemblyError = 'framing' | 'no-start' | 'gap' | 'too-long' | 'too-many' | 'late';

/** How a request ended: a return code of success, another one, an MCTP control message, or no answer in time. */
export type RequestEnd = 'success' | 'error' | 'control' | 'late';

/** What one listener counts. */
export interface MctpCounts {
  opened(): void;
  closed(): void;
  refused(reason: ConnectionRefusal): void;
  request(end: RequestEnd, seconds: number): void;
  assemblyError(reason: AssemblyError, count?: number): void;
  /** Milliseconds since 1970. */
  certificate(notAfterMs: number): void;
}

/** Counters of all MCTP listeners of a process. */
export interface MctpMetrics {
  /** @param name address and port of the listener */
  of(name: string): MctpCounts;
  text(): Promise<string>;
}

export const noCounts: MctpCounts = {
  opened: () => {},
  closed: () => {},
  refused: () => {},
  request: () => {},
  assemblyError: () => {},
  certificate: () => {},
};

export function createMctpMetrics(): MctpMetrics {
  const registry = new Registry();
  const registers = [registry];
  const open = new Gauge({
    name: 'cci_mctp_connections',
    help: 'Connections of MCTP clients that are open',
    labelNames: ['listener'] as const,
    registers,
  });
  const connections = new Counter({
    name: 'cci_mctp_connections_total',
    help: 'Connections of MCTP clients that were let in',
    labelNames: ['listener'] as const,
    registers,
  });
  const refusals = new Counter({
    name: 'cci_mctp_refused_connections_total',
    help: 'Connections of MCTP clients that were not let in, or given up for another',
    labelNames: ['listener', 'reason'] as const,
    registers,
  });
  const requests = new Counter({
    name: 'cci_mctp_requests_total',
    help: 'Requests of MCTP clients by how they ended',
    labelNames: ['listener', 'end'] as const,
    registers,
  });
  const assembly = new Counter({
    name: 'cci_mctp_assembly_errors_total',
    help: 'Packets and messages of MCTP clients that became no request',
    labelNames: ['listener', 'reason'] as const,
    registers,
  });
  const seconds = new Histogram({
    name: 'cci_mctp_request_seconds',
    help: 'Time from a whole request to its reply',
    labelNames: ['listener'] as const,
    buckets: [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1, 5],
    registers,
  });
  const notAfter = new Gauge({
    name: 'cci_mctp_tls_not_after_timestamp_seconds',
    help: 'When the certificate of the listener ends, seconds since 1970',
    labelNames: ['listener'] as const,
    registers,
  });
  return {
    of: (listener) => ({
      opened() {
        open.inc({ listener });
        connections.inc({ listener });
      },
      closed: () => open.dec({ listener }),
      refused: (reason) => refusals.inc({ listener, reason }),
      request(end, took) {
        requests.inc({ listener, end });
        seconds.observe({ listener }, took);
      },
      assemblyError: (reason, count = 1) => assembly.inc({ listener, reason }, count),
      certificate: (notAfterMs) => notAfter.set({ listener }, Math.floor(notAfterMs / 1000)),
    }),
    text: () => registry.metrics(),
  };
}
