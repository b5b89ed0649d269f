import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { IssuerConfig } from '../../../src/broker/auth/index.ts';
import type { Principal } from '../../../src/policy/index.ts';
import { bench, ISSUER, issuerOf, makeKey, NOW, NOW_MS, token } from './forge.ts';

const key = makeKey('EdDSA', 'k1');
const otherKey = makeKey('ES256', 'k2');
const OTHER_ISSUER = 'https://other.example';

async function principalFor(claimed: Record<string, unknown>, config: Partial<IssuerConfig> = {}): Promise<Principal> {
  const { authenticator } = await bench([issuerOf([key], config)]);
  const result = await authenticator.authenticate(token(key, claimed));
  if (!result.ok) throw new Error(result.error.detail);
  return result.value;
}

describe('a principal', () => {
  it('holds what the token said, under typed names', async () => {
    const claimed = { jti: 't-1', groups: ['ops', 'ops', 'night shift'], scope: 'openid cci:raw cci:read' };
    expect(await principalFor(claimed)).toEqual({
      name: 'user:https://idp.example#alice',
      names: [
        'user:https://idp.example#alice',
        'group:https://idp.example#ops',
        'group:https://idp.example#night%20shift',
        'group:tenant/acme',
      ],
      tenant: 'acme',
      scopes: ['cci:read', 'cci:raw'],
      issuer: ISSUER,
      subject: 'alice',
      tokenId: 'jti:https://idp.example#t-1',
      expiresAtMs: NOW_MS + 600_000,
      keyThumbprint: expect.stringMatching(/^[A-Za-z0-9_-]{43}$/),
    } satisfies Principal);
  });

  it('comes from claims inside objects, where the configuration says which', async () => {
    const paths = {
      tenant_claim: ['https://idp.example/fabric', 'tenant'],
      groups_claim: ['realm_access', 'roles'],
      scope_claim: 'scp',
    };
    const claimed = {
      tenant: 'globex',
      'https://idp.example/fabric': { tenant: 'acme' },
      realm_access: { roles: ['ops'] },
      scp: ['cci:read', 'cci:config', 'openid'],
    };
    const { tenant, names, scopes } = await principalFor(claimed, paths);
    expect(tenant).toBe('acme');
    expect(names).toContain('group:https://idp.example#ops');
    expect(scopes).toEqual(['cci:read', 'cci:config']);
  });

  it('goes by the names that the configuration gives to those of the issuer, and by no others', async () => {
    const config = { tenant_names: { 'ACME Inc.': 'acme' }, scope_names: { 'fabric.read': 'cci:read' } };
    const claimed = { tenant: 'ACME Inc.', scope: 'fabric.read cci:raw' };
    const { tenant, scopes } = await principalFor(claimed, config);
    expect([tenant, scopes]).toEqual(['acme', ['cci:read']]);
    await expect(principalFor({ tenant: 'acme' }, config)).rejects.toThrow('tenant `-`');
    await expect(principalFor({ tenant: ['ACME Inc.'] }, config)).rejects.toThrow('must name one tenant');
  });

  it.each([
    ['where an object is a list', { a: [{ tenant: 'acme' }] }],
    ['where an object is missing', { b: { tenant: 'acme' } }],
    ['where an object is text', { a: 'tenant' }],
    ['where a prototype would lend it', { a: { __proto: 1 } }],
  ])('is nobody %s', async (_what, claimed) => {
    await expect(principalFor(claimed, { tenant_claim: ['a', 'tenant'] })).rejects.toThrow('`a.tenant`');
  });

  it.each([
    'operator',
    'role:operator',
    'group:tenant/globex',
    'tenant/globex',
    '*',
    'fabric',
    'user:https://idp.example#bob',
    'bob#x',
    '%23',
    'https://other.example#alice',
  ])('gains nothing by a subject or group called %s', async (claimed) => {
    const { names } = await principalFor({ sub: claimed, groups: [claimed] });
    expect(names).toHaveLength(3);
    expect(names[0]).toMatch(/^user:https:\/\/idp\.example#[^#]+$/);
    expect(names[1]).toMatch(/^group:https:\/\/idp\.example#[^#]+$/);
    expect(names[2]).toBe('group:tenant/acme');
  });

  it('is another one with the same subject at another issuer', async () => {
    const { authenticator } = await bench([issuerOf([key]), issuerOf([otherKey], { issuer: OTHER_ISSUER })]);
    const claimed = { groups: ['ops'], jti: 'same' };
    const one = await authenticator.authenticate(token(key, claimed));
    const two = await authenticator.authenticate(token(otherKey, { ...claimed, iss: OTHER_ISSUER }));
    if (!one.ok || !two.ok) throw new Error('refused');
    const shared = one.value.names.filter((name) => two.value.names.includes(name));
    expect(shared).toEqual(['group:tenant/acme']);
    expect(one.value.tokenId).not.toBe(two.value.tokenId);
  });

  it('never shares a name with a principal of other claims', async () => {
    const { authenticator } = await bench([issuerOf([key])]);
    const part = fc.oneof(
      fc.string({
        unit: fc.constantFrom('a', '#', '%', ':', '/', '2', '3', '*', 'é', ' '),
        minLength: 1,
        maxLength: 6,
      }),
      fc.constantFrom('tenant/globex', 'role:operator', '%23', '#', 'alice'),
    );
    await fc.assert(
      fc.asyncProperty(part, part, async (one, two) => {
        const results = await Promise.all(
          [one, two].map((sub) => authenticator.authenticate(token(key, { sub, groups: [sub] }))),
        );
        const [first, second] = results;
        if (!first?.ok || !second?.ok) throw new Error('refused');
        expect(first.value.name === second.value.name).toBe(one === two);
        expect(first.value.names[1] === second.value.names[1]).toBe(one === two);
        expect(first.value.names).not.toContain('group:tenant/globex');
      }),
      { numRuns: 500 },
    );
  });

  it.each([
    ['no scope claim', undefined, ['cci:read']],
    ['an empty one', '', []],
    ['scopes of others only', 'openid profile', []],
    ['separated by tabs', 'cci:read\tcci:raw', []],
    ['in capitals', 'CCI:RAW', []],
    ['a wildcard', 'cci:*', []],
    ['twice the same', 'cci:raw  cci:raw', ['cci:raw']],
  ])('has, with %s, the scopes it should', async (_what, scope, expected) => {
    expect((await principalFor({ scope })).scopes).toEqual(expected);
  });

  it('can come from claims with other names', async () => {
    const config = { tenant_claim: 'https://x/tenant', groups_claim: 'roles', scope_claim: 'scp' };
    const claimed = {
      tenant: 'globex',
      'https://x/tenant': 'acme',
      roles: ['r'],
      groups: 7,
      scp: 'cci:config',
      scope: 7,
    };
    const principal = await principalFor(claimed, config);
    expect(principal).toMatchObject({ tenant: 'acme', scopes: ['cci:config'] });
    expect(principal.names).toContain('group:https://idp.example#r');
  });

  it('may have one of several audiences, and any accepted type', async () => {
    const config = { audience: ['a', 'b'] };
    expect((await principalFor({ aud: ['x', 'b'] }, config)).subject).toBe('alice');
    const { authenticator } = await bench([issuerOf([key])]);
    for (const typ of ['JWT', 'jwt', 'at+jwt', 'application/at+jwt', undefined]) {
      expect((await authenticator.authenticate(token(key, {}, { typ }))).ok).toBe(true);
    }
  });

  it('lives no longer than the age that its issuer is allowed', async () => {
    const config = { max_age_ms: 60_000 };
    expect((await principalFor({}, config)).expiresAtMs).toBe(NOW_MS - 10_000 + 60_000);
    await expect(principalFor({ iat: NOW - 61 }, config)).rejects.toThrow('issued 61000 ms ago');
    await expect(principalFor({ iat: undefined }, config)).rejects.toThrow('`iat`');
  });

  it('is accepted from a clock a little ahead, but never past its expiry', async () => {
    const config = { clock_tolerance_ms: 2000 };
    expect((await principalFor({ iat: NOW + 2, nbf: NOW + 2 }, config)).subject).toBe('alice');
    await expect(principalFor({ iat: NOW + 2, exp: NOW + 86_401 }, config)).rejects.toThrow('lives');
    await expect(principalFor({ nbf: NOW + 3 }, config)).rejects.toThrow('valid in');
    await expect(principalFor({ exp: NOW - 1 }, config)).rejects.toThrow('expired');
  });

  it('of tenant fabric needs an issuer that names fabric', async () => {
    await expect(principalFor({ tenant: 'fabric' })).rejects.toThrow('fabric');
    await expect(principalFor({ tenant: 'fabric' }, { tenants: ['*'] })).rejects.toThrow('fabric');
    expect((await principalFor({ tenant: 'fabric' }, { tenants: ['*', 'fabric'] })).tenant).toBe('fabric');
  });

  it('can not be changed by who receives it', async () => {
    const principal = await principalFor({});
    for (const part of [principal, principal.names, principal.scopes]) expect(Object.isFrozen(part)).toBe(true);
  });
});
