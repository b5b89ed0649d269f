import { describe, expect, it } from 'vitest';
import { FailedAttempts } from '../../../src/broker/auth/failed-attempts.ts';
import { MemoryRevocations } from '../../../src/broker/auth/index.ts';
import { sourceGroup } from '../../../src/broker/auth/source-address.ts';
import type { Credential } from '../../../src/broker/core-api.ts';
import { bench, issuerOf, makeKey, NOW, NOW_MS, token } from './forge.ts';

describe('failures count against', () => {
  it.each([
    ['192.0.2.7:4711', '192.0.2.7'],
    ['192.0.2.7', '192.0.2.7'],
    ['::ffff:192.0.2.7:4711', '192.0.2.7'],
    ['[::ffff:c000:207]:4711', '192.0.2.7'],
    ['[2001:db8:1:2:3:4:5:6]:443', '2001:db8:1:2::/64'],
    ['2001:db8:1:2:3:4:5:6:443', '2001:db8:1:2::/64'],
    ['[2001:db8:1:2::9]:1', '2001:db8:1:2::/64'],
    ['[2001:db8::1]:1', '2001:db8:0:0::/64'],
    ['[fe80::1%eth0]:1', 'fe80:0:0:0::/64'],
    ['[::1]:1', '0:0:0:0::/64'],
    ['unknown:0', 'unknown'],
    ['', 'unknown'],
    ['worker 3', 'unknown'],
  ])('%s as %s', (source, group) => {
    expect(sourceGroup(source)).toBe(group);
  });
});

const limits = { perSecond: 1, burst: 3, sources: 4 };

describe('failed attempts', () => {
  it('are answered as such until there are too many, by source, and again as time passes', () => {
    const failures = new FailedAttempts(limits, NOW_MS);
    const fail = (source: string, ms: number) => failures.failed(source, NOW_MS + ms);
    expect([1, 2, 3].map(() => fail('192.0.2.1:1', 0))).toEqual([0, 0, 0]);
    expect(fail('192.0.2.1:2', 0)).toBe(1000);
    expect(fail('192.0.2.2:1', 0)).toBe(0);
    expect(fail('192.0.2.1:3', 1000)).toBe(0);
    expect(fail('192.0.2.1:3', 1000)).toBe(1000);
  });

  it('of many sources take no more room than configured, and buy nobody a fresh start', () => {
    const failures = new FailedAttempts(limits, NOW_MS);
    for (let i = 0; i < 3; i++) failures.failed('192.0.2.1', NOW_MS);
    for (let i = 0; i < 1000; i++) failures.failed(`198.51.${i >> 8}.${i & 255}`, NOW_MS);
    expect(failures.size).toBe(4);
    expect(failures.failed('192.0.2.1', NOW_MS)).toBeGreaterThan(0);
    // Those for whom there was no room share one count.
    expect(failures.failed('203.0.113.9', NOW_MS)).toBeGreaterThan(0);
    // Whoever has been quiet for long enough makes room.
    expect(failures.failed('203.0.113.9', NOW_MS + 10_000)).toBe(0);
  });
});

describe('a source with too many failures', () => {
  const key = makeKey('EdDSA', 'k1');
  const stranger = { ...makeKey('EdDSA', 'k1') };
  const source = '192.0.2.1:5';

  async function broker() {
    const revocations = new MemoryRevocations();
    const { authenticator, clock } = await bench([issuerOf([key])], { failures: limits, revocations });
    const show = async (shown: Partial<Credential>) => {
      const result = await authenticator.authenticate({ token: '', source, ...shown });
      return result.ok ? 'ok' : result.error;
    };
    const cause = async (shown: Partial<Credential>) => {
      const result = await show(shown);
      return typeof result === 'string' ? result : result.cause;
    };
    return { authenticator, clock, revocations, show, cause };
  }

  it('is told to wait, in one sentence whatever was wrong, and hears the cause again when it has', async () => {
    const { show, cause, clock } = await broker();
    for (let i = 0; i < 3; i++) expect(await cause({ token: token(stranger, { jti: `${i}` }) })).toBe('signature');
    const told = [await show({ token: token(stranger, { jti: 'x' }) }), await show({}), await show({ token: 'x' })];
    for (const refusal of told) expect(refusal).toMatchObject({ code: 'too-many', retryAfterMs: 1000 });
    expect(new Set(told.map((refusal) => (typeof refusal === 'string' ? '' : refusal.sentence))).size).toBe(1);
    clock.nowMs += 1000;
    expect(await cause({ token: token(stranger, { jti: 'y' }) })).toBe('signature');
  });

  it('still gets in with a good token, a known one and one that was never seen', async () => {
    const { cause, authenticator } = await broker();
    const known = token(key, { jti: 'known' });
    expect(await cause({ token: known })).toBe('ok');
    for (let i = 0; i < 10; i++) await cause({ token: token(stranger, { jti: `${i}` }) });
    expect(await cause({ token: known })).toBe('ok');
    expect(await cause({ token: token(key, { jti: 'new' }) })).toBe('ok');
    expect(authenticator.stats).toMatchObject({ hits: 1, verified: 2 });
  });

  it('has one signature looked at after another, and what finds no place to wait is not looked at', async () => {
    const { cause, authenticator } = await broker();
    for (let i = 0; i < 3; i++) await cause({ token: token(stranger, { jti: `${i}` }) });
    const before = authenticator.stats.signatures;
    const flood = Array.from({ length: 1500 }, (_, i) => cause({ token: token(stranger, { jti: `f${i}` }) }));
    const elsewhere = cause({ token: token(key, { jti: 'elsewhere' }), source: '192.0.2.2:1' });
    expect(new Set(await Promise.all(flood))).toEqual(new Set(['too-many']));
    expect(await elsewhere).toBe('ok');
    expect(authenticator.stats.signatures - before).toBe(1025);
  });

  it('shuts out nobody else behind the same address, however many bad tokens are under way from there', async () => {
    const { cause } = await broker();
    for (let i = 0; i < 3; i++) await cause({ token: token(stranger, { jti: `${i}` }) });
    const flood = Array.from({ length: 200 }, (_, i) => cause({ token: token(stranger, { jti: `f${i}` }) }));
    expect(await cause({ token: token(key, { jti: 'a neighbour' }), source: '192.0.2.1:6' })).toBe('ok');
    await Promise.all(flood);
  });

  it('hears that a good token has ended all the same: its holder has to know that he needs another one', async () => {
    const { cause, clock, revocations } = await broker();
    const [one, other] = [token(key, { jti: 'one' }), token(key, { jti: 'other', exp: NOW + 86_000 })];
    expect(await cause({ token: one })).toBe('ok');
    clock.nowMs += 3_600_000;
    for (let i = 0; i < 10; i++) await cause({ token: token(stranger, { jti: `${i}` }) });
    expect(await cause({ token: one })).toBe('expired');
    expect(await cause({ token: other })).toBe('ok');
    revocations.revoke({ kind: 'tenant', tenant: 'acme' });
    expect(await cause({ token: other })).toBe('revoked');
    expect(await cause({ token: token(stranger, { jti: 'expired and forged' }) })).toBe('too-many');
  });

  it('is not counted against for what is no failure of its own', async () => {
    const { cause } = await broker();
    for (let i = 0; i < 20; i++) expect(await cause({ token: token(key, { jti: `${i}` }) })).toBe('ok');
    expect(await cause({ token: token(stranger) })).toBe('signature');
  });
});
