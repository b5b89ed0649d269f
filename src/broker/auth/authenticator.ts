import type { Result } from '../../cci/index.ts';
import type { Principal } from '../../policy/index.ts';
import type { Credential } from '../core-api.ts';
import { decoyKeys } from './decoy-keys.ts';
import type { FailedAttemptOptions } from './failed-attempts.ts';
import { checkIssuers } from './issuer-config.ts';
import type { IssuerConfig } from './issuer-schema.ts';
import { createIssuers, type IssuerSources } from './issuers.ts';
import type { Clock } from './key-source.ts';
import { defaultPossession, Possession, type PossessionOptions, type Purpose } from './possession.ts';
import type { AuthRefusal } from './refusal.ts';
import type { Revocations } from './revocations.ts';
import { TokenAuthenticator } from './token-authenticator.ts';

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
  /** How proofs of tokens that are bound to a key are looked at. */
  readonly possession?: PossessionOptions;
  /** Counts failures by source; none are counted if not given. */
  readonly failures?: FailedAttemptOptions;
}

export interface AuthenticatorStats {
  readonly hits: number;
  readonly verified: number;
  readonly refused: number;
  /** Verified tokens held now. */
  readonly cached: number;
  /** Signatures of tokens that were looked at, whatever came of it. */
  readonly signatures: number;
  /** Proofs that are remembered, and sessions that began with one. */
  readonly proofs: number;
  readonly sessions: number;
}

/** Tells who a token belongs to, and whether whoever shows it may use it. */
export interface Authenticator {
  /**
   * A string is a token shown as bearer. Never throws and never rejects: whatever is wrong, with what was shown or in
   * here, is a refusal. A proof counts once: a request asks once, and `again` after that.
   */
  authenticate(shown: string | Credential, purpose?: Purpose): Promise<Result<Principal, AuthRefusal>>;
  /** The same for a request that was authenticated before: is its token still good? What it proved, it has proved. */
  again(shown: Credential): Promise<Result<Principal, AuthRefusal>>;
  /**
   * Authenticates whoever opens a stream. The credential is what to show from then on: where the token is bound to a key,
   * it holds a session in place of the proof, which lasts as long as the token at most, or until `end`.
   */
  begin(shown: Credential): Promise<Result<Credential, AuthRefusal>>;
  end(session: string): void;
  /**
   * Reads all keys again and forgets every verified token. An issuer whose keys can not be read keeps its old ones;
   * the error lists those issuers.
   */
  reload(): Promise<Result<void, readonly string[]>>;
  close(): Promise<void>;
  /** Issuers whose tokens are accepted, by their `iss`. */
  readonly issuers: readonly string[];
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
  const possession = new Possession(options.possession ?? defaultPossession);
  try {
    await possession.start(options.clock.now());
  } catch (error) {
    throw new AuthConfigError([`DPoP proofs cannot be remembered: ${error instanceof Error ? error.message : error}`]);
  }
  return new TokenAuthenticator(issuers.value, { ...options, possession, decoys: await decoyKeys() });
}
