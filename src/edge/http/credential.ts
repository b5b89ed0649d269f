import type { IncomingMessage } from 'node:http';
import type { Credential } from '../../broker/core-api.ts';

const BEARER = /^Bearer +([\x21-\x7e]+)$/i;

/**
 * What the client showed: the bearer token of its one `Authorization` header, or nothing. The core decides what it is
 * worth. A token is never taken from the URL (URLs end up in logs) nor from a WebSocket subprotocol (proxies log those).
 */
export function credentialOf(request: IncomingMessage): Credential {
  const { remoteAddress, remotePort } = request.socket;
  return { token: bearerToken(request), source: `${remoteAddress ?? 'unknown'}:${remotePort ?? 0}` };
}

function bearerToken(request: IncomingMessage): string {
  let seen = 0;
  for (let i = 0; i < request.rawHeaders.length; i += 2) {
    if (request.rawHeaders[i]?.toLowerCase() === 'authorization') seen += 1;
  }
  // Node keeps the first of several; which one was meant is not ours to guess.
  if (seen > 1) return '';
  return BEARER.exec(request.headers.authorization ?? '')?.[1] ?? '';
}
