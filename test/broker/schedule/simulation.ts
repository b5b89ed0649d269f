import {
  Cancellation,
  type Footprint,
  type Lane,
  Scheduler,
  type SchedulerOptions,
  type Turn,
  type Unserved,
} from '../../../src/broker/schedule/index.ts';

/** One command of a simulated day. Times in milliseconds of its clock. */
export interface Job {
  readonly atMs: number;
  readonly tenant: string;
  readonly lane?: Lane;
  readonly takesMs: number;
  readonly footprint?: Footprint;
  /** After it was asked for. */
  readonly deadlineMs?: number;
  readonly cancelMs?: number;
}

/** What became of it. */
export interface Fate {
  readonly job: Job;
  /** In the order of asking. */
  readonly number: number;
  startedMs?: number;
  endedMs?: number;
  /** In the order of starting. */
  place?: number;
  unserved?: Unserved;
  /** Tenants who had something waiting immediately before it started, its own included. */
  backlogged?: ReadonlySet<string>;
}

/** Lets everything happen that follows from what was done. */
async function settle(): Promise<void> {
  for (let hop = 0; hop < 4; hop++) await Promise.resolve();
}

/** Runs a day to its end; throws where it does not end. */
export async function simulate(
  jobs: readonly Job[],
  options: Partial<Omit<SchedulerOptions, 'nowMs' | 'sliceMs'>> = {},
): Promise<{ readonly fates: readonly Fate[]; readonly mostRunning: number; readonly scheduler: Scheduler }> {
  const state = { nowMs: 0, running: 0, mostRunning: 0, starts: 0 };
  const scheduler = new Scheduler({
    slots: () => 1,
    queueMax: 100_000,
    queuePerTenant: 100_000,
    weightOf: () => 1,
    ...options,
    nowMs: () => state.nowMs,
    sliceMs: Number.POSITIVE_INFINITY,
  });
  const waiting = new Map<string, number>();
  const ends: { readonly atMs: number; readonly turn: Turn; readonly fate: Fate }[] = [];
  const cancels: { readonly atMs: number; readonly cancellation: Cancellation }[] = [];
  const fates: Fate[] = [];
  const left = jobs.toSorted((a, b) => a.atMs - b.atMs);

  const answered = (fate: Fate, answer: Turn | Unserved) => {
    const { tenant, takesMs } = fate.job;
    const count = waiting.get(tenant) ?? 0;
    if (answer.kind === 'turn') {
      fate.backlogged = new Set([...waiting].filter(([, n]) => n > 0).map(([name]) => name));
      fate.startedMs = state.nowMs;
      fate.place = state.starts++;
      state.mostRunning = Math.max(state.mostRunning, ++state.running);
      ends.push({ atMs: state.nowMs + takesMs, turn: answer, fate });
    } else fate.unserved = answer;
    waiting.set(tenant, count - 1);
  };

  const ask = (job: Job) => {
    const fate: Fate = { job, number: fates.length };
    fates.push(fate);
    waiting.set(job.tenant, (waiting.get(job.tenant) ?? 0) + 1);
    const cancellation = new Cancellation();
    if (job.cancelMs !== undefined) cancels.push({ atMs: job.atMs + job.cancelMs, cancellation });
    const { footprint } = job;
    const answer = scheduler.ask({
      tenant: job.tenant,
      lane: job.lane ?? 'tenants',
      cancellation,
      ...(footprint === undefined ? {} : { footprint: () => footprint }),
      ...(job.deadlineMs === undefined ? {} : { deadlineMs: job.atMs + job.deadlineMs }),
    });
    if (answer instanceof Promise) void answer.then((later) => answered(fate, later));
    else answered(fate, answer);
  };

  for (let steps = 0; left.length + ends.length + cancels.length > 0; steps++) {
    if (steps > 100 * jobs.length + 100) throw new Error('the day does not end');
    const nextMs = Math.min(
      ...[left[0]?.atMs, ...ends.map((one) => one.atMs), ...cancels.map((one) => one.atMs)].filter(
        (at) => at !== undefined,
      ),
    );
    state.nowMs = nextMs;
    for (const one of cancels.filter(({ atMs }) => atMs === nextMs)) {
      cancels.splice(cancels.indexOf(one), 1);
      one.cancellation.cancel();
    }
    await settle();
    for (const one of ends.filter(({ atMs }) => atMs === nextMs)) {
      ends.splice(ends.indexOf(one), 1);
      state.running--;
      one.fate.endedMs = nextMs;
      one.turn.end();
      await settle();
    }
    for (let job = left[0]; job !== undefined && job.atMs === nextMs; job = left[0]) {
      left.shift();
      ask(job);
    }
    await settle();
  }
  return { fates, mostRunning: state.mostRunning, scheduler };
}
