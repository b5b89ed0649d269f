import { createPrivateKey, createPublicKey, generateKeyPairSync, hash, type KeyObject } from 'node:crypto';
import { RecordingError } from './contract.ts';

/** A pair for recordings, PEM. What the public key encrypts only the private one opens: it belongs on another machine. */
export interface RecordingKeyPair {
  /** SPKI. */
  readonly publicKey: string;
  /** PKCS #8, not encrypted. */
  readonly privateKey: string;
  /** First 128 bits of the SHA-256 of the public key (SPKI, DER), hex. */
  readonly keyId: string;
}

/** A new pair, X25519. */
export function newRecordingKey(): RecordingKeyPair {
  const { publicKey, privateKey } = generateKeyPairSync('x25519');
  return {
    publicKey: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    keyId: keyIdOf(publicKey),
  };
}

/**
 * The key that recordings are encrypted to: X25519, or EC on P-256, P-384 or P-521.
 * @throws RecordingError also for a private key: that one must not lie on the broker's machine
 */
export function recordingPublicKey(pem: string): KeyObject {
  if (/PRIVATE KEY/.test(pem)) throw new RecordingError('the key of recordings is a private one: give the public one');
  return checked(pem, createPublicKey);
}

/** The key that opens recordings. @throws RecordingError */
export function recordingPrivateKey(pem: string): KeyObject {
  if (!/PRIVATE KEY/.test(pem)) throw new RecordingError('this is not a private key');
  return checked(pem, createPrivateKey);
}

export function keyIdOf(key: KeyObject): string {
  const open = key.type === 'private' ? createPublicKey(key) : key;
  return hash('sha256', open.export({ type: 'spki', format: 'der' })).slice(0, 32);
}

const CURVES: readonly (string | undefined)[] = ['prime256v1', 'secp384r1', 'secp521r1'];

function checked(pem: string, read: (pem: string) => KeyObject): KeyObject {
  let key: KeyObject;
  try {
    key = read(pem);
  } catch (error) {
    throw new RecordingError('the key of recordings is not PEM that can be read', { cause: error });
  }
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  if (type === 'x25519' || (type === 'ec' && CURVES.includes(details?.namedCurve))) return key;
  throw new RecordingError(
    `the key of recordings is ${type ?? 'no key pair'}: it must be X25519, or EC on a NIST curve`,
  );
}
