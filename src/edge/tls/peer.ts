import { createHash } from 'node:crypto';
import type { TLSSocket } from 'node:tls';

/**
 * `none`: clients are not asked for a certificate. `request`: one that is shown counts. `require`: no connection without.
 */
export type ClientCertificates = 'none' | 'request' | 'require';

/** Why a connection is closed right behind its handshake. */
export type PeerRefusal = 'no-certificate' | 'untrusted-certificate' | 'expired-certificate';

/** Why there was no handshake, for counters. */
export type HandshakeRefusal = PeerRefusal | 'handshake-timeout' | 'handshake';

/** @param code of the error of `tlsClientError` */
export function handshakeRefusal(code: string | undefined, socket: TLSSocket): HandshakeRefusal {
  if (code === 'ERR_TLS_HANDSHAKE_TIMEOUT') return 'handshake-timeout';
  if (code === 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE') return 'no-certificate';
  // Set by Node where it closes a connection for what the certificate is.
  return socket.authorizationError ? 'untrusted-certificate' : 'handshake';
}

export type PeerVerdict =
  | { readonly ok: true; readonly certificate?: string }
  | { readonly ok: false; readonly reason: PeerRefusal };

/**
 * The client's certificate, as its SHA-256 thumbprint (base64url, `x5t#S256` of RFC 8705). The handshake has proved that
 * the client holds the key, whoever signed it (RFC 8446 section 4.4.3). With authorities configured it has to be signed by
 * one of them; without, anybody's own will do (RFC 8705 section 2.2): it then says nothing but that it is the same client
 * as the one that a token is bound to. Out of its dates it counts nowhere.
 */
export function clientCertificate(
  socket: TLSSocket,
  how: { readonly clientCertificates: ClientCertificates; readonly hasClientCa: boolean },
  nowMs = Date.now(),
): PeerVerdict {
  if (how.clientCertificates === 'none') return { ok: true };
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) {
    return how.clientCertificates === 'require' ? { ok: false, reason: 'no-certificate' } : { ok: true };
  }
  const isCurrent = certificate.validFromDate.getTime() <= nowMs && nowMs <= certificate.validToDate.getTime();
  if (!isCurrent) return { ok: false, reason: 'expired-certificate' };
  if (how.hasClientCa && !socket.authorized) return { ok: false, reason: 'untrusted-certificate' };
  return { ok: true, certificate: createHash('sha256').update(certificate.raw).digest('base64url') };
}

/** Is it an address of this very machine? */
export function isLoopbackAddress(address: string | undefined): boolean {
  if (address === undefined) return false;
  const plain = address.startsWith('::ffff:') ? address.slice('::ffff:'.length) : address;
  return plain === '::1' || plain.startsWith('127.');
}
