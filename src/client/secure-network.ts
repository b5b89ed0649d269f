import { Agent, fetch, WebSocket as SecureWebSocket } from 'undici';
import { ParameterError } from './errors.ts';
import type { Network } from './network.ts';
import type { TransportOptions } from './transport.ts';

/**
 * TLS 1.3 with authorities and a certificate of one's own. HTTP/1.1: for requests that come one after the other it is
 * faster than HTTP/2, and streams need it anyway.
 *
 * @throws ParameterError for a certificate without a key, or the other way round
 */
export function secureNetwork({ ca, certificate, key }: TransportOptions): Network {
  if ((certificate === undefined) !== (key === undefined)) {
    throw new ParameterError(certificate === undefined ? 'certificate' : 'key', 'is missing: they belong together');
  }
  const dispatcher = new Agent({
    allowH2: false,
    connect: {
      minVersion: 'TLSv1.3',
      ...(ca === undefined ? {} : { ca: [...ca.matchAll(CERTIFICATE)].map(([one]) => one) }),
      ...(certificate === undefined ? {} : { cert: certificate }),
      ...(key === undefined ? {} : { key }),
    },
  });
  // Both are of one kind; the types of the built-in ones are declared apart.
  const how = { dispatcher } as const;
  return {
    fetch: (url, init) => fetch(url, { ...(init as object), ...how }) as unknown as Promise<Response>,
    webSocket: (url, headers) => new SecureWebSocket(url, { headers, ...how }) as unknown as WebSocket,
  };
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;
