import type { Principal } from '../../policy/index.ts';

/** What else is known of a token, for revocations that are not about its principal. */
export interface TokenEvidence {
  /** RFC 7638 thumbprint (SHA-256, base64url) of the key that signed it. */
  readonly keyThumbprint: string;
  /** `kid:ISSUER#KID` of that key, where it has one. */
  readonly keyName?: string | undefined;
  /** Time of issue by the token's own word, milliseconds since 1970. */
  readonly issuedAtMs: number | undefined;
}

/** Tokens taken back before their time. Asked for every new token, and again for a known one when `version` moved. */
export interface Revocations {
  /** Changes whenever an answer of `isRevoked` may have become yes. */
  readonly version: number;
  isRevoked(principal: Principal, evidence: TokenEvidence): boolean;
}

/** Revokes nothing. */
export const noRevocations: Revocations = { version: 0, isRevoked: () => false };

/** What is revoked when either of the two says so. */
export function eitherRevokes(one: Revocations, other: Revocations): Revocations {
  return {
    get version() {
      // Both only grow, so the sum moves when one of them does.
      return one.version + other.version;
    },
    isRevoked: (principal, evidence) => one.isRevoked(principal, evidence) || other.isRevoked(principal, evidence),
  };
}

/** What can be revoked. */
export type Revoked =
  /** `jti:ISSUER#JTI`, or `sha256:DIGEST` of a token without `jti`. */
  | { readonly kind: 'token'; readonly tokenId: string }
  /** `user:ISSUER#SUB`: his tokens, also those that are issued later. */
  | { readonly kind: 'principal'; readonly name: string }
  | { readonly kind: 'tenant'; readonly tenant: string }
  /**
   * Thumbprint of a key that signs tokens, of a holder's key (`cnf.jkt`) or of his certificate (`cnf.x5t#S256`); or
   * `kid:ISSUER#KID`.
   */
  | { readonly kind: 'key'; readonly thumbprint: string };

/** Under which names a token can be revoked. */
export function revocationKeys(principal: Principal, evidence: TokenEvidence): readonly string[] {
  const { tokenId, name, tenant, bound } = principal;
  const keys = [`token ${tokenId}`, `principal ${name}`, `tenant ${tenant}`, `key ${evidence.keyThumbprint}`];
  if (evidence.keyName !== undefined) keys.push(`key ${evidence.keyName}`);
  if (bound?.dpop !== undefined) keys.push(`key ${bound.dpop}`);
  if (bound?.certificate !== undefined) keys.push(`key ${bound.certificate}`);
  return keys;
}

export function revocationKey(what: Revoked): string {
  switch (what.kind) {
    case 'token':
      return `token ${what.tokenId}`;
    case 'principal':
      return `principal ${what.name}`;
    case 'tenant':
      return `tenant ${what.tenant}`;
    case 'key':
      return `key ${what.thumbprint}`;
  }
}

/** Revocations that live as long as the process. */
export class MemoryRevocations implements Revocations {
  #version = 0;
  readonly #revoked = new Set<string>();

  get version(): number {
    return this.#version;
  }

  revoke(what: Revoked): void {
    this.#revoked.add(revocationKey(what));
    this.#version++;
  }

  isRevoked(principal: Principal, evidence: TokenEvidence): boolean {
    return revocationKeys(principal, evidence).some((key) => this.#revoked.has(key));
  }
}
