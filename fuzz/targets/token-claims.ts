import { readClaims } from '../../src/broker/auth/claims.ts';
import { parseCompactToken } from '../../src/broker/auth/compact-token.ts';
import { checkIssuers } from '../../src/broker/auth/issuer-config.ts';
import { tokenScopes } from '../../src/policy/index.ts';
import { bytesOf, demand, type Target } from '../engine/target.ts';
import { tokenOf } from '../support/jwt.ts';
import { json } from '../support/text-mutators.ts';

const NOW_MS = 1_800_000_000_000;
const ISSUER = 'https://idp.example.org';
const TENANTS = new Set(['acme', 'globex', 'fabric']);
const claims = {
  iss: ISSUER,
  sub: 'alice',
  aud: 'cci-broker',
  tenant: 'acme',
  exp: NOW_MS / 1000 + 600,
  iat: NOW_MS / 1000 - 5,
  scope: 'cci:read cci:config',
  groups: ['operators'],
};

export const target: Target = {
  name: 'token-claims',
  oracle: 'claims never make a caller of a foreign tenant, of another name space, with unknown scopes, or beyond `exp`',
  covers: ['src/broker/auth'],
  kind: 'text',
  maxLength: 800,
  dictionary: [
    'user:',
    'group:',
    'role:',
    'tenant/',
    '#',
    'globex',
    'fabric',
    'cci:raw',
    'cnf',
    'jkt',
    'x5t#S256',
    '%23',
    '\\u0000',
  ],
  seeds: () => [
    bytesOf(JSON.stringify(claims)),
    bytesOf(JSON.stringify({ ...claims, aud: ['x', 'cci-broker'], nbf: 1, jti: 'one', scope: undefined })),
    bytesOf(JSON.stringify({ ...claims, tenant: 'globex', groups: ['a#b', 'tenant/globex', 'role:x'] })),
    bytesOf(JSON.stringify({ ...claims, cnf: { jkt: 'A'.repeat(43) } })),
  ],
  mutators: [json, json],
  open() {
    const rules = checkIssuers(
      [{ issuer: ISSUER, audience: 'cci-broker', algorithms: ['ES256'], jwks_file: '/k', tenants: ['acme'] }],
      { production: false },
    );
    const [only] = rules.ok ? rules.value : [];
    if (only === undefined) throw new Error(`no rules: ${rules.ok ? '' : rules.error.join()}`);
    return {
      run(bytes) {
        let body: unknown;
        try {
          body = JSON.parse(Buffer.from(bytes).toString());
        } catch {
          return;
        }
        const token = parseCompactToken(Buffer.from(tokenOf({ alg: 'ES256' }, body)).toString());
        if (!token.ok) return;
        const read = readClaims(token.value, only, TENANTS, 'T'.repeat(43), NOW_MS);
        // Held back until the signature was looked at, so that nobody learns of tenants by the time it takes.
        if (!read.ok || read.value.tenantRefusal !== undefined) return;
        const { principal } = read.value;
        demand(principal.tenant === 'acme', `a caller of ${principal.tenant}`);
        demand(principal.expiresAtMs > NOW_MS, 'accepted behind its end');
        const { exp }: { exp?: unknown } = token.value.claims;
        demand(typeof exp === 'number' && principal.expiresAtMs <= exp * 1000, 'accepted longer than it says');
        demand(principal.name.startsWith('user:'), principal.name);
        for (const name of principal.names) {
          const isOwn = name === 'group:tenant/acme' || name === principal.name;
          const prefix = `group:${principal.name.slice(5, principal.name.indexOf('#') + 1)}`;
          demand(isOwn || (name.startsWith(prefix) && !name.startsWith('group:tenant/')), `the name ${name}`);
          demand(!/[\p{Cc}\p{Zl}\p{Zp}]/u.test(name), () => JSON.stringify(name));
        }
        for (const scope of principal.scopes) demand(tokenScopes.includes(scope), scope);
      },
    };
  },
};
