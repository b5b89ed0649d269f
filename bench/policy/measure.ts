import { performance } from 'node:perf_hooks';
import type { Question, Workload } from './workload.ts';

/** What one engine came to at one size. Times of decisions in microseconds, of loading in milliseconds. */
export interface Figures {
  readonly engine: string;
  readonly rules: number;
  readonly loadMs: number;
  /** Processor time of loading: what it takes on a machine that does nothing else. */
  readonly loadCpuMs: number;
  /** Longest time in which the event loop did not turn while the same was loaded again. */
  readonly pauseMs: number;
  readonly newUs: number;
  readonly newP99Us: number;
  /** NaN: the engine remembers nothing. */
  readonly repeatedUs: number;
  /** Resident memory after loading, in MiB; and what of it was there before. */
  readonly residentMib: number;
  readonly beforeMib: number;
  readonly allowed: number;
  readonly asked: number;
}

/** Time that is spent on questions of one kind. */
const BUDGET_MS = 4000;
const QUESTIONS = 8000;
const WARM = 3000;

export interface Engine {
  readonly name: string;
  /** Builds the engine of a workload; returns how it is asked. */
  readonly load: (workload: Workload) => Promise<(question: Question) => boolean>;
  readonly remembers: boolean;
}

export async function measure(engine: Engine, workload: Workload): Promise<Figures> {
  const mib = () => {
    globalThis.gc?.();
    return process.memoryUsage().rss / 2 ** 20;
  };
  const beforeMib = mib();
  const cpu = process.cpuUsage();
  const begin = performance.now();
  const ask = await engine.load(workload);
  const loadMs = performance.now() - begin;
  const { user, system } = process.cpuUsage(cpu);
  const residentMib = mib();

  // The pause that matters is that of a reload: before the first load nobody is served.
  // From one turn of the event loop to the next, the last one included.
  let pauseMs = 0;
  let turnAt = performance.now();
  let loading = true;
  const turn = (): void => {
    if (!loading) return;
    const now = performance.now();
    pauseMs = Math.max(pauseMs, now - turnAt);
    turnAt = now;
    setImmediate(turn);
  };
  turn();
  await engine.load(workload);
  turn();
  loading = false;

  const { questions } = workload;
  const times: number[] = [];
  let allowed = 0;
  let asked = 0;
  const until = performance.now() + BUDGET_MS;
  let now = ask;
  // Few rules make few questions: then they are asked of a fresh engine again, which remembers nothing.
  for (let round = 0; times.length < QUESTIONS && performance.now() < until; round++) {
    if (round > 0 && engine.remembers) now = await engine.load(workload);
    for (const question of questions) {
      if (performance.now() > until) break;
      const start = performance.now();
      const answer = now(question);
      const took = (performance.now() - start) * 1000;
      asked++;
      // The first ones compile the code.
      if (asked > Math.min(WARM, QUESTIONS / 2) || performance.now() > until - BUDGET_MS / 2) times.push(took);
      if (answer) allowed++;
    }
  }
  times.sort((a, b) => a - b);
  let repeatedUs = Number.NaN;
  if (engine.remembers) {
    const again = questions.slice(0, 1000);
    let best = Number.POSITIVE_INFINITY;
    for (let run = 0; run < 5; run++) {
      const start = performance.now();
      for (let round = 0; round < 100; round++) for (const question of again) now(question);
      best = Math.min(best, ((performance.now() - start) * 1000) / (100 * again.length));
    }
    repeatedUs = best;
  }
  return {
    engine: engine.name,
    rules: workload.rules,
    loadMs,
    loadCpuMs: (user + system) / 1000,
    pauseMs,
    newUs: times[times.length >> 1] ?? Number.NaN,
    newP99Us: times[Math.floor(times.length * 0.99)] ?? Number.NaN,
    repeatedUs,
    residentMib,
    beforeMib,
    allowed,
    asked,
  };
}
