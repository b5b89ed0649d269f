import { createServer, type Socket } from 'node:net';
import type { Dialect } from '../../cci/index.ts';
import { TlsError, type TlsMaterial } from '../tls/index.ts';
import { MctpConnection } from './connection.ts';
import { type MctpCounts, noCounts } from './metrics.ts';
import { defaultMctpLimits, type MctpLimits } from './options.ts';
import type { Relay } from './relay.ts';
import { secureServer } from './secure-server.ts';

export interface MctpListenerOptions {
  readonly dialect: Dialect;
  readonly relay: Relay;
  /** What Get Endpoint UUID tells, 16 bytes. */
  readonly uuid: Uint8Array;
  readonly limits?: Partial<MctpLimits>;
  /** TLS 1.3. Every client then needs a certificate: one that `clientCa` signed, and one of `certificates` if given. */
  readonly tls?: { readonly material: TlsMaterial; readonly certificates?: readonly string[] };
  readonly counts?: MctpCounts;
}

export interface MctpListener {
  /** Starts to listen. Port 0 takes a free one. @throws the errors of `listen` (EADDRINUSE, EACCES) */
  listen(host: string, port: number): Promise<{ readonly host: string; readonly port: number }>;
  readonly connections: number;
  /**
   * Another certificate for connections from now on; those that are open go on.
   * @throws TlsError where it cannot be used, or the listener has no TLS: the one in force stays
   */
  renewCertificate(material: TlsMaterial): void;
  /** Refuses new clients, answers what is under way (at most `shutdownMs`), then closes every connection. */
  close(): Promise<void>;
}

/** MCTP over TCP for clients that know nothing of tokens: each request goes to the relay, each is answered. */
export function createMctpListener(options: MctpListenerOptions): MctpListener {
  const limits = { ...defaultMctpLimits[options.dialect], ...options.limits };
  const { counts = noCounts } = options;
  const open = new Set<MctpConnection>();
  let wake = (): void => {};
  const accept = (socket: Socket, certificate?: string): void => {
    if (open.size >= limits.connections) {
      const hasRoom = makeRoom(open, limits.yieldsAfterMs);
      counts.refused(hasRoom ? 'yielded' : 'full');
      if (!hasRoom) {
        socket.destroy();
        return;
      }
    }
    counts.opened();
    const connection = new MctpConnection(socket, {
      dialect: options.dialect,
      relay: options.relay,
      uuid: options.uuid,
      limits,
      counts,
      ...(certificate === undefined ? {} : { certificate }),
      onEnd: (ended) => {
        open.delete(ended);
        counts.closed();
        if (open.size === 0) wake();
      },
    });
    open.add(connection);
  };
  // Half-open: a client may end its side right behind its request and still wait for the reply.
  const how = { noDelay: true, keepAlive: true, allowHalfOpen: true };
  const tls = options.tls === undefined ? undefined : secureServer(options.tls, how, { limits, counts, accept });
  const server = tls?.server ?? createServer(how, (socket) => accept(socket));
  return {
    get connections() {
      return open.size;
    },
    listen(host, port) {
      return new Promise((resolve, reject) => {
        server.once('error', reject);
        server.listen(port, host, () => {
          server.off('error', reject);
          // What cannot be accepted for want of descriptors is the client's to try again.
          server.on('error', () => {});
          const bound = server.address();
          if (bound === null || typeof bound === 'string') reject(new Error('not a TCP listener'));
          else resolve({ host: bound.address, port: bound.port });
        });
      });
    },
    renewCertificate(material) {
      if (tls === undefined) throw new TlsError('this listener has no TLS');
      tls.renew(material);
    },
    async close() {
      const closed = new Promise<void>((resolve) => {
        if (server.listening) server.close(() => resolve());
        else resolve();
      });
      for (const connection of open) connection.finish();
      if (open.size > 0) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, limits.shutdownMs);
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
      for (const connection of open) connection.destroy();
      tls?.destroy();
      await closed;
    },
  };
}

/** Lets the connection go that has been idle longest: one that is kept open for nothing must not keep others out. */
function makeRoom(open: ReadonlySet<MctpConnection>, yieldsAfterMs: number): boolean {
  let longest: MctpConnection | undefined;
  for (const connection of open) {
    if (connection.idleMs > (longest?.idleMs ?? yieldsAfterMs)) longest = connection;
  }
  longest?.destroy();
  return longest !== undefined;
}
