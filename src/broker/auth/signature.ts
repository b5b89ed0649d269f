import type { Algorithm } from './algorithms.ts';

/** What WebCrypto is told for each algorithm. A salt of RSA-PSS is as long as the digest (RFC 7518 section 3.5). */
const parameters: {
  readonly [A in Algorithm]: { readonly name: string; readonly hash?: string; readonly saltLength?: number };
} = {
  RS256: { name: 'RSASSA-PKCS1-v1_5' },
  RS384: { name: 'RSASSA-PKCS1-v1_5' },
  RS512: { name: 'RSASSA-PKCS1-v1_5' },
  PS256: { name: 'RSA-PSS', saltLength: 32 },
  PS384: { name: 'RSA-PSS', saltLength: 48 },
  PS512: { name: 'RSA-PSS', saltLength: 64 },
  ES256: { name: 'ECDSA', hash: 'SHA-256' },
  ES384: { name: 'ECDSA', hash: 'SHA-384' },
  ES512: { name: 'ECDSA', hash: 'SHA-512' },
  EdDSA: { name: 'Ed25519' },
  Ed25519: { name: 'Ed25519' },
};

/**
 * Is this the signature of a JWS in compact serialization? Anything that keeps that from being said means no. A wrong
 * signature takes the way of a right one: an error thrown for it would tell the two apart by their time.
 *
 * @param key imported for that very algorithm
 */
export async function signatureFits(jws: string, algorithm: Algorithm, key: CryptoKey): Promise<boolean> {
  const dot = jws.lastIndexOf('.');
  try {
    const signature = Buffer.from(jws.slice(dot + 1), 'base64url');
    return await crypto.subtle.verify(parameters[algorithm], key, signature, Buffer.from(jws.slice(0, dot), 'latin1'));
  } catch {
    return false;
  }
}
