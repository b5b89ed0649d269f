/** Who a bearer token belongs to: issuers, keys, claims, the cache of verified tokens, and the development issuer. */
export { type Algorithm, algorithms } from './algorithms.ts';
export {
  AuthConfigError,
  type Authenticator,
  type AuthenticatorOptions,
  type AuthenticatorStats,
  createAuthenticator,
} from './authenticator.ts';
export { MAX_TOKEN_BYTES } from './compact-token.ts';
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
export {
  checkIssuers,
  DEVELOPMENT_AUDIENCE,
  DEVELOPMENT_ISSUER,
  EVERY_TENANT,
  IssuerConfig,
  type IssuerRules,
  type KeyOrigin,
} from './issuer-config.ts';
export type { IssuerSources } from './issuers.ts';
export type { Clock } from './key-source.ts';
export { type AuthRefusal, type RefusalCause, type RefusalCode, refusalCauses } from './refusal.ts';
export type { Fetch } from './remote-keys.ts';
export { MemoryRevocations, noRevocations, type Revocations, type Revoked, type TokenEvidence } from './revocations.ts';
