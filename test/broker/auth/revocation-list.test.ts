import { hash } from 'node:crypto';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RevocationList, type Revoked } from '../../../src/broker/auth/index.ts';
import {
  bench,
  digestOf,
  issuerOf,
  jwksFile,
  makeKey,
  NOW,
  NOW_MS,
  temporaryDirectory,
  thumbprint,
  token,
} from './forge.ts';

const key = makeKey('EdDSA', 'k1');
const nextKey = makeKey('EdDSA', 'k2');
const NEVER = Number.POSITIVE_INFINITY;

async function list(path = join(temporaryDirectory(), 'revocations.json'), clock = { nowMs: NOW_MS }) {
  const revocations = await RevocationList.open({ path, nowMs: () => clock.nowMs, capacity: 5 });
  return { path, clock, revocations };
}

const mallory: Revoked = { kind: 'principal', name: 'user:https://idp.example#mallory' };

describe('revocations', () => {
  it('with two entries under one name stop the broker: one of them would count for nothing', async () => {
    const { path } = await list();
    const entry = { id: '01234567-89ab-cdef-0123-456789abcdef', by: 'x', atMs: 1, reason: 'y' };
    const state = { entries: [mallory, { kind: 'tenant', tenant: 'acme' }].map((what) => ({ ...entry, what })) };
    const sha256 = hash('sha256', JSON.stringify(state));
    writeFileSync(path, JSON.stringify({ format: 'switch-cci-revocations', version: 1, sha256, state }));
    await expect(list(path)).rejects.toThrow('two entries are called 01234567');
  });

  it('outlive the broker, with who, when, why and until when; the file is for its owner only', async () => {
    const { path, revocations } = await list();
    revocations.add(mallory, 'user:x#root', 'left the company');
    revocations.add({ kind: 'tenant', tenant: 'acme' }, 'user:x#root', 'incident', NOW_MS + 1000);
    await revocations.save();
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const again = await list(path);
    expect(again.revocations.list()).toEqual([
      { id: expect.any(String), what: mallory, by: 'user:x#root', atMs: NOW_MS, reason: 'left the company' },
      {
        ...{ id: expect.any(String), what: { kind: 'tenant', tenant: 'acme' }, by: 'user:x#root' },
        ...{ atMs: NOW_MS, reason: 'incident', expiresAtMs: NOW_MS + 1000 },
      },
    ]);
    again.clock.nowMs += 1000;
    expect(again.revocations.list()).toHaveLength(1);
  });

  it.each<readonly [string, (text: string) => string]>([
    ['was cut off', (text) => text.slice(0, -20)],
    ['is empty', () => ''],
    ['was changed by hand', (text) => text.replace('mallory', 'nobody!')],
    ['lost an entry', (text) => text.replace(/"entries":\[.*\]/, '"entries":[]')],
    ['is of another format', (text) => text.replace('switch-cci-revocations', 'something')],
    ['is of a newer version', (text) => text.replace('"version":1', '"version":2')],
  ])('that cannot be relied on stop the broker, and it says what to do: the file %s', async (_what, damage) => {
    const { path, revocations } = await list();
    revocations.add(mallory, 'user:x#root', 'left');
    await revocations.save();
    writeFileSync(path, damage(readFileSync(path, 'utf8')));
    await expect(list(path)).rejects.toThrow(/cannot be relied on: .*put the file back from a copy/);
  });

  it('are no more than configured, and those that ended make room', async () => {
    const { revocations, clock } = await list();
    for (let i = 0; i < 5; i++) {
      expect(revocations.add({ kind: 'tenant', tenant: `t${i}` }, 'x', 'y', NOW_MS + 1000)).toBeDefined();
    }
    expect(revocations.add(mallory, 'x', 'y')).toBeUndefined();
    clock.nowMs += 1000;
    expect(revocations.add(mallory, 'x', 'y')).toBeDefined();
  });

  const holder = makeKey('ES256', 'holder');
  const jkt = thumbprint(holder);
  const x5t = digestOf('certificate');
  it.each<readonly [string, Revoked, boolean]>([
    ['its id', { kind: 'token', tokenId: 'jti:https://idp.example#t1' }, true],
    ['the id of another', { kind: 'token', tokenId: 'jti:https://idp.example#t2' }, false],
    ['the same id of another issuer', { kind: 'token', tokenId: 'jti:https://other.example#t1' }, false],
    ['its subject', { kind: 'principal', name: 'user:https://idp.example#alice' }, true],
    ['its tenant', { kind: 'tenant', tenant: 'acme' }, true],
    ['the key that signed it', { kind: 'key', thumbprint: thumbprint(key) }, true],
    ['the name of that key', { kind: 'key', thumbprint: 'kid:https://idp.example#k1' }, true],
    ['the same name at another issuer', { kind: 'key', thumbprint: 'kid:https://other.example#k1' }, false],
    ["its holder's key", { kind: 'key', thumbprint: jkt }, true],
    ["its holder's certificate", { kind: 'key', thumbprint: x5t }, true],
    ['another key', { kind: 'key', thumbprint: digestOf('x') }, false],
  ])('reach a token by %s', async (_what, what, isReached) => {
    const { revocations } = await list();
    const { authenticator } = await bench([issuerOf([key])], { revocations });
    const shown = token(key, { jti: 't1', cnf: { jkt, 'x5t#S256': x5t } });
    const credential = { token: shown, source: '' };
    expect((await authenticator.again(credential)).ok).toBe(true);
    const entry = revocations.add(what, 'x', 'y');
    expect((await authenticator.again(credential)).ok).toBe(!isReached);
    revocations.lift(entry?.id ?? '');
    expect((await authenticator.again(credential)).ok).toBe(true);
  });
});

