import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';

/**
 * X.509 certificates for tests, written here so that no tool has to be on the machine: P-256 keys, ECDSA with SHA-256,
 * and only the extensions that a TLS client or server looks at (RFC 5280).
 */
export interface TestCertificate {
  /** PEM. */
  readonly certificate: string;
  /** PEM, PKCS #8. */
  readonly key: string;
  /** `x5t#S256` of RFC 8705. */
  readonly thumbprint: string;
  /** Issues a certificate under this one. */
  issue(wish?: CertificateWish): TestCertificate;
}

export interface CertificateWish {
  readonly name?: string;
  /** Names and addresses that it is for; `localhost` and 127.0.0.1 if not given. */
  readonly hosts?: readonly string[];
  readonly notBefore?: Date;
  readonly notAfter?: Date;
  readonly ca?: boolean;
}

/** A certificate signed by its own key. */
export function selfSigned(wish: CertificateWish = {}): TestCertificate {
  return make(wish, undefined);
}

export function authority(name = 'test authority'): TestCertificate {
  return make({ name, ca: true }, undefined);
}

interface Signer {
  readonly name: string;
  readonly key: KeyObject;
}

function make(wish: CertificateWish, signer: Signer | undefined): TestCertificate {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const name = wish.name ?? 'test';
  const { ca = false, hosts = ['localhost', '127.0.0.1'] } = wish;
  const notBefore = wish.notBefore ?? new Date(Date.now() - 3_600_000);
  const notAfter = wish.notAfter ?? new Date(Date.now() + 365 * 86_400_000);
  const algorithm = sequence(oid('1.2.840.10045.4.3.2'));
  const extensions = [
    extension('2.5.29.19', sequence(...(ca ? [der(0x01, Buffer.of(0xff))] : []))),
    // keyCertSign, or digitalSignature
    extension('2.5.29.15', der(0x03, ca ? Buffer.of(2, 0x04) : Buffer.of(7, 0x80))),
    ...(ca
      ? []
      : [
          extension('2.5.29.37', sequence(oid('1.3.6.1.5.5.7.3.1'), oid('1.3.6.1.5.5.7.3.2'))),
          extension('2.5.29.17', sequence(...hosts.map(generalName))),
        ]),
  ];
  const body = sequence(
    der(0xa0, integer(Buffer.of(2))),
    integer(Buffer.concat([Buffer.of(1), randomBytes(8)])),
    algorithm,
    distinguished(signer?.name ?? name),
    sequence(time(notBefore), time(notAfter)),
    distinguished(name),
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(...extensions)),
  );
  const signature = sign('sha256', body, signer?.key ?? privateKey);
  const raw = sequence(body, algorithm, der(0x03, Buffer.concat([Buffer.of(0), signature])));
  return {
    certificate: pem(raw),
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    thumbprint: createHash('sha256').update(raw).digest('base64url'),
    issue: (next = {}) => make(next, { name, key: privateKey }),
  };
}

function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.of(tag, ...size), content]);
}

const sequence = (...parts: readonly Uint8Array[]): Buffer => der(0x30, ...parts);
const integer = (bytes: Uint8Array): Buffer => der(0x02, bytes);

function oid(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number);
  const bytes = [first * 40 + second];
  for (const part of rest) {
    const groups = [part & 0x7f];
    for (let left = part >>> 7; left > 0; left >>>= 7) groups.unshift((left & 0x7f) | 0x80);
    bytes.push(...groups);
  }
  return der(0x06, Buffer.from(bytes));
}

const distinguished = (name: string): Buffer =>
  sequence(der(0x31, sequence(oid('2.5.4.3'), der(0x0c, Buffer.from(name)))));

/** GeneralizedTime for all: every verifier reads it. */
const time = (date: Date): Buffer =>
  der(0x18, Buffer.from(`${date.toISOString().slice(0, 19).replaceAll(/[-:T]/g, '')}Z`));

const extension = (id: string, value: Uint8Array): Buffer => sequence(oid(id), der(0x04, value));

function generalName(host: string): Buffer {
  const address = /^\d+\.\d+\.\d+\.\d+$/.test(host);
  return address ? der(0x87, Buffer.from(host.split('.').map(Number))) : der(0x82, Buffer.from(host));
}

function pem(raw: Uint8Array): string {
  const lines =
    Buffer.from(raw)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}
