import { tenantGroup } from '../names.ts';
import { type Principal, tokenScopes } from '../types.ts';
import { issuerOf } from './callers.ts';

/**
 * A caller with these names and no other of which a row speaks, and every scope: what a question is asked for.
 *
 * @param names at most one user, groups of the same issuer; the tenant's own group is added
 * @param taken is this user named by a row? Where no user is given, one is made up that is not
 */
export function madeUpCaller(tenant: string, names: readonly string[], taken: (name: string) => boolean): Principal {
  const everybody = tenantGroup(tenant);
  const others = names.filter((name) => name !== everybody);
  const issuer = others[0] === undefined ? 'any' : issuerOf(others[0]);
  const user = others.find((name) => name.startsWith('user:')) ?? stranger(issuer, taken);
  return {
    name: user,
    names: [user, ...others.filter((name) => name !== user), everybody],
    tenant,
    scopes: tokenScopes,
    issuer,
    subject: user.slice(user.indexOf('#') + 1),
    tokenId: 'made-up',
    expiresAtMs: Number.MAX_SAFE_INTEGER,
  };
}

function stranger(issuer: string, taken: (name: string) => boolean): string {
  let number = 1;
  while (taken(`user:${issuer}#somebody-${number}`)) number += 1;
  return `user:${issuer}#somebody-${number}`;
}
