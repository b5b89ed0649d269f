import { groupName, tenantGroup, userName } from '../names.ts';
import type { Principal, TokenScope } from '../types.ts';

/** A caller as a test suite or a question describes him: what a token would say. */
export interface AssumedCaller {
  readonly tenant: string;
  readonly issuer: string;
  readonly subject: string;
  /** Words of the `groups` claim. */
  readonly groups?: readonly string[];
  /** Default: `commandScopes`. */
  readonly scopes?: readonly TokenScope[];
}

/** Scopes that commands need: a token with all of them caps nothing, so that the policy alone decides. */
export const commandScopes: readonly TokenScope[] = [
  'cci:read',
  'cci:config',
  'cci:debug-read',
  'cci:debug-write',
  'cci:debug-write-full',
  'cci:raw',
];

/** The principal that the authenticator makes of such a token. Its token never expires. */
export function assumedPrincipal({ tenant, issuer, subject, groups = [], scopes }: AssumedCaller): Principal {
  const name = userName(issuer, subject);
  return {
    name,
    names: [name, ...groups.map((group) => groupName(issuer, group)), tenantGroup(tenant)],
    tenant,
    scopes: scopes ?? commandScopes,
    issuer,
    subject,
    tokenId: 'assumed',
    expiresAtMs: Number.MAX_SAFE_INTEGER,
  };
}
