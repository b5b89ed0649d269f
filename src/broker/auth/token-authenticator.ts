import { hash } from 'node:crypto';
import { err, ok, type Result } from '../../cci/index.ts';
import { type Principal, userName } from '../../policy/index.ts';
import type { Credential } from '../core-api.ts';
import type { Authenticator, AuthenticatorOptions, AuthenticatorStats } from './authenticator.ts';
import { type Claimed, readClaims } from './claims.ts';
import { type CompactToken, MAX_TOKEN_BYTES, parseCompactToken } from './compact-token.ts';
import { FailedAttempts } from './failed-attempts.ts';
import type { Issuer } from './issuers.ts';
import type { KeySet, SelectedKey } from './key-set.ts';
import type { Clock, KeyLookup } from './key-source.ts';
import type { Possession, Purpose } from './possession.ts';
import { type AuthRefusal, quoted, refuse } from './refusal.ts';
import { noRevocations, type Revocations, type TokenEvidence } from './revocations.ts';
import { signatureFits } from './signature.ts';
import { member } from './strict-json.ts';
import { GenerationMap } from './verified-cache.ts';

/** A token that was verified, and what that rests on. */
interface Verified extends Claimed {
  readonly issuer: Issuer;
  readonly evidence: TokenEvidence;
  /** Of the issuer's keys. */
  readonly epoch: number;
  /** Of the revocations that were looked at last. */
  revocationsVersion: number;
  /** Bound to nothing, and nothing asked for: the token alone is enough. */
  readonly isBearer: boolean;
  readonly outcome: { readonly ok: true; readonly value: Principal };
}

interface Parts extends Omit<AuthenticatorOptions, 'possession'> {
  readonly possession: Possession;
  readonly decoys: KeySet;
}

const DEFAULT_CACHE_CAPACITY = 10_000;

type Answer = Result<Principal, AuthRefusal>;
type Checked = Result<Verified, AuthRefusal>;

/** The authenticator over issuers whose keys were read. */
export class TokenAuthenticator implements Authenticator {
  readonly #issuers: ReadonlyMap<string, Issuer>;
  readonly #clock: Clock;
  readonly #knownTenants: { has(tenant: string): boolean };
  readonly #revocations: Revocations;
  readonly #possession: Possession;
  readonly #failures: FailedAttempts | undefined;
  readonly #decoys: KeySet;
  readonly #cache: GenerationMap<Verified>;
  readonly #digests = new WeakMap<Credential, { readonly token: string; readonly digest: string }>();
  /** Tokens being verified now: of a burst with one token, the first does the work. */
  readonly #running = new Map<string, Promise<Checked>>();
  #hits = 0;
  #verified = 0;
  #refused = 0;
  #signatures = 0;

  constructor(issuers: ReadonlyMap<string, Issuer>, parts: Parts) {
    this.#issuers = issuers;
    this.#clock = parts.clock;
    this.#knownTenants = parts.knownTenants;
    this.#revocations = parts.revocations ?? noRevocations;
    this.#possession = parts.possession;
    this.#failures = parts.failures === undefined ? undefined : new FailedAttempts(parts.failures, parts.clock.now());
    this.#decoys = parts.decoys;
    this.#cache = new GenerationMap(parts.cacheCapacity ?? DEFAULT_CACHE_CAPACITY);
  }

