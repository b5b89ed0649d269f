/**
 * Why a token was not accepted. `code` and `sentence` go to the caller, `cause` and `detail` to the journal.
 *
 * What the holder of a token can read in it himself is named. Whether a key, an issuer, a tenant or a subject is known
 * here is not: all of these share the code `rejected` and one sentence.
 */
export interface AuthRefusal {
  readonly code: RefusalCode;
  readonly sentence: string;
  readonly cause: RefusalCause;
  /** For the journal. Bounded, printable, and never a part of the token as it came. */
  readonly detail: string;
  /** The source has failed too often: when it may try again. */
  readonly retryAfterMs?: number;
  /** What a client that proves a key has to hear (RFC 9449 sections 7.1 and 9). */
  readonly dpop?: DpopChallenge;
}

export interface DpopChallenge {
  readonly error: 'invalid_dpop_proof' | 'use_dpop_nonce';
  /** To be put into the next proof. */
  readonly nonce?: string;
}

const REJECTED = 'the token is not accepted here: its signature, its issuer or its tenant is not one this broker knows';

/** One row per cause: what the caller is told. */
const table = {
  missing: { code: 'missing', sentence: 'a bearer token is required' },
  'too-large': { code: 'too-large', sentence: 'the token is longer than 8192 bytes' },
  malformed: { code: 'malformed', sentence: 'the token is not a well-formed signed JWT' },
  algorithm: { code: 'algorithm', sentence: 'the token must be signed with an asymmetric algorithm' },
  header: { code: 'malformed', sentence: 'the header of the token holds something that is not accepted here' },
  'unknown-issuer': { code: 'rejected', sentence: REJECTED },
  'issuer-algorithm': { code: 'rejected', sentence: REJECTED },
  'unknown-key': { code: 'rejected', sentence: REJECTED },
  'keys-unavailable': { code: 'rejected', sentence: REJECTED },
  signature: { code: 'rejected', sentence: REJECTED },
  'unknown-tenant': { code: 'rejected', sentence: REJECTED },
  'foreign-tenant': { code: 'rejected', sentence: REJECTED },
  revoked: { code: 'rejected', sentence: REJECTED },
  internal: { code: 'rejected', sentence: REJECTED },
  audience: { code: 'audience', sentence: 'the token is for another audience' },
  expired: { code: 'expired', sentence: 'the token has expired' },
  'not-yet-valid': { code: 'not-yet-valid', sentence: 'the token is not valid yet' },
  lifetime: { code: 'lifetime', sentence: 'the token is older, or lives longer, than is accepted from its issuer' },
  'sender-constrained': {
    code: 'claims',
    sentence: 'the token is bound to its holder in a way that this broker cannot check',
  },
  unbound: { code: 'claims', sentence: 'tokens of this issuer must be bound to a key or certificate of their holder' },
  scheme: {
    code: 'proof',
    sentence:
      'the token is bound to a key of its holder: it is worth nothing as a bearer token, show it as DPoP with a proof',
  },
  'not-bound': { code: 'proof', sentence: 'the token is bound to no key: show it as Bearer, not as DPoP' },
  certificate: {
    code: 'proof',
    sentence: 'the token is bound to a certificate, and the connection was not made with that one',
  },
  'proof-missing': { code: 'proof', sentence: 'the token needs a DPoP proof beside it' },
  proof: { code: 'proof', sentence: 'the DPoP proof does not prove what it should' },
  'proof-nonce': { code: 'proof', sentence: 'the DPoP proof must hold the nonce that comes with this answer' },
  'proof-time': { code: 'proof', sentence: 'the DPoP proof is too old, or from the future' },
  'proof-replayed': { code: 'proof', sentence: 'the DPoP proof was used before' },
  'proof-command': {
    code: 'proof',
    sentence: 'the DPoP proof is not for this very command, which its issuer requires',
  },
  'proof-store': {
    code: 'proof-store',
    sentence: 'the broker cannot remember more DPoP proofs now, so it accepts none: try again later',
  },
  session: { code: 'proof', sentence: 'the session that began with a proof has ended: begin another one' },
  'sessions-full': {
    code: 'proof-store',
    sentence: 'too many sessions with this token, or with this broker, are open',
  },
  'too-many': {
    code: 'too-many',
    sentence: 'too many requests with tokens that are not accepted came from your address: wait',
  },
  claims: { code: 'claims', sentence: 'a claim of the token is missing or has the wrong form' },
} as const;

export type RefusalCause = keyof typeof table;
export type RefusalCode = (typeof table)[RefusalCause]['code'];

/** Every cause, for tests and metrics. */
export const refusalCauses = Object.keys(table) as readonly RefusalCause[];

export function refuse(
  cause: RefusalCause,
  detail: string,
  more: Pick<AuthRefusal, 'retryAfterMs' | 'dpop'> = {},
): AuthRefusal {
  const { code, sentence } = table[cause];
  return { code, sentence, cause, detail, ...more };
}

/** A claim that is missing or has the wrong form. The claim's name comes from the configuration, not from the token. */
export function refuseClaim(claim: string, rule: string): AuthRefusal {
  const sentence = `the claim \`${claim}\` of the token ${rule}`;
  return { code: 'claims', sentence, cause: 'claims', detail: sentence };
}

/** Something out of a token, made fit for a journal line. */
export function quoted(value: unknown): string {
  if (typeof value !== 'string') return `a value of type ${Array.isArray(value) ? 'array' : typeof value}`;
  const shown = value.length > 120 ? `${value.slice(0, 120)}...` : value;
  return `\`${shown.replaceAll(/[^\x20-\x5f\x61-\x7e]/g, '?')}\``;
}
