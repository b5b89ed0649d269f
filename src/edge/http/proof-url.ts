import type { IncomingMessage } from 'node:http';
import { peerOf } from './peer.ts';

/** How a listener knows by which names it is called. */
export interface OwnNames {
  /** Scheme, host, port and prefix of paths, without a slash at its end. */
  readonly publicUrl?: string;
  /** May a client mean this listener when it says that host? */
  isOwnHost(host: string): boolean;
}

const AUTHORITY = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::\d{1,5})?$/;
const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/i;

/** Names of a listener without TLS: it is for this machine. */
export const loopbackNames: OwnNames = { isOwnHost: (host) => LOOPBACK.test(host) };

const urls = new WeakMap<IncomingMessage, string>();

/** Works out for which URL a proof of this request has to be made. To be called once, where there is such a header. */
export function rememberProofUrl(request: IncomingMessage, names: OwnNames): void {
  urls.set(request, proofUrl(request, names));
}

/** Empty where it cannot be said: no proof is for that. */
export function proofUrlOf(request: IncomingMessage): string {
  return urls.get(request) ?? '';
}

/**
 * Scheme, host and path, without query: `htu` of RFC 9449. The host is what the configuration says. Where it says nothing
 * the client's own word for it is taken, but only for a host that this listener is: one that the certificate in force is
 * for, or a loopback one without TLS. A proof that was made for another server, and is passed on by it with a `Host` of
 * its choice, therefore fits nothing here.
 */
function proofUrl(request: IncomingMessage, { publicUrl, isOwnHost }: OwnNames): string {
  const [path = ''] = (request.url ?? '').split(/[?#]/, 1);
  if (!path.startsWith('/')) return '';
  if (publicUrl !== undefined) return `${publicUrl}${path}`;
  const authority = authorityOf(request.rawHeaders);
  const [, host] = AUTHORITY.exec(authority ?? '') ?? [];
  if (host === undefined || !isOwnHost(host)) return '';
  return `${peerOf(request).isSecure ? 'https' : 'http'}://${authority}${path}`;
}

/** What the client calls us; undefined where it says it twice and not alike. */
function authorityOf(rawHeaders: readonly string[]): string | undefined {
  let said: string | undefined;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]?.toLowerCase();
    if (name !== 'host' && name !== ':authority') continue;
    const value = rawHeaders[i + 1];
    if (said !== undefined && said !== value) return undefined;
    said = value;
  }
  return said;
}