  get issuers(): readonly string[] {
    return [...this.#issuers.keys()];
  }

  get stats(): AuthenticatorStats {
    return {
      hits: this.#hits,
      verified: this.#verified,
      refused: this.#refused,
      cached: this.#cache.size,
      signatures: this.#signatures,
      ...this.#possession.counts,
    };
  }

  async authenticate(shown: string | Credential, purpose?: Purpose): Promise<Answer> {
    const credential = typeof shown === 'string' ? { token: shown, source: '' } : shown;
    const result = await this.#authenticate(credential, purpose);
    return result.ok ? result : this.#failed(credential, result.error);
  }

  async again(shown: Credential): Promise<Answer> {
    const found = await this.#token(shown);
    return found.ok ? found.value.outcome : this.#failed(shown, found.error);
  }

  async begin(shown: Credential): Promise<Result<Credential, AuthRefusal>> {
    const result = await this.authenticate(shown, 'view');
    if (!result.ok) return result;
    // What a bearer token or a certificate proves is proved by each message of the connection.
    if (result.value.bound?.dpop === undefined) return ok(shown);
    const { proof: _proof, ...rest } = shown;
    // A stream may lead to another, for as long as its own session lasts.
    if (shown.session !== undefined) return ok(rest);
    const found = await this.#token(shown);
    if (!found.ok) return found;
    const session = this.#possession.begin(this.#bound(found.value, this.#digestOf(shown)), this.#clock.now());
    if (session === undefined) return err(refuse('sessions-full', 'no room for a session', { retryAfterMs: 1000 }));
    return ok({ ...rest, session });
  }

  end(session: string): void {
    this.#possession.end(session);
  }

  close(): Promise<void> {
    return this.#possession.close();
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

  #authenticate(shown: Credential, purpose: Purpose): Answer | Promise<Answer> {
    const found = this.#token(shown);
    if (found instanceof Promise) {
      return found.then((value) => (value.ok ? this.#held(value.value, shown, purpose) : value));
    }
    return found.ok ? this.#held(found.value, shown, purpose) : found;
  }

  /** Is it shown by whom it is bound to? */
  #held(known: Verified, shown: Credential, purpose: Purpose): Answer | Promise<Answer> {
    if (known.isBearer && shown.scheme !== 'dpop') return known.outcome;
    try {
      const token = this.#bound(known, this.#digestOf(shown));
      const held = this.#possession.check(token, shown, purpose, this.#clock.now());
      if (!(held instanceof Promise)) return held.ok ? known.outcome : held;
      return held
        .then((value) => (value.ok ? this.#standsStill(known, shown) : value))
        .catch(() => err(refuse('internal', 'the proof could not be looked at')));
    } catch {
      return err(refuse('internal', 'the proof could not be looked at'));
    }
  }

  /** What was proved has taken its time: the token may have been revoked, or have expired, meanwhile. */
  async #standsStill(known: Verified, shown: Credential): Promise<Answer> {
    if (this.#stands(known)) return known.outcome;
    const found = await this.#token(shown);
    return found.ok ? found.value.outcome : found;
  }

  #bound({ confirmation, issuer, principal }: Verified, digest: string) {
    const { tenant, expiresAtMs } = principal;
    return { digest, tenant, confirmation, required: issuer.rules.require, expiresAtMs };
  }

  /** Counts a refusal, and says how long to wait where there were too many. */
  #failed({ source }: Credential, refusal: AuthRefusal): Result<never, AuthRefusal> {
    this.#refused++;
    // A nonce is asked for with a good proof: that is how it begins, and no failure.
    if (this.#failures === undefined || blameless.has(refusal.cause)) return err(refusal);
    const nowMs = this.#clock.now();
    const waitMs = this.#failures.failed(source, nowMs);
    return waitMs === 0 || ended.has(refusal.cause) ? err(refusal) : err(tooMany(refusal.detail, waitMs));
  }

  /** The token, from memory or verified. */
  #token(shown: Credential): Checked | Promise<Checked> {
    const { token, source } = shown;
    if (typeof token !== 'string' || token === '') return err(refuse('missing', 'no token'));
    if (token.length > MAX_TOKEN_BYTES) return err(refuse('too-large', `${token.length} characters`));
    // The digest is the key, not the token: a dump of the process then holds those of open connections at most. It
    // costs some microseconds for a kilobyte, most of what a hit costs.
    const digest = this.#digestOf(shown);
    try {
      const known = this.#recall(digest);
      if (known !== undefined) return ok(known);
    } catch {
      return err(refuse('internal', 'the cache of verified tokens failed'));
    }
    const running = this.#running.get(digest);
    if (running !== undefined) return running;
    const started = this.#inTurn(source, () => this.#verify(token, digest));
    if (started === undefined) return err(tooMany('not looked at', this.#failures?.waitMs(source, this.#clock.now())));
    const work = started
      .catch(() => err(refuse('internal', 'verification failed unexpectedly')))
      .finally(() => {
        if (this.#running.get(digest) === work) this.#running.delete(digest);
      });
    this.#running.set(digest, work);
    return work;
  }

  /** A stream, a listener and a kept-alive connection show the same credential again and again. */
  #digestOf(shown: Credential): string {
    const known = this.#digests.get(shown);
    if (known !== undefined && known.token === shown.token) return known.digest;
    const digest = digestOf(shown.token);
    this.#digests.set(shown, { token: shown.token, digest });
    return digest;
  }

  #inTurn(source: string, work: () => Promise<Checked>): Promise<Checked> | undefined {
    return this.#failures === undefined ? work() : this.#failures.inTurn(source, this.#clock.now(), work);
  }

  /** A verified token, as long as everything it rests on still stands. */
  #recall(digest: string): Verified | undefined {
    const known = this.#cache.get(digest);
    if (known === undefined) return undefined;
    if (!this.#stands(known)) {
      // Verified anew, which also finds the right refusal.
      this.#cache.delete(digest);
      return undefined;
    }
    this.#hits++;
    return known;
  }

  #stands(known: Verified): boolean {
    const nowMs = this.#clock.now();
    const { issuer, principal } = known;
    return (
      nowMs < principal.expiresAtMs &&
      nowMs >= known.notBeforeMs &&
      issuer.keys.trusted(nowMs) &&
      issuer.keys.epoch === known.epoch &&
      this.#knownTenants.has(principal.tenant) &&
      this.#notRevokedSince(known)
    );
  }

  #notRevokedSince(known: Verified): boolean {
    const { version } = this.#revocations;
    if (known.revocationsVersion === version) return true;
    if (this.#revocations.isRevoked(known.principal, known.evidence)) return false;
    known.revocationsVersion = version;
    return true;
  }

  /** INVARIANT: one signature is looked at for every token that is well-formed, whoever it says that it is from. */
  async #verify(token: string, digest: string): Promise<Checked> {
    const parsed = parseCompactToken(token);
    if (!parsed.ok) return parsed;
    const iss = member(parsed.value.claims, 'iss');
    const issuer = typeof iss === 'string' ? this.#issuers.get(iss) : undefined;
    const found = await this.#findKey(issuer, parsed.value);
    const selected = found.kind === 'found' ? found.selected : this.#decoy(issuer, parsed.value);
    this.#signatures++;
    const good = selected !== undefined && (await signatureFits(token, parsed.value.algorithm.name, selected.key));
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

  #accept(token: CompactToken, issuer: Issuer, found: Extract<KeyLookup, { kind: 'found' }>, digest: string): Checked {
    const { thumbprint } = found.selected;
    const claimed = readClaims(token, issuer.rules, this.#knownTenants, thumbprint, this.#clock.now());
    if (!claimed.ok) return claimed;
    const { principal, issuedAtMs, tenantRefusal } = claimed.value;
    const keyName = token.kid === undefined ? undefined : keyNameOf(issuer.rules.issuer, token.kid);
    const evidence: TokenEvidence = { keyThumbprint: thumbprint, keyName, issuedAtMs };
    // Read before it is asked: a revocation in between is then looked at again, rather than missed.
    const revocationsVersion = this.#revocations.version;
    const isRevoked = this.#revocations.isRevoked(principal, evidence);
    // Only now: whether there is such a tenant must not show in how much was looked at.
    if (tenantRefusal !== undefined) return err(tenantRefusal);
    if (isRevoked) return err(refuse('revoked', `token ${principal.tokenId}`));
    this.#verified++;
    const known: Verified = {
      ...claimed.value,
      issuer,
      evidence,
      // Of the key that was used: should the keys have changed meanwhile, the entry never comes to count.
      epoch: found.epoch,
      revocationsVersion,
      isBearer: principal.bound === undefined,
      outcome: Object.freeze(ok(principal)),
    };
    this.#cache.set(digest, known);
    return ok(known);
  }

  async #findKey(issuer: Issuer | undefined, token: CompactToken): Promise<KeyLookup> {
    const { name } = token.algorithm;
    if (issuer === undefined || !issuer.rules.algorithms.includes(name)) return { kind: 'unknown' };
    return issuer.keys.find(token.kid, name, this.#clock.now());
  }

  /** Some key for the algorithm, the issuer's own if it has one: keys of one algorithm may differ in length. */
  #decoy(issuer: Issuer | undefined, token: CompactToken): SelectedKey | undefined {
    const { name } = token.algorithm;
    const own = issuer?.keys.any(name);
    if (own !== undefined) return own;
    for (const { keys } of this.#issuers.values()) {
      const selected = keys.any(name);
      if (selected !== undefined) return selected;
    }
    return this.#decoys.any(name);
  }
}

/** Refusals that are no sign of guessing. */
const blameless: ReadonlySet<string> = new Set(['proof-nonce', 'proof-store', 'sessions-full', 'too-many', 'internal']);

/**
 * Said of tokens with a good signature only, and said always: else neighbours who fail on purpose would keep their holder from
 * fetching the next one, and a stream of his from ending.
 */
const ended: ReadonlySet<string> = new Set(['expired', 'revoked']);

function tooMany(detail: string, waitMs = 0): AuthRefusal {
  return refuse('too-many', detail, { retryAfterMs: Math.max(1000, waitMs) });
}

function digestOf(token: string): string {
  return hash('sha256', token, 'base64url');
}

/** `kid:ISSUER#KID`, encoded as the names of principals are. */
function keyNameOf(issuer: string, kid: string): string {
  return userName(issuer, kid).replace(/^user:/, 'kid:');
}
