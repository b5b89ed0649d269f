import { constants, createPrivateKey, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { createSecureContext } from 'node:tls';

/** What a listener with TLS presents and believes: PEM texts, so that it can be handed to another process. */
export interface TlsMaterial {
  /** The certificate, then those between it and the root. */
  readonly certificate: string;
  /** Its private key, not encrypted. */
  readonly key: string;
  /** Who signs the certificates of clients; without it only the thumbprint of a client's certificate counts. */
  readonly clientCa?: string;
}

/** Certificate, key or authority cannot be used. The message is one sentence for people. */
export class TlsError extends Error {
  readonly code = 'ETLS';
  constructor(message: string) {
    super(message);
    this.name = 'TlsError';
  }
}

/** What is told about a certificate in force. */
export interface CertificateFacts {
  readonly subject: string;
  /** Milliseconds since 1970. */
  readonly notAfterMs: number;
  /** Colon-separated SHA-256, as tools show it. */
  readonly fingerprint: string;
  /** Is it for this very host name or address? What only a wildcard covers may be another server's. */
  isFor(host: string): boolean;
}

const BLOCK = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

/**
 * Looks whether a server could work with it: all PEM, the key that of the first certificate, the authorities some that
 * may sign. Dates are told, not judged.
 *
 * @throws TlsError with the first thing that is wrong
 */
export function checkMaterial(material: TlsMaterial): CertificateFacts {
  const [certificate] = certificatesOf(material.certificate, 'the certificate');
  const key = keyOf(material.key);
  if (certificate === undefined || !certificate.checkPrivateKey(key)) {
    throw new TlsError('the key is not that of the first certificate in the file');
  }
  if (material.clientCa !== undefined) {
    const isLeaf = certificatesOf(material.clientCa, '`client_ca`').some(({ ca }) => !ca);
    if (isLeaf) throw new TlsError('`client_ca` has a certificate that may not sign others');
  }
  try {
    createSecureContext(secureContext(material));
  } catch (error) {
    throw new TlsError(`certificate and key cannot be used (${error instanceof Error ? error.message : 'refused'})`);
  }
  return {
    subject: certificate.subject?.replaceAll('\n', ', ') ?? '',
    notAfterMs: certificate.validToDate.getTime(),
    fingerprint: certificate.fingerprint256,
    isFor: (host) => isFor(certificate, host),
  };
}

function isFor(certificate: X509Certificate, host: string): boolean {
  try {
    const found =
      isIP(host) === 0
        ? certificate.checkHost(host, { wildcards: false, subject: 'never' })
        : certificate.checkIP(host);
    return found !== undefined;
  } catch {
    // No host name at all.
    return false;
  }
}

/**
 * TLS 1.3 and nothing older. No session tickets: each connection proves the keys of both sides anew, and one that a
 * reload has shut out cannot come back on what it was given before.
 */
export function secureContext({ certificate, key, clientCa }: TlsMaterial) {
  return {
    cert: certificate,
    key,
    // An empty list: without authorities of our own those of the system must not count either.
    ca: clientCa ?? [],
    minVersion: 'TLSv1.3',
    maxVersion: 'TLSv1.3',
    secureOptions: constants.SSL_OP_NO_TICKET,
  } as const;
}

function certificatesOf(text: string, what: string): readonly X509Certificate[] {
  const blocks = text.match(BLOCK) ?? [];
  if (blocks.length === 0) throw new TlsError(`${what} is no certificate in PEM`);
  try {
    return blocks.map((block) => new X509Certificate(block));
  } catch {
    throw new TlsError(`${what} is no certificate in PEM`);
  }
}

function keyOf(text: string) {
  try {
    return createPrivateKey(text);
  } catch {
    throw new TlsError('the key is no private key in PEM without a passphrase');
  }
}
