import { describe, expect, it } from 'vitest';
import { Cancellation, Scheduler, type Turn, type Unserved } from '../../../src/broker/schedule/index.ts';
import { type Job, simulate } from './simulation.ts';

const each = (count: number, job: Omit<Job, 'atMs'> & { readonly atMs?: number }): readonly Job[] =>
  Array.from({ length: count }, () => ({ atMs: 0, ...job }));

/** Eight turns of 1 ms each, after which the scheduler believes that it knows how long turns take. */
const known = Array.from({ length: 8 }, (_, i) => ({ atMs: i, tenant: 'warm', takesMs: 1 }));

describe('a turn', () => {
  it('is there at once when nobody waits, without a promise', () => {
    const scheduler = new Scheduler({ slots: () => 1, queueMax: 1, queuePerTenant: 1, weightOf: () => 1 });
    const turn = scheduler.ask({ tenant: 'acme', lane: 'tenants' });
    expect(turn).not.toBeInstanceOf(Promise);
    expect(scheduler.running).toBe(1);
    if ('end' in turn) {
      turn.end();
      // A second call must not free the slot of somebody else.
      turn.end();
    }
    expect(scheduler.running).toBe(0);
  });

  it('lets the event loop have its own between many that need no time', async () => {
    let nowMs = 0;
    const scheduler = new Scheduler({
      slots: () => 1,
      queueMax: 1000,
      queuePerTenant: 1000,
      weightOf: () => 1,
      nowMs: () => (nowMs += 0.1),
    });
    let served = 0;
    const use = async () => {
      const turn = await scheduler.ask({ tenant: 'acme', lane: 'tenants' });
      served++;
      if ('end' in turn) turn.end();
    };
    const all = Promise.all(Array.from({ length: 100 }, use));
    await new Promise((done) => setImmediate(done));
    expect(served).toBeGreaterThan(0);
    expect(served).toBeLessThan(100);
    await all;
    expect(served).toBe(100);
  });
});

describe('the queue', () => {
  it('is bounded: what does not fit is refused at once, with the time that the backlog will take', async () => {
    const { fates } = await simulate([...known, ...each(30, { atMs: 20, tenant: 'acme', takesMs: 1 })], {
      queueMax: 10,
    });
    const refused = fates.filter(({ unserved }) => unserved !== undefined);
    expect(refused).toHaveLength(30 - 1 - 10);
    expect(refused[0]?.unserved).toEqual({ kind: 'unserved', why: 'queue-full', retryAfterMs: expect.any(Number) });
    expect(refused[0]?.unserved?.retryAfterMs).toBeGreaterThanOrEqual(10);
    expect(refused[0]?.unserved?.retryAfterMs).toBeLessThanOrEqual(30);
  });

  it('bounds what one tenant has in it', async () => {
    const { fates } = await simulate(each(30, { tenant: 'acme', takesMs: 1 }), { queuePerTenant: 5 });
    const why = fates.flatMap(({ unserved }) => unserved?.why ?? []);
    expect(why).toEqual(Array.from({ length: 24 }, () => 'tenant-queue-full'));
  });

  it('keeps room for those who have less than their part of it, when others have filled it', async () => {
    const flood = [...each(50, { tenant: 'acme', takesMs: 1 }), ...each(50, { tenant: 'initech', takesMs: 1 })];
    const { fates } = await simulate([...flood, ...each(5, { tenant: 'globex', takesMs: 1 })], { queueMax: 20 });
    const globex = fates.filter(({ job }) => job.tenant === 'globex');
    expect(globex.filter(({ startedMs }) => startedMs !== undefined)).toHaveLength(5);
    expect(fates.filter(({ unserved }) => unserved?.why === 'queue-full').length).toBeGreaterThan(50);
  });

  it("does not refuse the broker's own work", async () => {
    const own = each(50, { tenant: '', lane: 'broker', takesMs: 1 });
    const { fates } = await simulate([...each(5, { tenant: 'acme', takesMs: 1 }), ...own], { queueMax: 2 });
    expect(fates.filter(({ job, startedMs }) => job.lane === 'broker' && startedMs !== undefined)).toHaveLength(50);
  });
});

