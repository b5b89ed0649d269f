import { hash } from 'node:crypto';
import { err, ok, type Result } from '../../cci/index.ts';
import { type Algorithm, algorithmRow } from './algorithms.ts';
import { splitCompact } from './compact-token.ts';
import { isDigest } from './confirmation.ts';
import { readProofKey, thumbprintOf } from './key-set.ts';
import { quoted } from './refusal.ts';
import { signatureFits } from './signature.ts';
import { isObject, type JsonObject, member } from './strict-json.ts';
import { GenerationMap } from './verified-cache.ts';

/** Longest proof that is looked at, in characters. */
export const MAX_PROOF_LENGTH = 4096;
const MAX_ID_LENGTH = 256;

/** A DPoP proof (RFC 9449 section 4.2) whose form is right. Nothing in it is verified but the thumbprint. */
export interface Proof {
  readonly jwt: string;
  readonly algorithm: Algorithm;
  readonly jwk: JsonObject;
  /** Of `jwk`. */
  readonly thumbprint: string;
  readonly id: string;
  readonly method: string;
  readonly url: string;
  /** Milliseconds since 1970. */
  readonly issuedAtMs: number;
  /** SHA-256 of the token that it is shown with. */
  readonly tokenDigest: string;
  readonly nonce: string | undefined;
  /** Digest of the command that it was made for. */
  readonly command: string | undefined;
}

/** Header members that a proof has; whatever else there is would have to mean something. */
const headerMembers: ReadonlySet<string> = new Set(['typ', 'alg', 'jwk', 'kid']);

/** Takes a proof apart. The error is a sentence for the journal. */
export function parseProof(jwt: string, accepted: readonly Algorithm[]): Result<Proof, string> {
  if (jwt.length > MAX_PROOF_LENGTH) return err(`a proof of ${jwt.length} characters`);
  const parts = splitCompact(jwt);
  if (!parts.ok) return err(parts.error);
  const { header, claims } = parts.value;
  if (member(header, 'typ') !== 'dpop+jwt') return err(`type ${quoted(member(header, 'typ'))}`);
  const odd = Object.keys(header).find((name) => !headerMembers.has(name));
  if (odd !== undefined) return err(`header member ${quoted(odd)}`);
  const row = algorithmRow(member(header, 'alg'));
  if (row === undefined || !accepted.includes(row.name)) return err(`algorithm ${quoted(member(header, 'alg'))}`);
  const jwk = member(header, 'jwk');
  if (!isObject(jwk)) return err('no key in the header');
  const thumbprint = thumbprintOf(jwk);
  if (thumbprint === undefined) return err('a key of an unknown kind');
  const read = readProofClaims(claims);
  return read.ok ? ok({ jwt, algorithm: row.name, jwk, thumbprint, ...read.value }) : read;
}

function readProofClaims(claims: JsonObject): Result<Omit<Proof, 'jwt' | 'algorithm' | 'jwk' | 'thumbprint'>, string> {
  const [id, method, url] = [member(claims, 'jti'), member(claims, 'htm'), member(claims, 'htu')];
  if (typeof id !== 'string' || id === '' || id.length > MAX_ID_LENGTH) return err('no usable `jti`');
  if (typeof method !== 'string' || typeof url !== 'string') return err('no `htm` or `htu`');
  const issuedAt = member(claims, 'iat');
  if (typeof issuedAt !== 'number' || !(issuedAt >= 0 && issuedAt <= 8_640_000_000_000)) return err('no usable `iat`');
  const tokenDigest = member(claims, 'ath');
  if (!isDigest(tokenDigest)) return err('no usable `ath`');
  const nonce = member(claims, 'nonce');
  if (nonce !== undefined && typeof nonce !== 'string') return err('`nonce` is not a string');
  const command = member(claims, 'cci');
  if (command !== undefined && !isDigest(command)) return err('`cci` is not a digest');
  const issuedAtMs = Math.floor(issuedAt * 1000);
  return ok({ id, method, url, issuedAtMs, tokenDigest, nonce, command });
}

/** Verifies signatures of proofs. Keys are imported once for as long as they are in use. */
export class ProofVerifier {
  readonly #keys = new GenerationMap<CryptoKey>(1024);

  /** The error is a sentence for the journal. */
  async verify(proof: Proof): Promise<Result<void, string>> {
    const { algorithm, jwk, thumbprint } = proof;
    // Of the whole key as it was sent: one with a private part in it must not pass because a public one was seen before.
    const name = hash('sha256', `${algorithm} ${thumbprint} ${JSON.stringify(jwk)}`, 'base64url');
    let key = this.#keys.get(name);
    if (key === undefined) {
      const read = await readProofKey(jwk, algorithm);
      if (!read.ok) return read;
      key = read.value;
      this.#keys.set(name, key);
    }
    const good = await signatureFits(proof.jwt, algorithm, key);
    return good ? ok(undefined) : err('signature does not fit the key in the proof');
  }
}
