import { RC } from '../cci/index.ts';
import { canonicalCallerName, FABRIC_TENANT, isTenantName, userName } from '../policy/index.ts';
import { isDigest, type Revoked } from './auth/index.ts';
import type { RevocationWish } from './core-api.ts';
import type { Refusal } from './pipeline/index.ts';

/** Whom tokens can be of here. What names anybody else would be in force for nobody, and whoever revokes believes it is. */
export interface Known {
  readonly issuers: readonly string[];
  readonly tenants: readonly string[];
}

const MAX_NAME = 1024;

/** What a wish names, as tokens are known by it; a refusal (EPARAM) where no token can be. */
export function revokedBy(
  { kind, name, issuer }: Exclude<RevocationWish, { lift: string }>,
  known: Known,
): Revoked | Refusal {
  if (name === '' || name.length > MAX_NAME || !name.isWellFormed()) {
    return wrong('name', `a name has 1 to ${MAX_NAME} characters`);
  }
  if (issuer === '') return wrong('issuer', 'an issuer is not empty');
  const issued = (prefix: string, how: string): string | Refusal =>
    issuedName(prefix, how, name, issuer, known.issuers);
  switch (kind) {
    case 'token': {
      if (issuer === undefined && name.startsWith('sha256:') && isDigest(name.slice(7))) {
        return { kind: 'token', tokenId: name };
      }
      const tokenId = issued(
        'jti',
        'a token is named as records name it, jti:ISSUER#JTI or sha256:DIGEST, or by its jti',
      );
      return typeof tokenId === 'string' ? { kind: 'token', tokenId } : tokenId;
    }
    case 'subject': {
      const subject = issued('user', 'a subject is named user:ISSUER#SUB, or by its sub');
      return typeof subject === 'string' ? { kind: 'principal', name: subject } : subject;
    }
    case 'tenant':
      return tenantOf(name, issuer, known.tenants);
    case 'key': {
      if (issuer === undefined && isDigest(name)) return { kind: 'key', thumbprint: name };
      const thumbprint = issued('kid', 'a key goes by its thumbprint (43 characters), or by its kid');
      return typeof thumbprint === 'string' ? { kind: 'key', thumbprint } : thumbprint;
    }
  }
}

/** `PREFIX:ISSUER#NAME` in the one spelling that the names of verified tokens have. */
function issuedName(
  prefix: string,
  how: string,
  name: string,
  issuer: string | undefined,
  issuers: readonly string[],
): string | Refusal {
  const user = issuer === undefined ? handWritten(prefix, name) : userName(issuer, name);
  if (user === undefined) return wrong('name', `${how} with \`issuer\` beside it`);
  if (!issuers.some((one) => user.startsWith(userName(one, '')))) {
    const field = issuer === undefined ? 'name' : 'issuer';
    return wrong(field, `no token of that issuer is accepted here; issuers are ${listed(issuers)}`);
  }
  return user.replace(/^user/, prefix);
}

function handWritten(prefix: string, name: string): string | undefined {
  return name.startsWith(`${prefix}:`) ? canonicalCallerName(`user:${name.slice(prefix.length + 1)}`) : undefined;
}

function tenantOf(name: string, issuer: string | undefined, tenants: readonly string[]): Revoked | Refusal {
  if (issuer !== undefined || !isTenantName(name)) return wrong('name', 'a tenant goes by its name alone');
  if (name === FABRIC_TENANT) {
    const detail = `without tenant \`${FABRIC_TENANT}\` nobody could take that back: revoke a subject or a key of it`;
    return wrong('name', detail);
  }
  if (!tenants.includes(name))
    return wrong('name', 'no token of that tenant is accepted here: the fabric has no such one');
  return { kind: 'tenant', tenant: name };
}

function listed(names: readonly string[]): string {
  return names.map((name) => `\`${name}\``).join(', ');
}

export function wrong(field: string, detail: string): Refusal {
  return { code: 'EPARAM', field, detail, returnCode: RC.invalidInput };
}
