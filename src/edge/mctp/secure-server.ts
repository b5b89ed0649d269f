import type { Server, Socket } from 'node:net';
import { createServer } from 'node:tls';
import {
  checkMaterial,
  clientCertificate,
  handshakeRefusal,
  OpenSockets,
  secureContext,
  type TlsMaterial,
} from '../tls/index.ts';
import type { MctpCounts } from './metrics.ts';
import type { MctpLimits } from './options.ts';

/** Handshakes under way beside the connections that are open. */
const HANDSHAKES = 64;

/** The server of a listener with TLS: hands on what has proved a certificate that counts here. */
export function secureServer(
  tls: { readonly material: TlsMaterial; readonly certificates?: readonly string[] },
  how: { readonly noDelay: boolean; readonly keepAlive: boolean; readonly allowHalfOpen: boolean },
  parts: {
    readonly limits: MctpLimits;
    readonly counts: MctpCounts;
    readonly accept: (socket: Socket, certificate: string) => void;
  },
): { readonly server: Server; renew(material: TlsMaterial): void; destroy(): void } {
  const { limits, counts, accept } = parts;
  const known = tls.certificates === undefined ? undefined : new Set(tls.certificates);
  const hasClientCa = tls.material.clientCa !== undefined;
  counts.certificate(checkMaterial(tls.material).notAfterMs);
  const server = createServer({
    ...how,
    ...secureContext(tls.material),
    requestCert: true,
    // With authorities a client without a certificate hears why.
    rejectUnauthorized: hasClientCa,
    handshakeTimeout: limits.assemblyMs,
  });
  const sockets = new OpenSockets(server);
  server.maxConnections = limits.connections + HANDSHAKES;
  server.on('tlsClientError', (error: { readonly code?: string }, socket) => {
    counts.refused(handshakeRefusal(error.code, socket));
    socket.destroy();
  });
  server.on('secureConnection', (socket) => {
    const verdict = clientCertificate(socket, { clientCertificates: 'require', hasClientCa });
    const { certificate } = verdict.ok ? verdict : {};
    if (certificate !== undefined && (known === undefined || known.has(certificate))) {
      accept(socket, certificate);
      return;
    }
    counts.refused(verdict.ok ? 'unknown-certificate' : verdict.reason);
    socket.on('error', () => {});
    socket.destroy();
  });
  return {
    server,
    destroy: () => sockets.destroy(),
    renew(material) {
      const { notAfterMs } = checkMaterial(material);
      server.setSecureContext(secureContext(material));
      counts.certificate(notAfterMs);
    },
  };
}
