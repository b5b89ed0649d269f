import type { Principal } from '../../policy/index.ts';

/** What else is known of a token, for revocations that are not about its principal. */
export interface TokenEvidence {
  /** RFC 7638 thumbprint (SHA-256, base64url) of the key that signed it. */
  readonly keyThumbprint: string;
  /** Time of issue by the token's own word, milliseconds since 1970. */
  readonly issuedAtMs: number | undefined;
}

/** Tokens taken back before their time. Asked for every new token, and again for a known one when `version` moved. */
export interface Revocations {
  /** Changes whenever an answer of `isRevoked` may have changed. */
  readonly version: number;
  isRevoked(principal: Principal, evidence: TokenEvidence): boolean;
}

/** Revokes nothing. */
export const noRevocations: Revocations = { version: 0, isRevoked: () => false };

/** What can be revoked in memory. A restart forgets it. */
export type Revoked =
  | { readonly kind: 'token'; readonly tokenId: string }
  | { readonly kind: 'principal'; readonly name: string }
  | { readonly kind: 'tenant'; readonly tenant: string }
  | { readonly kind: 'key'; readonly thumbprint: string };

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
    const matches: readonly Revoked[] = [
      { kind: 'token', tokenId: principal.tokenId },
      { kind: 'principal', name: principal.name },
      { kind: 'tenant', tenant: principal.tenant },
      { kind: 'key', thumbprint: evidence.keyThumbprint },
    ];
    return matches.some((what) => this.#revoked.has(revocationKey(what)));
  }
}

function revocationKey(what: Revoked): string {
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
