import { hash } from 'node:crypto';
import type { JWK } from 'jose';
// By parts: all of it takes 60 files to load.
import { importJWK } from 'jose/key/import';
import { err, ok, type Result } from '../../cci/index.ts';
import { type Algorithm, type AlgorithmRow, algorithmRow, sameAlgorithm } from './algorithms.ts';
import { quoted } from './refusal.ts';
import { isObject, type JsonObject, member, parseObject } from './strict-json.ts';

const MAX_KEYS = 64;
/** Shortest RSA modulus, in bytes. */
const MIN_MODULUS_BYTES = 256;
/** Longest RSA modulus of a client, as base64url: what he makes the broker compute with is his choice. */
const MAX_PROOF_MODULUS = 684;
/** And his longest exponent, 8 bytes: one as long as the modulus makes each signature two hundred times the work. */
const MAX_PROOF_EXPONENT = 11;

/** A public key, imported for each algorithm that its issuer may use with it. */
export interface VerificationKey {
  readonly kid: string | undefined;
  /** RFC 7638, SHA-256, base64url. */
  readonly thumbprint: string;
  readonly imported: ReadonlyMap<Algorithm, CryptoKey>;
}

/** What a token may be verified with. */
export interface SelectedKey {
  readonly key: CryptoKey;
  readonly thumbprint: string;
}

/** Members that a thumbprint is made of, in its order (RFC 7638 section 3.2, RFC 8037 section 2). */
const thumbprintMembers: ReadonlyMap<unknown, readonly string[]> = new Map([
  ['RSA', ['e', 'kty', 'n']],
  ['EC', ['crv', 'kty', 'x', 'y']],
  ['OKP', ['crv', 'kty', 'x']],
]);

/** RFC 7638 thumbprint (SHA-256, base64url) of a public key; undefined for other kinds. */
export function thumbprintOf(jwk: JsonObject): string | undefined {
  const parts: Record<string, string> = {};
  for (const name of thumbprintMembers.get(member(jwk, 'kty')) ?? []) {
    const value = member(jwk, name);
    if (typeof value !== 'string') return undefined;
    parts[name] = value;
  }
  return 'kty' in parts ? hash('sha256', JSON.stringify(parts), 'base64url') : undefined;
}

/** The keys of one issuer at one time. Immutable. */
export class KeySet {
  readonly keys: readonly VerificationKey[];

  constructor(keys: readonly VerificationKey[]) {
    this.keys = keys;
  }

  /**
   * The one key for a token. A token without `kid` is verified only where a single key fits its algorithm: trying
   * several would let anybody make the broker work for each of them.
   */
  select(kid: string | undefined, algorithm: Algorithm): SelectedKey | undefined {
    const fitting = this.keys.filter((key) => key.imported.has(algorithm) && (kid === undefined || key.kid === kid));
    const [first] = fitting;
    const key = first?.imported.get(algorithm);
    if (first === undefined || key === undefined || fitting.length > 1) return undefined;
    return { key, thumbprint: first.thumbprint };
  }

  /** Some key for the algorithm. */
  any(algorithm: Algorithm): SelectedKey | undefined {
    for (const { imported, thumbprint } of this.keys) {
      const key = imported.get(algorithm);
      if (key !== undefined) return { key, thumbprint };
    }
    return undefined;
  }

  /** True unless a key of `earlier` is gone or is another one now. */
  keepsAllOf(earlier: KeySet): boolean {
    return earlier.keys.every((old) =>
      this.keys.some((key) => key.thumbprint === old.thumbprint && key.kid === old.kid),
    );
  }
}

/** A JWK set as read: the keys that can be used, and what was wrong with the others. */
export interface ReadKeySet {
  readonly keys: KeySet;
  readonly problems: readonly string[];
}

/**
 * Reads a JWK set (RFC 7517). Keys that are not for signatures, or of kinds that `accepted` has no use for, are passed
 * over. Private, symmetric, weak and repeated keys are left out and told as problems: fatal in a file, which is the
 * operator's own, and worth a log line behind a URL. The error says why nothing could be read at all.
 */
export async function readKeySet(
  bytes: Uint8Array,
  accepted: readonly Algorithm[],
): Promise<Result<ReadKeySet, string>> {
  const parsed = parseObject(bytes);
  if (!parsed.ok) return err(`the JWK set is ${parsed.error}`);
  const list = member(parsed.value, 'keys');
  if (!Array.isArray(list)) return err('the JWK set has no list `keys`');
  if (list.length > MAX_KEYS) return err(`the JWK set has more than ${MAX_KEYS} keys`);
  const keys: VerificationKey[] = [];
  const problems: string[] = [];
  for (const [index, jwk] of list.entries()) {
    const read = await readKey(jwk, accepted);
    if (!read.ok) {
      problems.push(`key ${index}: ${read.error}`);
      continue;
    }
    const key = read.value;
    if (key === undefined) continue;
    const twin = keys.some(
      ({ kid, thumbprint }) => (kid !== undefined && kid === key.kid) || thumbprint === key.thumbprint,
    );
    if (twin) problems.push(`key ${index}: its \`kid\`, or the key itself, is there twice`);
    else keys.push(key);
  }
  return ok({ keys: new KeySet(keys), problems });
}

