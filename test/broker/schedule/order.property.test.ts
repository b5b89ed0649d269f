import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { covers, everything, type Footprint } from '../../../src/broker/schedule/index.ts';
import { type Fate, type Job, simulate } from './simulation.ts';

const runs = { numRuns: 200, seed: 20_261_123 };
const PATHS = [
  '/switches/sw0',
  '/switches/sw0/ports/1',
  '/switches/sw0/ports/3',
  '/switches/sw0/ports/3/lds/0',
  '/switches/sw0/ports/3/lds/1',
  '/switches/sw0/vcss/0/vppbs/1',
];

const footprint: fc.Arbitrary<Footprint> = fc.oneof(
  {
    weight: 9,
    arbitrary: fc.record({
      kind: fc.constant('resources' as const),
      changes: fc.boolean(),
      paths: fc.uniqueArray(fc.constantFrom(...PATHS), { maxLength: 3 }),
    }),
  },
  { weight: 1, arbitrary: fc.constant(everything) },
);

const jobs: fc.Arbitrary<readonly Job[]> = fc
  .array(
    fc.record({
      gapMs: fc.integer({ min: 0, max: 3 }),
      tenant: fc.constantFrom('acme', 'globex', 'initech'),
      takesMs: fc.integer({ min: 1, max: 12 }),
      footprint,
      deadlineMs: fc.option(fc.integer({ min: 1, max: 40 }), { freq: 5, nil: undefined }),
      cancelMs: fc.option(fc.integer({ min: 0, max: 10 }), { freq: 5, nil: undefined }),
    }),
    { minLength: 1, maxLength: 60 },
  )
  .map((all) => {
    let atMs = 0;
    return all.map(({ gapMs, cancelMs, deadlineMs, ...job }) => {
      atMs += gapMs;
      return {
        ...job,
        atMs,
        ...(cancelMs === undefined ? {} : { cancelMs }),
        ...(deadlineMs === undefined ? {} : { deadlineMs }),
      };
    });
  });

const isBelow = (path: string, above: string) => path === above || path.startsWith(`${above}/`);

/** The rule in its own words: the same resource, or a change and anything that overlaps it. */
function mustKeepOrder(one: Footprint, other: Footprint): boolean {
  if (one.kind === 'everything' || other.kind === 'everything') return true;
  const [left, right] = [one.paths, other.paths].map((paths) => (paths.length === 0 ? [''] : paths));
  return (left ?? []).some((a) =>
    (right ?? []).some((b) => a === b || ((one.changes || other.changes) && (isBelow(a, b) || isBelow(b, a)))),
  );
}

const ran = (fates: readonly Fate[]) => fates.filter(({ startedMs }) => startedMs !== undefined);

describe('where several commands may be in flight', () => {
  it('none overtakes an earlier one of its tenant on the same resource, and no two that must keep order overlap', async () => {
    await fc.assert(
      fc.asyncProperty(jobs, fc.integer({ min: 1, max: 8 }), async (all, slots) => {
        const { fates, mostRunning, scheduler } = await simulate(all, { slots: () => slots });
        expect(mostRunning).toBeLessThanOrEqual(slots);
        const done = ran(fates);
        for (const [i, first] of done.entries()) {
          for (const second of done.slice(i + 1)) {
            if (!mustKeepOrder(first.job.footprint ?? everything, second.job.footprint ?? everything)) continue;
            const [s1 = 0, e1 = 0, s2 = 0, e2 = 0] = [first.startedMs, first.endedMs, second.startedMs, second.endedMs];
            expect(e1 <= s2 || e2 <= s1).toBe(true);
            if (first.job.tenant === second.job.tenant) expect(e1).toBeLessThanOrEqual(s2);
          }
        }
        // Each had its turn in time, or heard why not.
        for (const { job, startedMs, endedMs, unserved } of fates) {
          if (startedMs === undefined) {
            const reasons = [
              ...(job.cancelMs === undefined ? [] : ['cancelled']),
              ...(job.deadlineMs === undefined ? [] : ['deadline', 'too-late']),
            ];
            expect(reasons).toContain(unserved?.why);
          } else {
            expect(endedMs).toBeDefined();
            expect(startedMs).toBeLessThan(job.atMs + (job.deadlineMs ?? Number.POSITIVE_INFINITY));
          }
        }
        expect([scheduler.waiting, scheduler.running]).toEqual([0, 0]);
      }),
      runs,
    );
  });

  it('commands that have nothing to do with each other do run at the same time', async () => {
    const apart = Array.from({ length: 8 }, (_, i) => ({
      atMs: 0,
      tenant: 'acme',
      takesMs: 5,
      footprint: { kind: 'resources' as const, changes: true, paths: [`/switches/sw0/ports/${i}`] },
    }));
    const { fates, mostRunning } = await simulate(apart, { slots: () => 8 });
    expect(mostRunning).toBe(8);
    expect(fates.every(({ startedMs }) => startedMs === 0)).toBe(true);
  });

  it('a barrier waits for what is in flight, runs alone, and is not put off by what comes after it', async () => {
    const read = { kind: 'resources' as const, changes: false, paths: ['/switches/sw0/ports/1'] };
    const others = (atMs: number) =>
      [2, 3, 4].map((port) => ({
        atMs,
        tenant: `tenant-${port}`,
        takesMs: 4,
        footprint: { ...read, paths: [`/switches/sw0/ports/${port}`] },
      }));
    const barrier = { atMs: 1, tenant: 'acme', takesMs: 3, footprint: everything };
    const { fates } = await simulate([...others(0), barrier, ...others(2), ...others(3)], { slots: () => 8 });
    const found = fates.find(({ job }) => job.footprint === everything);
    expect(found).toMatchObject({ startedMs: 4, endedMs: 7 });
    for (const { job, startedMs } of fates.filter(({ job }) => job.atMs > 1)) {
      expect([job.tenant, startedMs]).toEqual([job.tenant, expect.any(Number)]);
      expect(startedMs).toBeGreaterThanOrEqual(7);
    }
  });

  it('one tenant whose commands wait for each other does not keep the slots from another', async () => {
    const same = { kind: 'resources' as const, changes: true, paths: ['/switches/sw0/ports/1'] };
    const flood = Array.from({ length: 100 }, () => ({ atMs: 0, tenant: 'acme', takesMs: 10, footprint: same }));
    const apart = Array.from({ length: 50 }, (_, i) => ({
      atMs: 1,
      tenant: 'globex',
      takesMs: 10,
      footprint: { ...same, paths: [`/switches/sw0/ports/${2 + (i % 7)}`] },
    }));
    const { fates } = await simulate([...flood, ...apart], { slots: () => 8 });
    const last = Math.max(...fates.filter(({ job }) => job.tenant === 'globex').map(({ endedMs }) => endedMs ?? 0));
    // Seven at a time, and not one for each of acme's.
    expect(last).toBeLessThan(150);
  });
});

describe('a footprint', () => {
  it('covers another when everything that the other must keep order with, it must as well', () => {
    fc.assert(
      fc.property(footprint, footprint, footprint, (wide, narrow, third) => {
        if (covers(wide, narrow) && mustKeepOrder(narrow, third)) expect(mustKeepOrder(wide, third)).toBe(true);
      }),
      { ...runs, numRuns: 3000 },
    );
    expect(covers(everything, everything)).toBe(true);
    const path = { kind: 'resources' as const, changes: true, paths: ['/switches/sw0'] };
    expect(covers(path, { ...path, changes: false })).toBe(true);
    expect(covers({ ...path, changes: false }, path)).toBe(false);
  });
});
