import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Fate, type Job, simulate } from './simulation.ts';

const TENANTS = ['acme', 'globex', 'initech', 'umbrella'];
const runs = { numRuns: 150, seed: 20_261_123 };

const weights = fc.array(fc.integer({ min: 1, max: 8 }), { minLength: 4, maxLength: 4 });

/** Bursts of any tenants, close together and far apart. */
const arrivals = (takesMs: fc.Arbitrary<number>): fc.Arbitrary<readonly Job[]> =>
  fc
    .array(
      fc.record({
        gapMs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 30 })),
        tenant: fc.constantFrom(...TENANTS),
        count: fc.integer({ min: 1, max: 25 }),
        takesMs,
      }),
      { minLength: 1, maxLength: 30 },
    )
    .map((bursts) => {
      let atMs = 0;
      return bursts.flatMap((burst) => {
        atMs += burst.gapMs;
        return Array.from({ length: burst.count }, () => ({ atMs, tenant: burst.tenant, takesMs: burst.takesMs }));
      });
    });

const weightOf = (all: readonly number[]) => (tenant: string) => all[TENANTS.indexOf(tenant)] ?? 1;

/** Walks through the starts; the widest gap between two tenants' shares over any span in which both had work waiting. */
function widestGap(starts: readonly Fate[], one: string, other: string, share: (fate: Fate) => number): number {
  let [difference, least, most, widest] = [0, 0, 0, 0];
  for (const fate of starts) {
    if (fate.backlogged?.has(one) !== true || !fate.backlogged.has(other)) {
      [difference, least, most] = [0, 0, 0];
      continue;
    }
    if (fate.job.tenant === one) difference += share(fate);
    if (fate.job.tenant === other) difference -= share(fate);
    least = Math.min(least, difference);
    most = Math.max(most, difference);
    widest = Math.max(widest, most - least);
  }
  return widest;
}

const inOrderOfStart = (fates: readonly Fate[]) =>
  fates.filter(({ place }) => place !== undefined).toSorted((a, b) => (a.place ?? 0) - (b.place ?? 0));

describe('tenants who all have work waiting', () => {
  it('get turns in proportion to their weights, within one turn of each, whatever came when', async () => {
    await fc.assert(
      fc.asyncProperty(arrivals(fc.constant(1)), weights, async (jobs, all) => {
        const weight = weightOf(all);
        const { fates } = await simulate(jobs, { weightOf: weight });
        const starts = inOrderOfStart(fates);
        for (const one of TENANTS) {
          for (const other of TENANTS) {
            if (one === other) continue;
            const gap = widestGap(starts, one, other, ({ job }) => 1 / weight(job.tenant));
            expect(gap).toBeLessThanOrEqual(1 / weight(one) + 1 / weight(other) + 1e-9);
          }
        }
      }),
      runs,
    );
  });

  it('get time in proportion to their weights where turns take long, within one turn of each', async () => {
    // In spans of 5 ms, which is what is counted.
    const long = fc.integer({ min: 1, max: 40 }).map((spans) => spans * 5);
    await fc.assert(
      fc.asyncProperty(arrivals(long), weights, async (jobs, all) => {
        const weight = weightOf(all);
        const longest = Math.max(...jobs.map(({ takesMs }) => takesMs));
        const { fates } = await simulate(jobs, { weightOf: weight });
        const starts = inOrderOfStart(fates);
        for (const one of TENANTS) {
          for (const other of TENANTS) {
            if (one === other) continue;
            const gap = widestGap(starts, one, other, ({ job }) => job.takesMs / weight(job.tenant));
            expect(gap).toBeLessThanOrEqual(longest / weight(one) + longest / weight(other) + 1e-6);
          }
        }
      }),
      runs,
    );
  });

  it('are each served in the order in which they asked, all of them, one at a time', async () => {
    await fc.assert(
      fc.asyncProperty(arrivals(fc.integer({ min: 1, max: 9 })), weights, async (jobs, all) => {
        const { fates, mostRunning, scheduler } = await simulate(jobs, { weightOf: weightOf(all) });
        expect(mostRunning).toBe(1);
        for (const tenant of TENANTS) {
          const own = inOrderOfStart(fates).filter(({ job }) => job.tenant === tenant);
          expect(own.map(({ number }) => number)).toEqual(own.map(({ number }) => number).toSorted((a, b) => a - b));
        }
        expect(fates.filter(({ endedMs }) => endedMs === undefined)).toEqual([]);
        expect([scheduler.waiting, scheduler.running]).toEqual([0, 0]);
        // Nobody waits while the device has nothing to do.
        const busy = jobs.reduce((sum, { takesMs }) => sum + takesMs, 0);
        const idle = gaps(fates);
        expect(Math.max(...fates.map(({ endedMs }) => endedMs ?? 0))).toBe(busy + idle);
      }),
      runs,
    );
  });
});

