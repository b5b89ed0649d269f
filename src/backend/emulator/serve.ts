import { createServer, type Server, type Socket } from 'node:net';
import type { Dialect } from '../../cci/index.ts';
import { createEmulator, type Emulator } from './emulator.ts';
import type { Clock, EmulatorOptions } from './options.ts';
import { serveConnection } from './serve-connection.ts';
import { loadTopology, type Topology } from './topology.ts';

/** Default TCP port of MCTP, as the tools have it. */
export const DEFAULT_MCTP_PORT = 2508;

export interface ServeOptions extends Omit<EmulatorOptions, 'topology'> {
  /** A topology, or the path of a topology file. */
  readonly topology: Topology | string;
  /** 127.0.0.1 unless told otherwise: the protocol has neither authentication nor encryption. */
  readonly host?: string;
  /** 2508; 0 lets the system choose. */
  readonly port?: number;
  /** How peers lay out headers, tunnels and lists; it cannot be told from a request. */
  readonly dialect?: Dialect;
  /** Answers MCTP Set EID with success. Off: it is answered with an error. */
  readonly allowSetEid?: boolean;
  /** Further connections are closed at once. */
  readonly maxConnections?: number;
  /** Connections on which nothing comes for so long are closed. */
  readonly idleMs?: number;
  readonly clock?: Clock;
}

export interface ServedEmulator {
  readonly address: { readonly host: string; readonly port: number };
  readonly emulator: Emulator;
  /** Ends all connections and the listener. */
  close(): Promise<void>;
}

/**
 * Serves an emulated switch on the wire, without a broker: MCTP over TCP, message types 07h and 08h, control messages,
 * many connections at once on one state.
 *
 * @throws TopologyError; the errors of `listen` (EADDRINUSE, EACCES)
 */
export async function serveEmulator(options: ServeOptions): Promise<ServedEmulator> {
  const topology = typeof options.topology === 'string' ? loadTopology(options.topology) : options.topology;
  const emulator = createEmulator(topology, options, options.clock);
  const sockets = new Set<Socket>();
  const settings = {
    dialect: options.dialect ?? 'spec',
    allowSetEid: options.allowSetEid ?? false,
    idleMs: options.idleMs ?? 600_000,
  };
  const server = createServer({ noDelay: true, keepAlive: true }, (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    serveConnection(socket, emulator, settings);
  });
  server.maxConnections = options.maxConnections ?? 256;
  await listen(server, options.host ?? '127.0.0.1', options.port ?? DEFAULT_MCTP_PORT);
  const bound = server.address();
  if (bound === null || typeof bound === 'string') throw new Error('not a TCP listener');
  return {
    address: { host: bound.address, port: bound.port },
    emulator,
    close: async () => {
      const { promise, resolve } = Promise.withResolvers<void>();
      server.close(() => resolve());
      for (const socket of sockets) socket.destroy();
      await promise;
    },
  };
}

function listen(server: Server, host: string, port: number): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  server.listen(port, host, () => {
    server.off('error', reject);
    resolve();
  });
  return promise;
}
