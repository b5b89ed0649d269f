import { hash } from 'node:crypto';
import { compactVerify } from 'jose';
import { err, ok, type Result } from '../../cci/index.ts';
import type { Principal } from '../../policy/index.ts';
import { type Claimed, readClaims } from './claims.ts';
import { type CompactToken, MAX_TOKEN_BYTES, parseCompactToken } from './compact-token.ts';
import { checkIssuers, type IssuerConfig } from './issuer-config.ts';
import { createIssuers, type Issuer, type IssuerSources } from './issuers.ts';
import type { SelectedKey } from './key-set.ts';
import type { Clock, KeyLookup } from './key-source.ts';
import { type AuthRefusal, quoted, refuse } from './refusal.ts';
import { noRevocations, type Revocations, type TokenEvidence } from './revocations.ts';
import { member } from './strict-json.ts';
import { GenerationMap } from './verified-cache.ts';

export interface AuthenticatorOptions extends IssuerSources {
  /** Milliseconds since 1970. */
  readonly clock: Clock;
  /** The tenants of the fabric file. Asked for every token, known ones too, so a live view may be given. */
  readonly knownTenants: { has(tenant: string): boolean };
  readonly revocations?: Revocations;
  /** Verified tokens held at most. */
  readonly cacheCapacity?: number;
  /** Production refuses the development issuer. */
  readonly production?: boolean;
}

export interface AuthenticatorStats {
  readonly hits: number;
  readonly verified: number;
  readonly refused: number;
  /** Verified tokens held now. */
  readonly cached: number;
}

/** Tells who a bearer token belongs to. */
export interface Authenticator {
  /** Never throws and never rejects: whatever is wrong, with the token or in here, is a refusal. */
  authenticate(token: string): Promise<Result<Principal, AuthRefusal>>;
  /**
   * Reads all keys again and forgets every verified token. An issuer whose keys can not be read keeps its old ones;
   * the error lists those issuers.
   */
  reload(): Promise<Result<void, readonly string[]>>;
  readonly stats: AuthenticatorStats;
}

/** The configuration of the issuers does not let the broker start. */
export class AuthConfigError extends Error {
  readonly code = 'EAUTHCONFIG';
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`the configuration of the issuers is not usable:\n${problems.map((problem) => `  ${problem}`).join('\n')}`);
    this.name = 'AuthConfigError';
    this.problems = problems;
  }
}

/**
 * Prepares the issuers and their keys.
 *
 * @throws AuthConfigError with every problem found: no issuer or audience, an issuer given twice, a private or
 *   symmetric key in a JWK set file, an algorithm that is not asymmetric, a development issuer in production, ...
 */
export async function createAuthenticator(
  config: readonly IssuerConfig[],
  options: AuthenticatorOptions,
): Promise<Authenticator> {
  const rules = checkIssuers(config, { production: options.production ?? false });
  if (!rules.ok) throw new AuthConfigError(rules.error);
  const issuers = await createIssuers(rules.value, options);
  if (!issuers.ok) throw new AuthConfigError(issuers.error);
  return new TokenAuthenticator(issuers.value, options);
}

/** A token that was verified, and what that rests on. */
interface Verified extends Claimed {
  readonly issuer: Issuer;
  readonly evidence: TokenEvidence;
  /** Of the issuer's keys. */
  readonly epoch: number;
  /** Of the revocations that were looked at last. */
  revocationsVersion: number;
  readonly outcome: { readonly ok: true; readonly value: Principal };
}

const DEFAULT_CACHE_CAPACITY = 10_000;

class TokenAuthenticator implements Authenticator {
  readonly #issuers: ReadonlyMap<string, Issuer>;
  readonly #clock: Clock;
  readonly #knownTenants: { has(tenant: string): boolean };
  readonly #revocations: Revocations;
  readonly #cache: GenerationMap<Verified>;
  /** Tokens being verified now: of a burst with one token, the first does the work. */
  readonly #running = new Map<string, Promise<Result<Principal, AuthRefusal>>>();
  #hits = 0;
  #verified = 0;
  #refused = 0;

  constructor(issuers: ReadonlyMap<string, Issuer>, options: AuthenticatorOptions) {
    this.#issuers = issuers;
    this.#clock = options.clock;
    this.#knownTenants = options.knownTenants;
    this.#revocations = options.revocations ?? noRevocations;
    this.#cache = new GenerationMap(options.cacheCapacity ?? DEFAULT_CACHE_CAPACITY);
  }