/** Time in which nothing ran, from the start of the day to its end. */
function gaps(fates: readonly Fate[]): number {
  let [free, idle] = [0, 0];
  for (const { startedMs = 0, endedMs = 0, job } of inOrderOfStart(fates)) {
    // The device may only rest until somebody asks.
    if (startedMs > free) {
      expect(startedMs).toBe(job.atMs);
      idle += startedMs - free;
    }
    free = endedMs;
  }
  return idle;
}

describe('those who come late', () => {
  it('have their first turn after one turn of each other tenant at most, however much the others have waiting', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 60 }), async (flood, lateMs) => {
        const jobs: Job[] = [
          ...Array.from({ length: flood }, () => ({ atMs: 0, tenant: 'acme', takesMs: 1 })),
          ...Array.from({ length: flood }, () => ({ atMs: 0, tenant: 'initech', takesMs: 1 })),
          { atMs: lateMs + 0.5, tenant: 'globex', takesMs: 1 },
        ];
        const { fates } = await simulate(jobs);
        const late = fates.find(({ job }) => job.tenant === 'globex');
        expect((late?.startedMs ?? Number.NaN) - lateMs).toBeLessThanOrEqual(1 + 2);
      }),
      { ...runs, numRuns: 40 },
    );
  });
});

describe('lanes', () => {
  const share = async (lanes: readonly ('broker' | 'operators' | 'tenants')[]) => {
    const jobs = lanes.flatMap((lane) =>
      Array.from({ length: 400 }, () => ({ atMs: 0, tenant: lane === 'tenants' ? 'acme' : lane, lane, takesMs: 1 })),
    );
    const { fates } = await simulate(jobs);
    const first = inOrderOfStart(fates).slice(0, 400);
    return Object.fromEntries(lanes.map((lane) => [lane, first.filter(({ job }) => job.lane === lane).length]));
  };

  it('keep the share of each however much waits in the others: nobody is shut out', async () => {
    const { broker = 0, operators = 0, tenants = 0 } = await share(['tenants', 'operators', 'broker']);
    expect(Math.abs(broker - 200)).toBeLessThanOrEqual(2);
    expect(Math.abs(operators - 100)).toBeLessThanOrEqual(2);
    expect(Math.abs(tenants - 100)).toBeLessThanOrEqual(2);
  });

  it('give the operators half of the turns beside any number of tenants', async () => {
    const crowd: Job[] = Array.from({ length: 50 }, (_, i) => i).flatMap((i) =>
      Array.from({ length: 20 }, () => ({ atMs: 0, tenant: `tenant-${i}`, takesMs: 1 })),
    );
    const fabric: Job[] = Array.from({ length: 100 }, () => ({
      atMs: 0,
      tenant: 'fabric',
      lane: 'operators' as const,
      takesMs: 1,
    }));
    const { fates } = await simulate([...crowd, ...fabric]);
    const first = inOrderOfStart(fates).slice(0, 200);
    expect(first.filter(({ job }) => job.tenant === 'fabric').length).toBeGreaterThanOrEqual(98);
  });
});
