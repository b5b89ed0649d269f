import {
  createHash,
  createPrivateKey,
  generateKeyPairSync,
  type KeyObject,
  randomUUID,
  sign,
  type webcrypto,
} from 'node:crypto';
import { ParameterError } from './errors.ts';

/** A private key for proofs, as a JWK: EC P-256 (ES256) or Ed25519 (EdDSA). */
export interface DpopKey {
  readonly kty: string;
  readonly crv: string;
  readonly x: string;
  readonly y?: string;
  readonly d: string;
}

/** Proofs of possession (RFC 9449): the token is bound to this key, and worth nothing without it. */
export interface DpopOptions {
  readonly key: DpopKey;
}

/** What one proof is for. */
export interface ProofTarget {
  readonly method: string;
  readonly url: URL;
  /** Digest of the command, where it is one. */
  readonly command?: string | undefined;
}

/** Makes a key. Keep it where only its owner can read it. */
export function makeDpopKey(): DpopKey {
  const jwk = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' });
  const { kty = '', crv = '', x = '', y = '', d = '' } = jwk;
  return { kty, crv, x, y, d };
}

/** RFC 7638 thumbprint (SHA-256, base64url): `cnf.jkt` of tokens that are bound to the key. */
export function dpopThumbprint(key: DpopKey): string {
  const { kty, crv, x, y } = key;
  return digest(JSON.stringify(y === undefined ? { crv, kty, x } : { crv, kty, x, y }));
}

/** Makes proofs with one key, and remembers the nonces that brokers gave. */
export class Prover {
  readonly #key: KeyObject;
  readonly #algorithm: 'ES256' | 'EdDSA';
  readonly #publicJwk: webcrypto.JsonWebKey;
  readonly #nonces = new Map<string, string>();

  /** @throws ParameterError for a key of another kind */
  constructor(key: DpopKey) {
    const { kty, crv, x, y, d } = key;
    const isEc = kty === 'EC' && crv === 'P-256';
    if (!isEc && !(kty === 'OKP' && crv === 'Ed25519')) {
      throw new ParameterError('dpop.key', 'must be a private JWK of EC P-256 or Ed25519');
    }
    this.#algorithm = isEc ? 'ES256' : 'EdDSA';
    this.#publicJwk = isEc && y !== undefined ? { kty, crv, x, y } : { kty, crv, x };
    try {
      this.#key = createPrivateKey({ key: { ...this.#publicJwk, d }, format: 'jwk' });
    } catch {
      throw new ParameterError('dpop.key', 'is no valid private key');
    }
  }

  /** The nonce for proofs from now on. */
  takeNonce(origin: string, nonce: string): void {
    this.#nonces.set(origin, nonce);
  }

  /** A proof for one request with the token. */
  prove(token: string, { method, url, command }: ProofTarget): string {
    const header = { typ: 'dpop+jwt', alg: this.#algorithm, jwk: this.#publicJwk };
    const nonce = this.#nonces.get(url.origin);
    const claims = {
      jti: randomUUID(),
      htm: method,
      htu: `${url.origin}${url.pathname}`,
      iat: Math.floor(Date.now() / 1000),
      ath: digest(token),
      ...(nonce === undefined ? {} : { nonce }),
      ...(command === undefined ? {} : { cci: command }),
    };
    const input = `${part(header)}.${part(claims)}`;
    const bytes = Buffer.from(input);
    const signature =
      this.#algorithm === 'EdDSA'
        ? sign(null, bytes, this.#key)
        : sign('sha256', bytes, { key: this.#key, dsaEncoding: 'ieee-p1363' });
    return `${input}.${signature.toString('base64url')}`;
  }
}

const provers = new WeakMap<DpopOptions, Prover>();

/** One for each set of options: nonces are kept from request to request. */
export function proverOf(options: DpopOptions): Prover {
  const there = provers.get(options) ?? new Prover(options.key);
  provers.set(options, there);
  return there;
}

/** Routes whose proofs say what is wanted, by what follows `v1/` or the switch. */
const PROVED: ReadonlySet<string> = new Set([
  'commands',
  'decisions',
  'posture/lockdown',
  'taint/acknowledge',
  'topology/accept',
  'policy/reload',
  'revocations',
]);

/**
 * `cci` of the proof for a request that changes something, else undefined: SHA-256 (base64url) over the canonical JSON
 * (RFC 8785) of `["switch-cci-command/1", OPERATION, SWITCH or null, BODY]`.
 *
 * @param path without the slash in front: `v1/switches/sw0/commands`
 */
export function commandDigest(method: string, path: string, body: unknown): string | undefined {
  const [, name, operation = ''] = /^v1\/(?:switches\/([^/]+)\/)?(.+)$/.exec(path) ?? [];
  if (method !== 'POST' || !PROVED.has(operation)) return undefined;
  const switchName = name === undefined ? null : decodeURIComponent(name);
  return digest(canonicalJson(['switch-cci-command/1', operation, switchName, normalised(body ?? {})]));
}

/** Opcodes as numbers, bytes in lower case: what the broker makes of them. */
function normalised(body: unknown): unknown {
  if (typeof body !== 'object' || body === null || !('raw' in body)) return body;
  const { raw } = body;
  if (typeof raw !== 'object' || raw === null || !('opcode' in raw)) return body;
  const payload = 'payload' in raw ? String(raw.payload).toLowerCase() : '';
  return { ...body, raw: { opcode: Number(raw.opcode), payload } };
}

function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const names = Object.keys(value).sort();
  const members = names.flatMap((name) => {
    const member: unknown = (value as { readonly [name: string]: unknown })[name];
    return member === undefined ? [] : [`${JSON.stringify(name)}:${canonicalJson(member)}`];
  });
  return `{${members.join(',')}}`;
}

function part(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64url');
}
