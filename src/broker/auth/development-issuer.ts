import { generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { link, mkdir, open, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { JWK } from 'jose';
import { calculateJwkThumbprint } from 'jose/jwk/thumbprint';
import { SignJWT } from 'jose/jwt/sign';
import { importJWK } from 'jose/key/import';
import { isTenantName, tokenScopes } from '../../policy/index.ts';
import { MAX_TOKEN_BYTES } from './compact-token.ts';
import { isDigest } from './confirmation.ts';
import { DEVELOPMENT_AUDIENCE, DEVELOPMENT_ISSUER } from './issuer-config.ts';
import { errorCode } from './key-source.ts';
import { asShownName } from './shown-name.ts';
import { isObject, member, parseObject } from './strict-json.ts';

/** Life of a development token unless another is asked for. */
export const DEVELOPMENT_TTL_MS = 3_600_000;
/** Longest life of a development token. */
export const MAX_DEVELOPMENT_TTL_MS = 86_400_000;

const KEY_FILE = 'development-issuer.jwk';
const MAX_KEY_FILE_BYTES = 4096;

/** The development issuer can not be used; the message says what to do. */
export class DevelopmentIssuerError extends Error {
  readonly code = 'EDEVISSUER';

  constructor(message: string) {
    super(message);
    this.name = 'DevelopmentIssuerError';
  }
}

/** The local issuer as the broker needs it: no private key in it. */
export interface DevelopmentIssuer {
  readonly issuer: string;
  readonly audience: string;
  readonly jwks: { readonly keys: readonly JWK[] };
  /** The file that holds the private key. */
  readonly keyFile: string;
}

/**
 * Opens the development issuer of a directory, making the directory (mode 0700) and an Ed25519 key (mode 0600) where
 * there are none. Whoever can read that file can speak for every tenant the issuer is configured for.
 *
 * @throws DevelopmentIssuerError when the key can be read, or the directory written, by others than their owner; when
 *   the file is a link or damaged; or when it can not be read.
 */
export async function openDevelopmentIssuer({ directory }: { readonly directory: string }): Promise<DevelopmentIssuer> {
  const { publicJwk, keyFile } = await openKey(directory);
  return { issuer: DEVELOPMENT_ISSUER, audience: DEVELOPMENT_AUDIENCE, jwks: { keys: [publicJwk] }, keyFile };
}

export interface DevelopmentTokenRequest {
  readonly directory: string;
  readonly tenant: string;
  readonly subject: string;
  readonly groups?: readonly string[];
  /** Undefined: no `scope` claim, which the broker takes as `cci:read`. */
  readonly scopes?: readonly string[];
  /** Default one hour, at most 24 hours. */
  readonly ttlMs?: number;
  readonly audience?: string;
  /** Binds the token to a key (RFC 7638 thumbprint) or a certificate (SHA-256 of its DER), both base64url. */
  readonly boundTo?: { readonly key?: string; readonly certificate?: string };
  /** Milliseconds since 1970. */
  readonly nowMs?: number;
}

export interface DevelopmentToken {
  readonly token: string;
  readonly tokenId: string;
  /** Milliseconds since 1970. */
  readonly expiresAtMs: number;
}

/**
 * Signs a token with the key of the directory, which is made where there is none. Nothing is asked of the broker.
 *
 * @throws DevelopmentIssuerError as `openDevelopmentIssuer`, and for a request that no broker would accept.
 * @example
 * const { token } = await issueDevelopmentToken({ directory: 'var/issuer', tenant: 'acme', subject: 'alice' });
 */
export async function issueDevelopmentToken(request: DevelopmentTokenRequest): Promise<DevelopmentToken> {
  const { tenant, subject, groups = [], scopes, ttlMs = DEVELOPMENT_TTL_MS, nowMs = Date.now() } = request;
  if (!isTenantName(tenant)) throw new DevelopmentIssuerError(`\`${tenant}\` is not a tenant's name`);
  for (const name of [subject, ...groups]) {
    const shown = asShownName(name);
    if (!shown.ok) throw new DevelopmentIssuerError(`a subject or group ${shown.error}`);
  }
  const unknown = scopes?.find((scope) => !tokenScopes.some((known) => known === scope));
  if (unknown !== undefined) {
    throw new DevelopmentIssuerError(`there is no scope \`${unknown}\`, only ${tokenScopes.join(', ')}`);
  }
  if (!(ttlMs >= 1000 && ttlMs <= MAX_DEVELOPMENT_TTL_MS)) {
    throw new DevelopmentIssuerError('a development token lives for 1 second to 24 hours');
  }
  const { key, certificate } = request.boundTo ?? {};
  for (const digest of [key, certificate]) {
    if (digest !== undefined && !isDigest(digest)) {
      throw new DevelopmentIssuerError('a token is bound to a SHA-256 digest in base64url');
    }
  }
  const cnf = {
    ...(key === undefined ? {} : { jkt: key }),
    ...(certificate === undefined ? {} : { 'x5t#S256': certificate }),
  };
  const { signingKey, publicJwk } = await openKey(request.directory);
  const issuedAt = Math.floor(nowMs / 1000);
  const expiresAt = issuedAt + Math.floor(ttlMs / 1000);
  const tokenId = randomUUID();
  const token = await new SignJWT({
    tenant,
    ...(groups.length === 0 ? {} : { groups: [...groups] }),
    ...(scopes === undefined ? {} : { scope: scopes.join(' ') }),
    ...(Object.keys(cnf).length === 0 ? {} : { cnf }),
  })
    .setProtectedHeader({ alg: 'EdDSA', typ: 'JWT', kid: publicJwk.kid })
    .setIssuer(DEVELOPMENT_ISSUER)
    .setAudience(request.audience ?? DEVELOPMENT_AUDIENCE)
    .setSubject(subject)
    .setJti(tokenId)
    .setIssuedAt(issuedAt)
    .setExpirationTime(expiresAt)
    .sign(signingKey);
  if (token.length > MAX_TOKEN_BYTES) {
    throw new DevelopmentIssuerError(`the token would be longer than ${MAX_TOKEN_BYTES} bytes; name fewer groups`);
  }
  return { token, tokenId, expiresAtMs: expiresAt * 1000 };
}

interface OpenKey {
  readonly keyFile: string;
  readonly signingKey: CryptoKey;
  readonly publicJwk: JWK & { readonly kid: string };
}

async function openKey(directory: string): Promise<OpenKey> {
  const keyFile = join(directory, KEY_FILE);
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const { mode, uid } = await stat(directory);
    requireOwn(uid, directory);
    if ((mode & 0o022) !== 0) {
      throw new DevelopmentIssuerError(`\`${directory}\` can be written by others; run: chmod 700 ${directory}`);
    }
    const bytes = (await readPrivateFile(keyFile)) ?? (await createKey(directory, keyFile));
    return await importPrivate(bytes, keyFile);
  } catch (error) {
    if (error instanceof DevelopmentIssuerError) throw error;
    throw new DevelopmentIssuerError(`cannot use the development key \`${keyFile}\`: ${errorCode(error)}`);
  }
}

/** The bytes of a file that only its owner can read, or undefined when there is none. */
async function readPrivateFile(path: string): Promise<Uint8Array | undefined> {
  let file: Awaited<ReturnType<typeof open>>;
  try {
    // No links, and no waiting for a writer if somebody has put a pipe there.
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    if (errorCode(error) === 'ELOOP') throw new DevelopmentIssuerError(`\`${path}\` is a link; the key must be a file`);
    throw error;
  }
  try {
    // The open file is looked at, not its name: the name may mean another file by now.
    const facts = await file.stat();
    if (!facts.isFile()) throw new DevelopmentIssuerError(`\`${path}\` is not a file`);
    requireOwn(facts.uid, path);
    if ((facts.mode & 0o077) !== 0) {
      throw new DevelopmentIssuerError(
        `\`${path}\` can be read by others: take it as stolen, remove it, and a new key is made on the next start`,
      );
    }
    if (facts.size > MAX_KEY_FILE_BYTES) throw new DevelopmentIssuerError(`\`${path}\` is not a key`);
    return await file.readFile();
  } finally {
    await file.close();
  }
}

/** A key that another user put there is his to sign with. */
function requireOwn(uid: number, path: string): void {
  const own = process.geteuid?.();
  if (own !== undefined && uid !== own) {
    throw new DevelopmentIssuerError(`\`${path}\` belongs to user ${uid}, not to the user ${own} who runs this`);
  }
}

/** Makes a key. Of several processes that start at once, the first wins and the others take its key. */
async function createKey(directory: string, keyFile: string): Promise<Uint8Array> {
  const { privateKey } = generateKeyPairSync('ed25519');
  const draft = join(directory, `.${KEY_FILE}.${randomBytes(8).toString('hex')}`);
  const file = await open(draft, 'wx', 0o600);
  try {
    await file.writeFile(`${JSON.stringify(privateKey.export({ format: 'jwk' }))}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  try {
    // A link, unlike a rename, never replaces a key that is there, and the name never shows half a file.
    await link(draft, keyFile);
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error;
  } finally {
    await unlink(draft);
  }
  const bytes = await readPrivateFile(keyFile);
  if (bytes === undefined) throw new DevelopmentIssuerError(`\`${keyFile}\` was removed while it was made`);
  return bytes;
}

async function importPrivate(bytes: Uint8Array, keyFile: string): Promise<OpenKey> {
  const damaged = `\`${keyFile}\` is damaged; remove it, and a new key is made on the next start`;
  const parsed = parseObject(bytes);
  if (!parsed.ok || !isObject(parsed.value)) throw new DevelopmentIssuerError(damaged);
  const { kty, crv, x, d } = {
    kty: member(parsed.value, 'kty'),
    crv: member(parsed.value, 'crv'),
    x: member(parsed.value, 'x'),
    d: member(parsed.value, 'd'),
  };
  if (kty !== 'OKP' || crv !== 'Ed25519' || typeof x !== 'string' || typeof d !== 'string') {
    throw new DevelopmentIssuerError(damaged);
  }
  const publicPart: JWK = { kty, crv, x };
  try {
    const signingKey = await importJWK({ ...publicPart, d }, 'EdDSA');
    if (!(signingKey instanceof CryptoKey)) throw new DevelopmentIssuerError(damaged);
    const kid = await calculateJwkThumbprint(publicPart, 'sha256');
    return { keyFile, signingKey, publicJwk: { ...publicPart, alg: 'EdDSA', use: 'sig', kid } };
  } catch {
    throw new DevelopmentIssuerError(damaged);
  }
}
