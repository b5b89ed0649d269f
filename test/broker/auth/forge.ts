import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type Authenticator,
  type AuthenticatorOptions,
  createAuthenticator,
  type IssuerConfig,
} from '../../../src/broker/auth/index.ts';

/** Tokens made by hand, so that a test can write what no library would. */

export const NOW_MS = 1_800_000_000_000;
export const NOW = NOW_MS / 1000;

export type JwkObject = Record<string, unknown>;

export interface TestKey {
  readonly alg: string;
  readonly kid: string;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  readonly jwk: JwkObject;
}

const hashes: Record<string, string> = { '256': 'sha256', '384': 'sha384', '512': 'sha512' };
const curves: Record<string, string> = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' };

function pairFor(alg: string): { privateKey: KeyObject; publicKey: KeyObject } {
  const curve = curves[alg];
  if (curve !== undefined) return generateKeyPairSync('ec', { namedCurve: curve });
  if (alg.startsWith('Ed')) return generateKeyPairSync('ed25519');
  return generateKeyPairSync('rsa', { modulusLength: 2048 });
}

export function makeKey(alg: string, kid: string): TestKey {
  const { privateKey, publicKey } = pairFor(alg);
  return { alg, kid, privateKey, publicKey, jwk: { ...publicKey.export({ format: 'jwk' }), kid } };
}

export function rawSign(key: TestKey, data: string, alg = key.alg): Buffer {
  const input = Buffer.from(data);
  if (alg.startsWith('Ed')) return sign(null, input, key.privateKey);
  const digest = hashes[alg.slice(2)] ?? 'sha256';
  if (alg.startsWith('ES')) return sign(digest, input, { key: key.privateKey, dsaEncoding: 'ieee-p1363' });
  if (alg.startsWith('PS')) return sign(digest, input, { key: key.privateKey, padding: 6, saltLength: -1 });
  return sign(digest, input, key.privateKey);
}

export const encode = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

/** Signs header and payload as they are; strings are taken for JSON text. */
export function forge(key: TestKey, header: unknown, payload: unknown): string {
  const input = `${encode(header)}.${encode(payload)}`;
  return `${input}.${rawSign(key, input).toString('base64url')}`;
}

export const ISSUER = 'https://idp.example';
export const AUDIENCE = 'cci-broker';

export function claims(changes: Record<string, unknown> = {}): Record<string, unknown> {
  const all = { iss: ISSUER, aud: AUDIENCE, sub: 'alice', tenant: 'acme', iat: NOW - 10, exp: NOW + 600, ...changes };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

export function token(
  key: TestKey,
  changes: Record<string, unknown> = {},
  header: Record<string, unknown> = {},
): string {
  return forge(key, { alg: key.alg, kid: key.kid, typ: 'JWT', ...header }, claims(changes));
}

export class TestClock {
  nowMs = NOW_MS;
  now(): number {
    return this.nowMs;
  }
}

export function temporaryDirectory(): string {
  return mkdtempSync(join(tmpdir(), 'cci-auth-'));
}

export function jwksFile(keys: readonly JwkObject[]): string {
  const path = join(temporaryDirectory(), 'jwks.json');
  writeFileSync(path, JSON.stringify({ keys }));
  return path;
}

export function issuerOf(keys: readonly TestKey[], changes: Partial<IssuerConfig> = {}): IssuerConfig {
  return {
    issuer: ISSUER,
    audience: AUDIENCE,
    algorithms: [...new Set(keys.map(({ alg }) => alg))] as IssuerConfig['algorithms'] & object,
    jwks_file: jwksFile(keys.map(({ jwk }) => jwk)),
    ...changes,
  };
}

export interface TestBench {
  readonly authenticator: Authenticator;
  readonly clock: TestClock;
}

export async function bench(
  config: readonly IssuerConfig[],
  options: Partial<AuthenticatorOptions> = {},
): Promise<TestBench> {
  const clock = new TestClock();
  const knownTenants = new Set(['acme', 'globex', 'fabric']);
  return { clock, authenticator: await createAuthenticator(config, { clock, knownTenants, ...options }) };
}

/** Makes DPoP proofs by hand. */
export function proof(
  key: TestKey,
  changes: Record<string, unknown> = {},
  header: Record<string, unknown> = {},
): string {
  const { kid: _kid, ...jwk } = key.jwk;
  const all = { jti: `p-${proofs++}`, htm: 'GET', htu: PROOF_URL, iat: NOW, ...changes };
  const kept = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
  return forge(key, { typ: 'dpop+jwt', alg: key.alg, jwk, ...header }, kept);
}
let proofs = 0;

export const PROOF_URL = 'https://broker.example/v1/whoami';

export const digestOf = (text: string): string => createHash('sha256').update(text).digest('base64url');

/** RFC 7638, worked out here by itself. */
export function thumbprint(key: TestKey): string {
  const { kty, crv, x, y, n, e } = key.jwk;
  const members = { crv, e, kty, n, x, y };
  return digestOf(
    JSON.stringify(Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined))),
  );
}
