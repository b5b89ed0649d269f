import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  type AuthenticatorOptions,
  createAuthenticator,
  defaultPossession,
  type IssuerConfig,
} from '../../../src/broker/auth/index.ts';
import { authority } from '../../support/certificates.ts';
import { digestOf, makeKey, proof, type TestKey, temporaryDirectory, thumbprint } from './forge.ts';
import { type IdentityProvider, type ProviderClient, startIdentityProvider } from './identity-provider.ts';

/** Against a real OpenID Connect server: what it issues is what the broker has to understand. */

const clients: readonly ProviderClient[] = [
  { id: 'fabric-manager', tenant: 'acme', roles: ['operators'] },
  { id: 'monitor', tenant: 'globex' },
];
const keys = [1, 2, 3].map((n) => makeKey('ES256', `k${n}`)) as [TestKey, TestKey, TestKey];

const providers: IdentityProvider[] = [];
afterEach(async () => {
  for (const provider of providers.splice(0)) await provider.close();
});

async function start(...args: Parameters<typeof startIdentityProvider>): Promise<IdentityProvider> {
  const provider = await startIdentityProvider(...args);
  providers.push(provider);
  return provider;
}

function issuerFor(provider: IdentityProvider, changes: Partial<IssuerConfig> = {}): IssuerConfig {
  return {
    issuer: provider.issuer,
    audience: 'cci-broker',
    algorithms: ['ES256'],
    jwks_url: provider.jwksUrl,
    ...(provider.issuer.startsWith('http:') ? { jwks_insecure_loopback: true as const } : {}),
    tenant_claim: ['fabric', 'tenant'],
    groups_claim: ['realm_access', 'roles'],
    ...changes,
  };
}

/** A broker whose clock goes with the provider's, and can be put ahead. */
async function broker(issuers: readonly IssuerConfig[], options: Partial<AuthenticatorOptions> = {}) {
  const clock = { aheadMs: 0, now: () => Date.now() + clock.aheadMs };
  const knownTenants = new Set(['acme', 'globex']);
  const authenticator = await createAuthenticator(issuers, { clock, knownTenants, ...options });
  const cause = async (token: string): Promise<string> => {
    const result = await authenticator.authenticate(token);
    return result.ok ? 'ok' : result.error.cause;
  };
  return { authenticator, clock, cause };
}