describe('a deadline', () => {
  it('that cannot be kept refuses the command at once, and says when it could', async () => {
    const backlog = each(40, { atMs: 20, tenant: 'acme', takesMs: 1 });
    const { fates } = await simulate([...known, ...backlog, { atMs: 20, tenant: 'acme', takesMs: 1, deadlineMs: 15 }]);
    const last = fates.at(-1);
    expect(last?.unserved).toMatchObject({ why: 'too-late' });
    // About 40 ms of work stands before it, and it has 15.
    expect(last?.unserved?.retryAfterMs).toBeGreaterThan(15);
    expect(last?.unserved?.retryAfterMs).toBeLessThan(35);
  });

  it("takes the tenant's share into account: another's long queue is not in the way of a short one", async () => {
    const backlog = each(400, { atMs: 20, tenant: 'acme', takesMs: 1 });
    const { fates } = await simulate([...known, ...backlog, { atMs: 20, tenant: 'globex', takesMs: 1, deadlineMs: 6 }]);
    expect(fates.at(-1)).toMatchObject({ startedMs: 21 });
  });

  it('does not refuse anything while nothing is known of how long turns take', async () => {
    const { fates } = await simulate([
      ...each(5, { tenant: 'acme', takesMs: 1 }),
      ...each(1, { tenant: 'acme', takesMs: 1, deadlineMs: 9 }),
    ]);
    expect(fates.every(({ startedMs }) => startedMs !== undefined)).toBe(true);
  });

  it('that passed while the event loop was busy keeps the command from being started', async () => {
    let nowMs = 0;
    const scheduler = new Scheduler({
      slots: () => 1,
      queueMax: 9,
      queuePerTenant: 9,
      weightOf: () => 1,
      nowMs: () => nowMs,
      sliceMs: Number.POSITIVE_INFINITY,
    });
    const first = scheduler.ask({ tenant: 'acme', lane: 'tenants' });
    const late = scheduler.ask({ tenant: 'acme', lane: 'tenants', deadlineMs: 50 });
    const later = scheduler.ask({ tenant: 'acme', lane: 'tenants', deadlineMs: 5000 });
    nowMs = 100;
    if ('end' in first) first.end();
    expect(await late).toMatchObject({ kind: 'unserved', why: 'deadline', retryAfterMs: expect.any(Number) });
    expect(await later).toMatchObject({ kind: 'turn', waitedMs: 100 });
    expect(scheduler.ask({ tenant: 'acme', lane: 'tenants', deadlineMs: 99 })).toMatchObject({ why: 'deadline' });
  });

  it('that passes while nothing happens refuses the command by itself, the earliest first', async () => {
    const scheduler = new Scheduler({ slots: () => 1, queueMax: 9, queuePerTenant: 9, weightOf: () => 1 });
    scheduler.ask({ tenant: 'acme', lane: 'tenants' });
    const order: string[] = [];
    const now = performance.now();
    const wait = async (name: string, ms: number) => {
      const answer = await scheduler.ask({ tenant: 'acme', lane: 'tenants', deadlineMs: now + ms });
      order.push(`${name} ${'why' in answer ? answer.why : answer.kind}`);
    };
    await Promise.all([wait('second', 40), wait('first', 20)]);
    expect(order).toEqual(['first deadline', 'second deadline']);
    expect(scheduler.waiting).toBe(0);
  });
});

describe('a command that is taken back', () => {
  const fresh = () =>
    new Scheduler({
      slots: () => 1,
      queueMax: 9,
      queuePerTenant: 9,
      weightOf: () => 1,
      sliceMs: Number.POSITIVE_INFINITY,
    });

  it('is not started, and those behind it are', async () => {
    const scheduler = fresh();
    const first = scheduler.ask({ tenant: 'acme', lane: 'tenants' });
    const cancellation = new Cancellation();
    const second = scheduler.ask({ tenant: 'acme', lane: 'tenants', cancellation });
    const third = scheduler.ask({ tenant: 'acme', lane: 'tenants' });
    cancellation.cancel();
    cancellation.cancel();
    expect(await second).toEqual({ kind: 'unserved', why: 'cancelled', retryAfterMs: 0 });
    expect(scheduler.waiting).toBe(1);
    if ('end' in first) first.end();
    expect(await third).toMatchObject({ kind: 'turn' });
  });

  it('before it asked does not get a turn, and after its turn has come keeps it', async () => {
    const scheduler = fresh();
    const early = new Cancellation();
    early.cancel();
    expect(scheduler.ask({ tenant: 'acme', lane: 'tenants', cancellation: early })).toMatchObject({ why: 'cancelled' });
    const first = scheduler.ask({ tenant: 'acme', lane: 'tenants' });
    const late = new Cancellation();
    const second = scheduler.ask({ tenant: 'acme', lane: 'tenants', cancellation: late });
    if ('end' in first) first.end();
    const turn = await second;
    late.cancel();
    expect(turn.kind).toBe('turn');
    expect(scheduler.running).toBe(1);
  });
});

describe('closing', () => {
  it('refuses what waits and what is asked afterwards, and leaves what is under way alone', async () => {
    const scheduler = new Scheduler({ slots: () => 2, queueMax: 9, queuePerTenant: 9, weightOf: () => 1 });
    // Without a footprint each is a barrier: the second is held, the third stands in the queue.
    const asked: (Turn | Unserved | Promise<Turn | Unserved>)[] = [];
    for (let i = 0; i < 3; i++) asked.push(scheduler.ask({ tenant: 'acme', lane: 'tenants', deadlineMs: 1e12 }));
    scheduler.close();
    const answers = await Promise.all(asked);
    expect(answers.map((answer) => ('why' in answer ? answer.why : answer.kind))).toEqual(['turn', 'closed', 'closed']);
    expect(scheduler.ask({ tenant: 'acme', lane: 'tenants' })).toMatchObject({ why: 'closed' });
    expect([scheduler.running, scheduler.waiting]).toEqual([1, 0]);
    const [first] = answers;
    if (first !== undefined && 'end' in first) first.end();
    expect(scheduler.running).toBe(0);
  });
});