/** Members of a JWK that only the holder of the private key has (RFC 7518 section 6). */
const privateMembers = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'priv'] as const;

async function readKey(
  jwk: unknown,
  accepted: readonly Algorithm[],
): Promise<Result<VerificationKey | undefined, string>> {
  if (!isObject(jwk)) return err('not a JSON object');
  const kty = member(jwk, 'kty');
  if (kty === 'oct' || Object.hasOwn(jwk, 'k')) return err('a symmetric key; only public keys belong here');
  const secret = privateMembers.find((name) => Object.hasOwn(jwk, name));
  if (secret !== undefined) return err('a private key; take it out of use and publish only its public half');
  const kid = member(jwk, 'kid');
  if (kid !== undefined && (typeof kid !== 'string' || kid === '')) return err('`kid` is not a string');
  if (!meantForVerification(jwk)) return ok(undefined);
  const rows = rowsFor(jwk, accepted);
  if (rows.length === 0) return ok(undefined);
  const weakness = kty === 'RSA' ? rsaWeakness(jwk) : undefined;
  if (weakness !== undefined) return err(weakness);
  return importKey(publicPart(jwk), kid, rows);
}

/** The key in the header of a proof, which its sender chose: public, strong, and of the algorithm's kind. */
export async function readProofKey(jwk: JsonObject, algorithm: Algorithm): Promise<Result<CryptoKey, string>> {
  const modulus = member(jwk, 'n');
  if (typeof modulus === 'string' && modulus.length > MAX_PROOF_MODULUS) return err('an RSA key above 4096 bits');
  const exponent = member(jwk, 'e');
  if (typeof exponent === 'string' && exponent.length > MAX_PROOF_EXPONENT) return err('an RSA exponent above 64 bits');
  const read = await readKey(jwk, [algorithm]);
  if (!read.ok) return read;
  const key = read.value?.imported.get(algorithm);
  return key === undefined ? err('the key does not fit the algorithm, or is not for signatures') : ok(key);
}

function meantForVerification(jwk: JsonObject): boolean {
  const use = member(jwk, 'use');
  const operations = member(jwk, 'key_ops');
  const forSignatures = use === undefined || use === 'sig';
  return forSignatures && (operations === undefined || (Array.isArray(operations) && operations.includes('verify')));
}

/** The accepted algorithms that this key is of the right type and curve for, and not bound away from. */
function rowsFor(jwk: JsonObject, accepted: readonly Algorithm[]): readonly AlgorithmRow[] {
  const alg = member(jwk, 'alg');
  const rows: AlgorithmRow[] = [];
  for (const name of accepted) {
    const row = algorithmRow(name);
    if (row === undefined || row.kty !== member(jwk, 'kty')) continue;
    if (row.crv !== undefined && row.crv !== member(jwk, 'crv')) continue;
    if (alg !== undefined && !(typeof alg === 'string' && sameAlgorithm(alg, name))) continue;
    rows.push(row);
  }
  return rows;
}

function rsaWeakness(jwk: JsonObject): string | undefined {
  const modulus = significantBytes(member(jwk, 'n'));
  const exponent = significantBytes(member(jwk, 'e'));
  if (modulus === undefined || exponent === undefined) return 'an RSA key without `n` and `e`';
  if (modulus.length < MIN_MODULUS_BYTES) return 'an RSA key of fewer than 2048 bits';
  // With an exponent of 1 everybody can sign; an even one is no RSA key at all.
  const last = exponent.at(-1) ?? 0;
  if ((exponent.length === 1 && last < 3) || last % 2 === 0) return 'an RSA key with an unsafe exponent';
  return undefined;
}

function significantBytes(value: unknown): Uint8Array | undefined {
  if (typeof value !== 'string') return undefined;
  const bytes = Buffer.from(value, 'base64url');
  const start = bytes.findIndex((byte) => byte !== 0);
  return start < 0 ? undefined : bytes.subarray(start);
}

/** Only the members that make the key: whatever else the set says about it has been looked at already. */
function publicPart(jwk: JsonObject): JWK {
  const part: Record<string, unknown> = {};
  for (const name of ['kty', 'crv', 'x', 'y', 'n', 'e']) {
    const value = member(jwk, name);
    if (value !== undefined) part[name] = value;
  }
  return part as JWK;
}

async function importKey(
  jwk: JWK,
  kid: string | undefined,
  rows: readonly AlgorithmRow[],
): Promise<Result<VerificationKey, string>> {
  try {
    const imported = new Map<Algorithm, CryptoKey>();
    for (const { name } of rows) {
      const key = await importJWK(jwk, name);
      if (!(key instanceof CryptoKey) || key.type !== 'public') return err('not a public key');
      imported.set(name, key);
    }
    const thumbprint = thumbprintOf(jwk as JsonObject);
    return thumbprint === undefined ? err('not a public key') : ok({ kid, thumbprint, imported });
  } catch {
    return err(`not a valid ${quoted(jwk.kty)} key`);
  }
}
