/**
 * Who a token belongs to and whether its holder may use it: issuers, keys, claims, the cache of verified tokens, proofs
 * of possession, revocations, failed attempts, and the development issuer.
 */
export { type Algorithm, algorithms } from './algorithms.ts';
export {
  AuthConfigError,
  type Authenticator,
  type AuthenticatorOptions,
  type AuthenticatorStats,
  createAuthenticator,
} from './authenticator.ts';
export { canonicalJson, commandWish, type Wish, wishDigest } from './command-digest.ts';
export { MAX_TOKEN_BYTES } from './compact-token.ts';
export { isDigest } from './confirmation.ts';
export {
  DEVELOPMENT_TTL_MS,
  type DevelopmentIssuer,
  DevelopmentIssuerError,
  type DevelopmentToken,
  type DevelopmentTokenRequest,
  issueDevelopmentToken,
  MAX_DEVELOPMENT_TTL_MS,
  openDevelopmentIssuer,
} from './development-issuer.ts';
export type { FailedAttemptOptions } from './failed-attempts.ts';
export {
  checkIssuers,
  DEVELOPMENT_AUDIENCE,
  DEVELOPMENT_ISSUER,
  EVERY_TENANT,
  type IssuerRules,
  type KeyOrigin,
} from './issuer-config.ts';
export { type Binding, IssuerConfig } from './issuer-schema.ts';
export type { IssuerSources } from './issuers.ts';
export type { Clock } from './key-source.ts';
export { defaultPossession, type PossessionOptions, type Purpose, proofWindowMs } from './possession.ts';
export { ProofFile, type ProofFileSystem } from './proof-file.ts';
export { type AuthRefusal, type RefusalCause, type RefusalCode, refusalCauses } from './refusal.ts';
export type { Fetch } from './remote-keys.ts';
export { type RevocationEntry, RevocationList, RevocationsDamaged } from './revocation-list.ts';
export {
  eitherRevokes,
  MemoryRevocations,
  noRevocations,
  type Revocations,
  type Revoked,
  type TokenEvidence,
} from './revocations.ts';