/** What a broker must answer, worked out from nothing but what happened. */
interface World {
  nowMs: number;
  keys: ReadonlySet<string>;
  tenants: Set<string>;
  readonly revoked: Map<string, number>;
}

const subjects = ['alice', 'bob'];
const tenants = ['acme', 'globex'];
const minted = [key, nextKey].flatMap((signer, s) =>
  subjects.flatMap((sub) =>
    tenants.map((tenant, t) => {
      const [from, until] = [NOW - 4 + s * 8, NOW + 10 + t * 40];
      const jti = `${signer.kid}-${sub}-${tenant}`;
      return {
        ...{ shown: token(signer, { sub, tenant, jti, iat: from, nbf: from, exp: until }), sub, tenant, jti },
        ...{ kid: signer.kid, print: thumbprint(signer), fromMs: from * 1000, untilMs: until * 1000 },
      };
    }),
  ),
);
type Minted = (typeof minted)[number];

function expected(world: World, one: Minted): boolean {
  const names = [
    `token jti:https://idp.example#${one.jti}`,
    `principal user:https://idp.example#${one.sub}`,
    `tenant ${one.tenant}`,
    `key ${one.print}`,
    `key kid:https://idp.example#${one.kid}`,
  ];
  const isRevoked = names.some((name) => world.nowMs < (world.revoked.get(name) ?? Number.NEGATIVE_INFINITY));
  const inTime = world.nowMs >= one.fromMs && world.nowMs < one.untilMs;
  return !isRevoked && inTime && world.keys.has(one.kid) && world.tenants.has(one.tenant);
}

const what = fc.oneof(
  fc.constantFrom(...minted).map(({ jti }): Revoked => ({ kind: 'token', tokenId: `jti:https://idp.example#${jti}` })),
  fc.constantFrom(...subjects).map((sub): Revoked => ({ kind: 'principal', name: `user:https://idp.example#${sub}` })),
  fc.constantFrom(...tenants).map((tenant): Revoked => ({ kind: 'tenant', tenant })),
  fc
    .constantFrom(thumbprint(key), thumbprint(nextKey), 'kid:https://idp.example#k1')
    .map((name): Revoked => ({ kind: 'key', thumbprint: name })),
);
const nameOf = (revoked: Revoked): string =>
  Object.entries({ ...revoked, kind: undefined })
    .filter(([, value]) => value !== undefined)
    .map(([, value]) => `${revoked.kind} ${String(value)}`)
    .join('');

const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('show' as const),
      which: fc.oneof(fc.nat({ max: 1 }), fc.nat({ max: minted.length - 1 })),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: -8000, max: 12_000 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('revoke' as const),
      what,
      forMs: fc.option(fc.integer({ min: 1, max: 9000 })),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('lift' as const), at: fc.nat({ max: 5 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('tenant' as const), tenant: fc.constantFrom(...tenants) }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('keys' as const), kids: fc.subarray(['k1', 'k2'], { minLength: 1 }) }),
  },
);

it('a remembered token is believed exactly as long as a new one would be, whatever is revoked, rotated or runs out', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 40, maxLength: 80 }), async (steps) => {
      const world: World = {
        nowMs: NOW_MS,
        keys: new Set(['k1', 'k2']),
        tenants: new Set(tenants),
        revoked: new Map(),
      };
      const revocations = await RevocationList.open({
        path: join(temporaryRoot, 'none.json'),
        nowMs: () => world.nowMs,
        capacity: 100,
      });
      const file = jwksFile([key.jwk, nextKey.jwk]);
      const config = issuerOf([key], { jwks_file: file, clock_tolerance_ms: 0 });
      const options = { revocations, knownTenants: world.tenants, cacheCapacity: 6 };
      const { authenticator, clock } = await bench([config], options);
      for (const one of steps) {
        switch (one.do) {
          case 'wait':
            world.nowMs += one.ms;
            clock.nowMs = world.nowMs;
            break;
          case 'revoke': {
            const until = one.forMs === null ? undefined : world.nowMs + one.forMs;
            revocations.add(one.what, 'x', 'y', until);
            const name = nameOf(one.what);
            world.revoked.set(name, Math.max(world.revoked.get(name) ?? 0, until ?? NEVER));
            break;
          }
          case 'lift': {
            const entry = revocations.list()[one.at];
            if (entry === undefined) break;
            revocations.lift(entry.id);
            const left = revocations.list().filter((other) => nameOf(other.what) === nameOf(entry.what));
            world.revoked.set(nameOf(entry.what), Math.max(0, ...left.map(({ expiresAtMs = NEVER }) => expiresAtMs)));
            break;
          }
          case 'tenant':
            if (!world.tenants.delete(one.tenant)) world.tenants.add(one.tenant);
            break;
          case 'keys':
            writeFileSync(file, JSON.stringify({ keys: [key, nextKey].filter(isIn(one.kids)).map(({ jwk }) => jwk) }));
            world.keys = new Set(one.kids);
            await authenticator.reload();
            break;
          case 'show': {
            const token = minted[one.which];
            if (token === undefined) break;
            const result = await authenticator.authenticate(token.shown);
            expect(result.ok).toBe(expected(world, token));
            expect(authenticator.stats.cached).toBeLessThanOrEqual(6);
          }
        }
      }
    }),
    { numRuns: 120, seed: 42 },
  );
});
const temporaryRoot = temporaryDirectory();

const isIn =
  (kids: readonly string[]) =>
  ({ kid }: { readonly kid: string }): boolean =>
    kids.includes(kid);