  get stats(): AuthenticatorStats {
    return { hits: this.#hits, verified: this.#verified, refused: this.#refused, cached: this.#cache.size };
  }

  async authenticate(token: string): Promise<Result<Principal, AuthRefusal>> {
    const result = await this.#authenticate(token);
    if (!result.ok) this.#refused++;
    return result;
  }

  async reload(): Promise<Result<void, readonly string[]>> {
    const problems: string[] = [];
    for (const { rules, keys } of this.#issuers.values()) {
      const read = await keys.reload();
      if (!read.ok) problems.push(`issuer \`${rules.issuer}\`: ${read.error}`);
    }
    this.#running.clear();
    this.#cache.clear();
    return problems.length === 0 ? ok(undefined) : err(problems);
  }

  #authenticate(token: string): Result<Principal, AuthRefusal> | Promise<Result<Principal, AuthRefusal>> {
    if (typeof token !== 'string' || token === '') return err(refuse('missing', 'no token'));
    if (token.length > MAX_TOKEN_BYTES) return err(refuse('too-large', `${token.length} characters`));
    // The digest is the key, not the token: a dump of the process then holds no credentials for the cache's sake. It
    // costs about a microsecond for a kilobyte, most of what a hit costs.
    const digest = hash('sha256', token, 'base64url');
    try {
      const known = this.#recall(digest);
      if (known !== undefined) return known;
    } catch {
      return err(refuse('internal', 'the cache of verified tokens failed'));
    }
    const running = this.#running.get(digest);
    if (running !== undefined) return running;
    const work = this.#verify(token, digest)
      .catch(() => err(refuse('internal', 'verification failed unexpectedly')))
      .finally(() => {
        if (this.#running.get(digest) === work) this.#running.delete(digest);
      });
    this.#running.set(digest, work);
    return work;
  }

  /** A verified token, as long as everything it rests on still stands. */
  #recall(digest: string): Result<Principal, AuthRefusal> | undefined {
    const known = this.#cache.get(digest);
    if (known === undefined) return undefined;
    const nowMs = this.#clock.now();
    const { issuer, principal } = known;
    const stands =
      nowMs < principal.expiresAtMs &&
      nowMs >= known.notBeforeMs &&
      issuer.keys.trusted(nowMs) &&
      issuer.keys.epoch === known.epoch &&
      this.#knownTenants.has(principal.tenant) &&
      this.#notRevokedSince(known);
    if (!stands) {
      // Verified anew, which also finds the right refusal.
      this.#cache.delete(digest);
      return undefined;
    }
    this.#hits++;
    return known.outcome;
  }

  #notRevokedSince(known: Verified): boolean {
    const { version } = this.#revocations;
    if (known.revocationsVersion === version) return true;
    if (this.#revocations.isRevoked(known.principal, known.evidence)) return false;
    known.revocationsVersion = version;
    return true;
  }

  async #verify(token: string, digest: string): Promise<Result<Principal, AuthRefusal>> {
    const parsed = parseCompactToken(token);
    if (!parsed.ok) return parsed;
    const iss = member(parsed.value.claims, 'iss');
    const issuer = typeof iss === 'string' ? this.#issuers.get(iss) : undefined;
    const found = await this.#findKey(issuer, parsed.value);
    const good = await signatureIsGood(
      token,
      parsed.value,
      found.kind === 'found' ? found.selected : this.#decoy(parsed.value),
    );
    if (issuer === undefined) return err(refuse('unknown-issuer', `issuer ${quoted(iss)}`));
    if (!issuer.rules.algorithms.includes(parsed.value.algorithm.name)) {
      return err(refuse('issuer-algorithm', `algorithm ${parsed.value.algorithm.name} of ${quoted(iss)}`));
    }
    if (found.kind === 'unavailable') return err(refuse('keys-unavailable', `no keys of ${quoted(iss)} to rely on`));
    if (found.kind === 'unknown')
      return err(refuse('unknown-key', `key ${quoted(parsed.value.kid)} of ${quoted(iss)}`));
    if (!good) return err(refuse('signature', `signature does not fit the key of ${quoted(iss)}`));
    return this.#accept(parsed.value, issuer, found, digest);
  }

  #accept(
    token: CompactToken,
    issuer: Issuer,
    found: Extract<KeyLookup, { kind: 'found' }>,
    digest: string,
  ): Result<Principal, AuthRefusal> {
    const claimed = readClaims(token, issuer.rules, this.#knownTenants, this.#clock.now());
    if (!claimed.ok) return claimed;
    const { principal, issuedAtMs } = claimed.value;
    const evidence: TokenEvidence = { keyThumbprint: found.selected.thumbprint, issuedAtMs };
    // Read before it is asked: a revocation in between is then looked at again, rather than missed.
    const revocationsVersion = this.#revocations.version;
    if (this.#revocations.isRevoked(principal, evidence)) return err(refuse('revoked', `token ${principal.tokenId}`));
    const outcome = Object.freeze(ok(principal));
    this.#verified++;
    // The epoch of the key that was used: should the keys have changed meanwhile, the entry never comes to count.
    this.#cache.set(digest, { ...claimed.value, issuer, evidence, epoch: found.epoch, revocationsVersion, outcome });
    return outcome;
  }

  async #findKey(issuer: Issuer | undefined, token: CompactToken): Promise<KeyLookup> {
    const { name } = token.algorithm;
    if (issuer === undefined || !issuer.rules.algorithms.includes(name)) return { kind: 'unknown' };
    return issuer.keys.find(token.kid, name, this.#clock.now());
  }

  /** Some key for the algorithm, so that a token of nobody we know takes as long to refuse as a badly signed one. */
  #decoy(token: CompactToken): SelectedKey | undefined {
    for (const { keys } of this.#issuers.values()) {
      const selected = keys.any(token.algorithm.name);
      if (selected !== undefined) return selected;
    }
    return undefined;
  }
}

async function signatureIsGood(
  token: string,
  parsed: CompactToken,
  selected: SelectedKey | undefined,
): Promise<boolean> {
  if (selected === undefined) return false;
  try {
    await compactVerify(token, selected.key, { algorithms: [parsed.algorithm.name] });
    return true;
  } catch {
    return false;
  }
}
