import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Demand, type QuotaSettings, Quotas } from '../../../src/broker/quota/index.ts';
import { TokenBucket } from '../../../src/broker/quota/token-bucket.ts';

const read: Demand = { class: 'allowlisted', bytes: 10, mayRunOn: false };

function quotas(settings: Partial<QuotaSettings>, running = 0) {
  const clock = { nowMs: 1000 };
  const all = new Quotas(
    { general: {}, tenants: new Map(), concurrent: 4, ...settings },
    () => running,
    () => clock.nowMs,
  );
  const take = (tenant: string, demand: Partial<Demand> = {}) => {
    const pass = all.take(tenant, { ...read, ...demand });
    return pass.ok ? 'passed' : `${pass.error.limit} ${pass.error.retryAfterMs}`;
  };
  return { all, take, clock };
}

describe('commands a second', () => {
  it('pass in a burst, then at the rate, and the refusal says when the next one will', () => {
    const { take, clock } = quotas({ general: { commandsPerSecond: 10, burst: 3 } });
    expect(['a', 'b', 'c', 'd', 'e'].map(() => take('acme'))).toEqual([
      'passed',
      'passed',
      'passed',
      'commands_per_second 100',
      'commands_per_second 100',
    ]);
    clock.nowMs += 99;
    expect(take('acme')).toBe('commands_per_second 1');
    clock.nowMs += 1;
    // The refused ones took nothing.
    expect([take('acme'), take('acme')]).toEqual(['passed', 'commands_per_second 100']);
  });

  it('are counted for each tenant by himself; his own numbers replace the general ones', () => {
    const { take } = quotas({
      general: { commandsPerSecond: 1 },
      tenants: new Map([['globex', { commandsPerSecond: 2 }]]),
    });
    expect([take('acme'), take('acme')]).toEqual(['passed', 'commands_per_second 1000']);
    expect([take('globex'), take('globex'), take('globex')]).toEqual(['passed', 'passed', 'commands_per_second 500']);
    expect(take('initech')).toBe('passed');
  });

  it('are not limited for the operators unless they are named', () => {
    const { take } = quotas({ general: { commandsPerSecond: 1, burst: 1 } });
    expect(Array.from({ length: 50 }, () => take('fabric')).every((end) => end === 'passed')).toBe(true);
    const named = quotas({ tenants: new Map([['fabric', { commandsPerSecond: 1 }]]) });
    expect([named.take('fabric'), named.take('fabric')]).toEqual(['passed', 'commands_per_second 1000']);
  });

  it('of one class are limited beside those of all, and one that is over either takes nothing of both', () => {
    const { take, all } = quotas({
      general: { commandsPerSecond: 10, burst: 3, classes: { raw: { commandsPerSecond: 1, burst: 1 } } },
    });
    expect([take('acme', { class: 'raw' }), take('acme', { class: 'raw' })]).toEqual([
      'passed',
      'commands_per_second 1000',
    ]);
    expect(all.view('acme').commandsPerSecond?.left).toBe(2);
    expect([take('acme'), take('acme'), take('acme')]).toEqual(['passed', 'passed', 'commands_per_second 100']);
    expect(all.view('acme').classes).toEqual({ raw: { commandsPerSecond: { limit: 1, burst: 1, left: 0 } } });
  });
});

describe('places', () => {
  it('are given back when a request is done', () => {
    const { all } = quotas({ concurrent: 2 });
    const first = all.enter('acme');
    expect(all.enter('acme').ok).toBe(true);
    expect(all.enter('acme')).toMatchObject({ ok: false, error: { limit: 'concurrent' } });
    expect(all.enter('globex').ok).toBe(true);
    expect(all.underWay()).toEqual(
      new Map([
        ['acme', 2],
        ['globex', 1],
      ]),
    );
    if (first.ok) first.value();
    expect(all.enter('acme').ok).toBe(true);
  });

  it('of one class are bounded by themselves', () => {
    const { all, take } = quotas({ general: { classes: { audited: { concurrent: 1 } } } });
    const pass = all.take('acme', { ...read, class: 'audited' });
    expect(take('acme', { class: 'audited' })).toMatch(/^concurrent/);
    expect(take('acme')).toBe('passed');
    if (pass.ok) pass.value.end();
    expect(take('acme', { class: 'audited' })).toBe('passed');
    expect(all.view('acme').classes?.audited).toEqual({ concurrent: { limit: 1, used: 1 } });
  });
});

describe('operations in the background', () => {
  it('that run and that may be started at this moment count together', () => {
    const { all, take } = quotas({ general: { background: 2 } }, 1);
    const pass = all.take('acme', { ...read, mayRunOn: true });
    expect(pass.ok).toBe(true);
    expect(take('acme', { mayRunOn: true })).toMatch(/^background/);
    expect(take('acme')).toBe('passed');
    if (pass.ok) pass.value.end();
    expect(take('acme', { mayRunOn: true })).toBe('passed');
    expect(all.view('acme').background).toEqual({ limit: 2, used: 1 });
  });
});

describe('bytes', () => {
  it('of a large reply are a debt that has to be worked off before the next command', () => {
    const { all, take, clock } = quotas({ general: { bytesPerSecond: 1000 } });
    const pass = all.take('acme', read);
    if (pass.ok) pass.value.received(1490);
    expect(all.view('acme').bytesPerSecond).toEqual({ limit: 1000, left: 0 });
    expect(take('acme')).toBe('bytes_per_second 501');
    clock.nowMs += 501;
    expect(take('acme')).toBe('passed');
  });
});

describe('a token bucket', () => {
  it('never gives more than its burst and its rate allow, in any span, whatever is asked when', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 50 }),
        fc.integer({ min: 1, max: 30 }),
        fc.array(fc.integer({ min: -5, max: 300 }), { maxLength: 300 }),
        (perSecond, burst, steps) => {
          let nowMs = 0;
          const bucket = new TokenBucket(perSecond, burst, nowMs);
          const given: number[] = [];
          for (const step of steps) {
            // The clock may even go back: that gives nothing.
            nowMs += step;
            if (bucket.waitMs(1, nowMs) > 0) continue;
            bucket.take(1, nowMs);
            given.push(Math.max(nowMs, given.at(-1) ?? 0));
          }
          for (let i = 0; i < given.length; i++) {
            for (let j = i; j < given.length; j++) {
              const span = (given[j] ?? 0) - (given[i] ?? 0);
              expect(j - i + 1).toBeLessThanOrEqual(burst + (span * perSecond) / 1000 + 1e-6 + 1);
            }
          }
        },
      ),
      { numRuns: 100, seed: 5 },
    );
  });

  it('gives again exactly when it said it would', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.01, max: 1000, noNaN: true }),
        fc.integer({ min: 1, max: 20 }),
        (perSecond, burst) => {
          const bucket = new TokenBucket(perSecond, burst, 0);
          bucket.take(burst, 0);
          const wait = bucket.waitMs(1, 0);
          expect(bucket.waitMs(1, wait - 2)).toBeGreaterThan(0);
          expect(bucket.waitMs(1, wait)).toBe(0);
        },
      ),
      { numRuns: 200, seed: 5 },
    );
  });
});