describe('tokens of an OpenID Connect server', () => {
  it('say who a client is, by the claims that the configuration names, over https with an authority of its own', async () => {
    const ca = authority();
    const { certificate: cert, key } = ca.issue();
    const provider = await start(clients, [keys[0]], { cert, key });
    const file = join(temporaryDirectory(), 'ca.pem');
    writeFileSync(file, ca.certificate);
    const { authenticator } = await broker([issuerFor(provider, { jwks_ca_file: file })]);
    const token = await tokenOver(provider, file);
    const result = await authenticator.authenticate(token);
    expect(result).toMatchObject({
      ok: true,
      value: {
        tenant: 'acme',
        subject: 'fabric-manager',
        scopes: ['cci:read', 'cci:config'],
        keyThumbprint: thumbprint(keys[0]),
      },
    });
    expect(result.ok ? result.value.names : []).toContainEqual(expect.stringMatching(/^group:https.*#operators$/));
  });

  it('are refused where its certificate is signed by somebody else, whatever the environment says', async () => {
    const ca = authority();
    const { certificate: cert, key } = ca.issue();
    const provider = await start(clients, [keys[0]], { cert, key });
    const file = join(temporaryDirectory(), 'ca.pem');
    writeFileSync(file, ca.certificate);
    const token = await tokenOver(provider, file);
    vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0');
    const reports: string[] = [];
    const { cause } = await broker([issuerFor(provider)], { report: (text) => reports.push(text) });
    vi.unstubAllEnvs();
    expect(await cause(token)).toBe('keys-unavailable');
    expect(reports.join()).toContain('cannot be fetched');
  });

  it('cannot be had with a file of authorities that is not there, or none: the broker says so and does not start', async () => {
    const provider = await start(clients, [keys[0]]);
    const file = join(temporaryDirectory(), 'ca.pem');
    await expect(broker([issuerFor(provider, { jwks_ca_file: file })])).rejects.toThrow(
      /ca\.pem` cannot be used: ENOENT/,
    );
    writeFileSync(file, 'nothing');
    await expect(broker([issuerFor(provider, { jwks_ca_file: file })])).rejects.toThrow(/holds no certificate in PEM/);
  });

  it('of several servers count at once, each for its own tenants', async () => {
    const [one, other] = [await start(clients, [keys[0]]), await start(clients, [keys[1]])];
    const { cause } = await broker([issuerFor(one, { tenants: ['acme'] }), issuerFor(other, { tenants: ['globex'] })]);
    expect(await cause(await one.token('fabric-manager'))).toBe('ok');
    expect(await cause(await other.token('monitor'))).toBe('ok');
    expect(await cause(await one.token('monitor'))).toBe('foreign-tenant');
    expect(await cause(await other.token('fabric-manager'))).toBe('foreign-tenant');
  });

  it('go on through a rotation of keys under load: none that is good is refused, and the server is hardly asked', async () => {
    const provider = await start(clients, [keys[0]]);
    const { cause, clock } = await broker([issuerFor(provider, { jwks_cooldown_ms: 1000 })]);
    const refused: string[] = [];
    let shown = 0;
    let isOver = false;
    const client = async (): Promise<void> => {
      while (!isOver) {
        const answer = await cause(await provider.token('fabric-manager'));
        shown++;
        if (answer !== 'ok') refused.push(answer);
      }
    };
    const load = Array.from({ length: 8 }, client);
    for (const published of [
      [keys[1], keys[0]],
      [keys[2], keys[1]],
    ]) {
      await vi.waitFor(() => expect(shown).toBeGreaterThan(20), { timeout: 15_000 });
      clock.aheadMs += 1000;
      const before = provider.fetches;
      await provider.rotate(published);
      shown = 0;
      await vi.waitFor(() => expect(shown).toBeGreaterThan(20), { timeout: 15_000 });
      expect(provider.fetches - before).toBe(1);
    }
    isOver = true;
    await Promise.all(load);
    expect(refused).toEqual([]);
  });

  it('of a key that was taken away stop to count with the next look at the keys', async () => {
    const provider = await start(clients, [keys[0]]);
    const { cause, clock } = await broker([issuerFor(provider)]);
    const token = await provider.token('fabric-manager');
    expect(await cause(token)).toBe('ok');
    await provider.rotate([keys[1]]);
    clock.aheadMs += 60_000;
    expect(await cause(await provider.token('fabric-manager'))).toBe('ok');
    expect(await cause(token)).toBe('unknown-key');
  });

  it('go on through an outage for the configured time, then none counts, and all is well when the server is back', async () => {
    const provider = await start(clients, [keys[0]]);
    const times = { jwks_refresh_ms: 60_000, jwks_outage_ms: 300_000, jwks_cooldown_ms: 10_000 };
    const { cause, clock } = await broker([issuerFor(provider, times)]);
    const [known, unseen] = [await provider.token('fabric-manager'), await provider.token('fabric-manager')];
    expect(await cause(known)).toBe('ok');
    provider.setDown(true);
    clock.aheadMs = 290_000;
    expect(await cause(known)).toBe('ok');
    expect(await cause(unseen)).toBe('ok');
    clock.aheadMs = 310_000;
    expect(await cause(known)).toBe('keys-unavailable');
    expect(await cause(unseen)).toBe('keys-unavailable');
    provider.setDown(false);
    clock.aheadMs = 325_000;
    expect(await cause(known)).toBe('ok');
    expect(await cause(unseen)).toBe('ok');
  });

  it('that it binds to a key (RFC 9449) are good with a proof of that key only', async () => {
    const provider = await start(clients, [keys[0]]);
    const [holder, thief] = [makeKey('ES256', 'holder'), makeKey('ES256', 'thief')];
    const possession = { ...defaultPossession, nonce: 'off' } as const;
    const { authenticator, cause } = await broker([issuerFor(provider, { require: 'dpop' })], { possession });
    const now = () => Math.floor(Date.now() / 1000);
    const token = await provider.token('fabric-manager', {
      proof: (nonce) =>
        proof(holder, { htm: 'POST', htu: provider.tokenUrl, iat: now(), nonce, jti: `t${Math.random()}` }),
    });
    const show = async (by: TestKey): Promise<string> => {
      const url = 'http://127.0.0.1:8420/v1/whoami';
      const jwt = proof(by, { htu: url, ath: digestOf(token), iat: now() });
      const shown = { token, source: '', scheme: 'dpop', proof: { jwt, method: 'GET', url } } as const;
      const result = await authenticator.authenticate(shown, 'view');
      return result.ok ? JSON.stringify(result.value.bound) : result.error.cause;
    };
    expect(await show(holder)).toBe(JSON.stringify({ dpop: thumbprint(holder) }));
    expect(await show(thief)).toBe('proof');
    expect(await cause(token)).toBe('scheme');
    expect(await cause(await provider.token('fabric-manager'))).toBe('unbound');
  });
});

/** A token from a provider whose certificate the tests' own `fetch` does not know. */
async function tokenOver(provider: IdentityProvider, caFile: string): Promise<string> {
  const { Agent, fetch: fetchOver } = await import('undici');
  const dispatcher = new Agent({ connect: { ca: readFileSync(caFile, 'utf8') } });
  const original = globalThis.fetch;
  globalThis.fetch = ((url: string, init: RequestInit) =>
    fetchOver(url, { ...init, body: String(init.body), dispatcher } as Parameters<
      typeof fetchOver
    >[1])) as typeof fetch;
  try {
    return await provider.token('fabric-manager', { scope: 'cci:read cci:config' });
  } finally {
    globalThis.fetch = original;
    await dispatcher.close();
  }
}
