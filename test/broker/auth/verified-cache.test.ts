import { writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type AuthenticatorOptions, MemoryRevocations } from '../../../src/broker/auth/index.ts';
import { GenerationMap } from '../../../src/broker/auth/verified-cache.ts';
import { bench, issuerOf, jwksFile, makeKey, NOW, NOW_MS, token } from './forge.ts';

const key = makeKey('EdDSA', 'k1');
const nextKey = makeKey('EdDSA', 'k2');

async function withToken(options: Partial<AuthenticatorOptions> = {}, claimed: Record<string, unknown> = {}) {
  const { authenticator, clock } = await bench([issuerOf([key])], options);
  const valid = token(key, claimed);
  const code = async (): Promise<string> => {
    const result = await authenticator.authenticate(valid);
    return result.ok ? 'ok' : result.error.code;
  };
  return { authenticator, clock, valid, code };
}

describe('a verified token', () => {
  it('is verified once, also when many requests bring it at once', async () => {
    const { authenticator, valid } = await withToken();
    const results = await Promise.all(Array.from({ length: 50 }, () => authenticator.authenticate(valid)));
    expect(results.every(({ ok }) => ok)).toBe(true);
    expect(authenticator.stats).toMatchObject({ verified: 1, cached: 1 });
    await authenticator.authenticate(valid);
    expect(authenticator.stats).toMatchObject({ verified: 1, hits: 1 });
  });

  it('is known by what it says, not by the object that it came in', async () => {
    const { authenticator, valid } = await withToken();
    const shown = { token: valid, source: 'here' };
    expect((await authenticator.authenticate(shown)).ok).toBe(true);
    shown.token = `${valid.slice(0, -4)}AAAA`;
    expect((await authenticator.authenticate(shown)).ok).toBe(false);
    shown.token = valid;
    expect((await authenticator.authenticate(shown)).ok).toBe(true);
    expect(authenticator.stats).toMatchObject({ verified: 1, hits: 1, refused: 1 });
  });

  it('is forgotten at its expiry, to the millisecond', async () => {
    const { authenticator, clock, code } = await withToken();
    expect(await code()).toBe('ok');
    clock.nowMs = NOW_MS + 599_999;
    expect(await code()).toBe('ok');
    clock.nowMs = NOW_MS + 600_000;
    expect(await code()).toBe('expired');
    expect(authenticator.stats.cached).toBe(0);
  });

  it('does not count when the clock goes back to before it', async () => {
    const { clock, code } = await withToken();
    expect(await code()).toBe('ok');
    clock.nowMs = NOW_MS - 60_000;
    expect(await code()).toBe('not-yet-valid');
  });

  it('never outlives its expiry, whatever the clock does', async () => {
    const step = fc.record({
      which: fc.integer({ min: 0, max: 4 }),
      advanceMs: fc.oneof(fc.integer({ min: -20_000, max: 40_000 }), fc.integer({ min: -1, max: 1 })),
      toBoundary: fc.boolean(),
    });
    const lives = [1, 5, 30, 30.5, 60];
    const tokens = lives.map((life, i) => token(key, { jti: `${i}`, iat: NOW, nbf: NOW, exp: NOW + life }));
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const { authenticator, clock } = await bench([issuerOf([key], { clock_tolerance_ms: 1000 })], {
          cacheCapacity: 4,
        });
        for (const { which, advanceMs, toBoundary } of steps) {
          const expiryMs = NOW_MS + (lives[which] ?? 0) * 1000;
          clock.nowMs = toBoundary ? expiryMs + Math.sign(advanceMs) : clock.nowMs + advanceMs;
          const result = await authenticator.authenticate(tokens[which] ?? '');
          expect(result.ok).toBe(clock.nowMs < expiryMs && clock.nowMs >= NOW_MS - 1000);
        }
      }),
      { numRuns: 200 },
    );
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
    'is refused while the clock says %s',
    async (nowMs) => {
      const { clock, code } = await withToken();
      expect(await code()).toBe('ok');
      clock.nowMs = nowMs;
      expect(await code()).not.toBe('ok');
    },
  );

  it('is refused once its tenant is no longer known', async () => {
    const knownTenants = new Set(['acme']);
    const { code } = await withToken({ knownTenants });
    expect(await code()).toBe('ok');
    knownTenants.delete('acme');
    expect(await code()).toBe('rejected');
  });

  it.each([
    ['token id', { kind: 'token', tokenId: 'jti:https://idp.example#t1' }],
    ['principal', { kind: 'principal', name: 'user:https://idp.example#alice' }],
    ['tenant', { kind: 'tenant', tenant: 'acme' }],
  ] as const)('is refused at once when revoked by its %s', async (_what, revoked) => {
    const revocations = new MemoryRevocations();
    const { authenticator, code } = await withToken({ revocations }, { jti: 't1' });
    expect(await code()).toBe('ok');
    revocations.revoke({ kind: 'tenant', tenant: 'globex' });
    expect(await code()).toBe('ok');
    expect(authenticator.stats.hits).toBe(1);
    revocations.revoke(revoked);
    expect(await code()).toBe('rejected');
    expect(await code()).toBe('rejected');
    expect(authenticator.stats.cached).toBe(0);
  });

  it('is refused at once when its key is revoked', async () => {
    const revocations = new MemoryRevocations();
    const seen: string[] = [];
    const spy = {
      get version() {
        return revocations.version;
      },
      isRevoked: (...args: Parameters<MemoryRevocations['isRevoked']>) => {
        seen.push(args[1].keyThumbprint);
        return revocations.isRevoked(...args);
      },
    };
    const { code } = await withToken({ revocations: spy });
    expect(await code()).toBe('ok');
    revocations.revoke({ kind: 'key', thumbprint: seen[0] ?? '' });
    expect(await code()).toBe('rejected');
  });

  it('is refused when the revocations, the tenants or the clock fail, and nothing is thrown', async () => {
    const fail = (): never => {
      throw new Error('defect');
    };
    let broken = false;
    const flaky = <T>(value: T): T => (broken ? fail() : value);
    const revocations = {
      get version() {
        return flaky(1);
      },
      isRevoked: () => flaky(false),
    };
    const knownTenants = { has: () => flaky(true) };
    for (const options of [{ revocations }, { knownTenants }, { clock: { now: () => flaky(NOW_MS) } }]) {
      broken = false;
      const { authenticator, valid } = await withToken(options);
      expect((await authenticator.authenticate(valid)).ok).toBe(true);
      broken = true;
      const known = await authenticator.authenticate(valid);
      const fresh = await authenticator.authenticate(token(key, { jti: 'new' }));
      expect([known, fresh].map((result) => (result.ok ? 'ok' : result.error.cause))).toEqual(['internal', 'internal']);
    }
  });

  it('is refused after a reload that took its key away, and one that fails keeps the keys', async () => {
    const file = jwksFile([key.jwk]);
    const { authenticator } = await bench([issuerOf([key], { jwks_file: file })]);
    const valid = token(key);
    expect((await authenticator.authenticate(valid)).ok).toBe(true);
    writeFileSync(file, '{');
    const failed = await authenticator.reload();
    expect(failed.ok ? [] : failed.error).toEqual([expect.stringContaining('not JSON')]);
    expect((await authenticator.authenticate(valid)).ok).toBe(true);
    writeFileSync(file, JSON.stringify({ keys: [nextKey.jwk] }));
    expect((await authenticator.reload()).ok).toBe(true);
    expect(authenticator.stats.cached).toBe(0);
    expect((await authenticator.authenticate(valid)).ok).toBe(false);
    expect((await authenticator.authenticate(token(nextKey))).ok).toBe(true);
  });

  it('takes no more room than configured, and refused ones take none', async () => {
    const { authenticator } = await withToken({ cacheCapacity: 20 });
    for (let i = 0; i < 200; i++) {
      await authenticator.authenticate(token(key, { jti: `${i}` }));
      await authenticator.authenticate(token(nextKey, { jti: `${i}` }));
      expect(authenticator.stats.cached).toBeLessThanOrEqual(20);
    }
    expect(authenticator.stats).toMatchObject({ verified: 200, refused: 200 });
  });

  it('is kept under a digest, not under itself', async () => {
    const map = new GenerationMap<number>(4);
    map.set('a', 1);
    const { valid, code } = await withToken();
    const keys: string[] = [];
    const original = GenerationMap.prototype.set;
    GenerationMap.prototype.set = function (this: GenerationMap<unknown>, name: string, value: unknown) {
      keys.push(name);
      original.call(this, name, value);
    };
    try {
      await code();
    } finally {
      GenerationMap.prototype.set = original;
    }
    expect(keys).toHaveLength(1);
    expect(valid).not.toContain(keys[0]);
    expect(keys[0]).toHaveLength(43);
  });
});

describe('the bounded map', () => {
  it('never holds more than its capacity nor gives back anything but what was put in last', () => {
    const operation = fc.record({
      kind: fc.constantFrom('get', 'set', 'delete'),
      key: fc.integer({ min: 0, max: 12 }).map(String),
    });
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 9 }), fc.array(operation, { maxLength: 200 }), (capacity, operations) => {
        const map = new GenerationMap<number>(capacity);
        const model = new Map<string, number>();
        for (const [at, { kind, key: name }] of operations.entries()) {
          if (kind === 'set') {
            map.set(name, at + 1);
            model.set(name, at + 1);
            expect(map.get(name)).toBe(at + 1);
          } else if (kind === 'delete') {
            map.delete(name);
            model.delete(name);
          } else {
            expect([undefined, model.get(name)]).toContain(map.get(name));
          }
          expect(map.size).toBeLessThanOrEqual(capacity);
        }
      }),
    );
  });

  it('keeps what is in use', () => {
    const map = new GenerationMap<string>(10);
    map.set('busy', 'x');
    for (let i = 0; i < 100; i++) {
      map.set(`${i}`, 'y');
      expect(map.get('busy')).toBe('x');
    }
  });
});
