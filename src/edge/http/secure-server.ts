import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { TLSSocket } from 'node:tls';
import {
  type ClientCertificates,
  clientCertificate,
  handshakeRefusal,
  OpenSockets,
  secureContext,
  type TlsMaterial,
} from '../tls/index.ts';
import { Http2Sessions } from './http2-sessions.ts';
import type { EdgeMetrics } from './metrics.ts';
import type { HttpLimits } from './options.ts';
import { peerOfSocket, rememberSocket } from './peer.ts';

/** How a listener speaks TLS. */
export interface HttpTls {
  readonly material: TlsMaterial;
  readonly clientCertificates: ClientCertificates;
}

/** One port for HTTP/1.1 and HTTP/2, as the client wishes (ALPN). */
export interface SecureServer {
  /** What the framework listens with. */
  readonly server: Server;
  /** No more requests over HTTP/2: each connection ends with its last answer. */
  finish(): void;
  /** Ends every connection, whatever it is at. */
  destroy(): void;
  /** For connections from now on; those that are open go on. @throws where it cannot be used */
  renew(material: TlsMaterial): void;
}

/** A server with TLS 1.3. The client's certificate is looked at once, behind the handshake. */
export function createSecureServer(
  handler: RequestListener,
  tls: HttpTls,
  parts: { readonly limits: HttpLimits; readonly metrics: EdgeMetrics },
): SecureServer {
  const { limits, metrics } = parts;
  const { clientCertificates } = tls;
  let { material } = tls;
  const isAsked = clientCertificates !== 'none';
  const http2 = new Http2Sessions(
    (request, response) =>
      // The two are made to look alike, and the framework takes either.
      handler(request as unknown as IncomingMessage, response as unknown as ServerResponse & { req: IncomingMessage }),
    limits,
    metrics,
  );
  const server = createServer(
    {
      ...secureContext(material),
      ALPNProtocols: ['h2', 'http/1.1'],
      requestCert: isAsked,
      // A client without a certificate then hears why. One that no authority signed is judged below.
      rejectUnauthorized: clientCertificates === 'require' && material.clientCa !== undefined,
      handshakeTimeout: limits.headersTimeoutMs,
      maxHeaderSize: limits.headerBytes,
      headersTimeout: Math.min(limits.headersTimeoutMs, limits.requestTimeoutMs),
      requestTimeout: limits.requestTimeoutMs,
      keepAliveTimeout: limits.keepAliveMs,
      connectionsCheckingInterval: Math.min(1000, limits.headersTimeoutMs),
      insecureHTTPParser: false,
    },
    handler,
  );
  server.maxConnections = limits.connections;
  server.maxHeadersCount = 64;
  const sockets = new OpenSockets(server);
  const [http1] = server.listeners('secureConnection');
  server.removeAllListeners('secureConnection');
  // A handshake that failed is no bad HTTP request: there is nobody to answer.
  server.removeAllListeners('tlsClientError');
  server.on('tlsClientError', (error: { readonly code?: string }, socket) => {
    metrics.tlsRefused(handshakeRefusal(error.code, socket));
    socket.destroy();
  });
  server.on('secureConnection', (socket: TLSSocket) => {
    const hasClientCa = material.clientCa !== undefined;
    const verdict = clientCertificate(socket, { clientCertificates, hasClientCa });
    if (!verdict.ok) {
      metrics.tlsRefused(verdict.reason);
      socket.on('error', () => {});
      socket.destroy();
      return;
    }
    const peer = peerOfSocket(socket, true, verdict.certificate);
    rememberSocket(socket, peer);
    if (socket.alpnProtocol === 'h2') http2.accept(socket, peer);
    else http1?.call(server, socket);
  });
  return {
    // Both kinds have all that the framework asks of a server.
    server: server as unknown as Server,
    finish: () => http2.finish(),
    destroy() {
      http2.close();
      sockets.destroy();
    },
    renew(next) {
      server.setSecureContext(secureContext(next));
      material = next;
    },
  };
}
