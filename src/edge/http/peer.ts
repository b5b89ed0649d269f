import type { IncomingMessage } from 'node:http';
import type { Http2ServerRequest, Http2Session } from 'node:http2';
import type { Socket } from 'node:net';
import { isLoopbackAddress } from '../tls/index.ts';

/** What a listener knows of the other end of a connection. */
export interface Peer {
  /** Address and port. */
  readonly source: string;
  /** The address alone. */
  readonly address: string;
  /** It is on this machine. */
  readonly isLocal: boolean;
  /** The connection is encrypted. */
  readonly isSecure: boolean;
  /** Thumbprint of the certificate whose key the client proved to have. */
  readonly certificate?: string;
}

/** Connections, looked at once: those with TLS behind the handshake, others at their first request. */
const bySocket = new WeakMap<object, Peer>();
const bySession = new WeakMap<Http2Session, Peer>();
/** Requests of HTTP/2: their session, and its socket, may be gone before they are. */
const byRequest = new WeakMap<IncomingMessage, Peer>();

/** The peer of a socket as it is now. @param certificate thumbprint, where the handshake proved one */
export function peerOfSocket(socket: Socket, isSecure: boolean, certificate?: string): Peer {
  const address = socket.remoteAddress ?? 'unknown';
  return {
    source: `${address}:${socket.remotePort ?? 0}`,
    address,
    isLocal: isLoopbackAddress(socket.remoteAddress),
    isSecure,
    ...(certificate === undefined ? {} : { certificate }),
  };
}

export function rememberSocket(socket: Socket, peer: Peer): void {
  bySocket.set(socket, peer);
}

export function rememberSession(session: Http2Session, peer: Peer): void {
  bySession.set(session, peer);
}

/** To be called when the request arrives: later its connection may not be there any more. */
export function rememberRequest(request: IncomingMessage | Http2ServerRequest, session: Http2Session): void {
  const peer = bySession.get(session);
  if (peer !== undefined) byRequest.set(request as IncomingMessage, peer);
}

/** Whom a request is from. */
export function peerOf(request: IncomingMessage): Peer {
  return byRequest.get(request) ?? bySocket.get(request.socket) ?? plainPeer(request.socket);
}

function plainPeer(socket: Socket): Peer {
  const peer = peerOfSocket(socket, false);
  // Where a connection is gone already its address is not known any more, and that is nothing to keep.
  if (socket.remoteAddress !== undefined) bySocket.set(socket, peer);
  return peer;
}
