import { Worker } from 'node:worker_threads';
import type { Finding } from './finding.ts';
import { InputBox } from './input-box.ts';
import type { LoopResult } from './loop.ts';
import { DEFAULT_GROWTH_BYTES, DEFAULT_HANG_MS, type Target } from './target.ts';
import type { Job, Told } from './worker.ts';

export interface Budget {
  readonly seed: number;
  readonly maxRuns?: number;
  readonly forMs?: number;
}

export interface Report extends LoopResult {
  readonly target: string;
  readonly executions: number;
  readonly elapsedMs: number;
  /** Inputs that did something new, newest last. */
  readonly inputs: readonly Uint8Array[];
  readonly findings: readonly Finding[];
}

/** Heap of a worker: out of reach, because one that comes to its limit can spend minutes collecting garbage. */
const HEAP_MB = 2048;
const WATCH_MS = 50;
/** An execution may take so many times longer by the clock than by the processor. */
const WAITING = 15;
/** Deaths of one run, each of which costs the set-up of a target again. */
const MAX_DEATHS = 5;
/** How long a thread that is told to end may take. */
const TERMINATE_MS = 5000;

type End =
  | { readonly kind: 'done'; readonly result: LoopResult }
  | { readonly kind: 'died'; readonly finding: Finding; readonly isDeaf: boolean };

/**
 * Runs a target in a worker thread and watches it: an execution that does not end, memory that does not stop growing, and
 * a thread that dies are findings; then another thread goes on with what is left of the budget.
 *
 * @param module URL of the module that exports `target`
 */
export async function supervise(
  module: string,
  target: Target,
  corpus: readonly Uint8Array[],
  budget: Budget,
): Promise<Report> {
  const startMs = performance.now();
  const { maxRuns = Number.POSITIVE_INFINITY, forMs = Number.POSITIVE_INFINITY, seed } = budget;
  const inputs: Uint8Array[] = [];
  const findings: Finding[] = [];
  let executions = 0;
  let result: LoopResult = { covered: 0, blocks: 0, newFeatures: 0, minimal: [] };
  for (let deaths = 0; deaths < MAX_DEATHS; deaths++) {
    const left = forMs - (performance.now() - startMs);
    if (executions >= maxRuns || left <= 0) break;
    const box = new InputBox();
    const job: Job = {
      module,
      covers: target.covers,
      seed: seed + deaths,
      // What hung or burst before is left out: it would only do so again.
      corpus: [...corpus, ...inputs].filter((bytes) => !findings.some(({ input }) => equal(input, bytes))),
      maxRuns: maxRuns - executions,
      forMs: left,
      memory: box.memory,
    };
    const end = await oneWorker(job, box, target, inputs, findings);
    executions += box.executions;
    if (end.kind === 'done') {
      result = end.result;
      break;
    }
    if (!findings.some(({ signature }) => signature === end.finding.signature)) findings.push(end.finding);
    if (end.finding.kind === 'death' || end.isDeaf) break;
  }
  return { ...result, target: target.name, executions, elapsedMs: performance.now() - startMs, inputs, findings };
}

function oneWorker(job: Job, box: InputBox, target: Target, inputs: Uint8Array[], findings: Finding[]): Promise<End> {
  return new Promise((resolve) => {
    const worker = new Worker(new URL('./worker.ts', import.meta.url), {
      workerData: job,
      execArgv: ['--disable-warning=ExperimentalWarning'],
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MB },
    });
    let seen = -1;
    let since = spent();
    let baseline: number | undefined;
    const { hangMs = DEFAULT_HANG_MS, growthBytes = DEFAULT_GROWTH_BYTES } = target;
    const watch = setInterval(() => {
      const now = spent();
      if (box.executions !== seen || !box.isRunning) {
        seen = box.executions;
        since = now;
      }
      // Processor time, because a busy machine makes everything late; and time, for what waits and never hears anything.
      const [cpuMs, ms] = [now.cpuMs - since.cpuMs, now.ms - since.ms];
      if (cpuMs > hangMs || ms > hangMs * WAITING) {
        die({
          kind: 'hang',
          message: `no end after ${Math.round(cpuMs)} ms of work in ${Math.round(ms)} ms`,
          stack: '',
        });
      } else if (baseline !== undefined && process.memoryUsage.rss() - baseline > growthBytes) {
        die({ kind: 'memory', message: `the process grew by more than ${growthBytes >> 20} MiB`, stack: '' });
      }
    }, WATCH_MS);
    let isSettled = false;
    const settle = (end: End): void => {
      isSettled = true;
      clearInterval(watch);
      resolve(end);
    };
    const die = (what: Pick<Finding, 'kind' | 'message' | 'stack'>): void => {
      if (isSettled) return;
      isSettled = true;
      clearInterval(watch);
      const finding = {
        ...what,
        signature: `${what.kind} ${what.kind === 'death' ? what.message : ''}`,
        input: box.input(),
      };
      // A thread inside of V8's own code can be deaf to this; then it is left alone, and nothing else is started.
      const deaf = setTimeout(() => settle({ kind: 'died', finding, isDeaf: true }), TERMINATE_MS);
      void worker.terminate().then(() => {
        clearTimeout(deaf);
        settle({ kind: 'died', finding, isDeaf: false });
      });
    };
    worker.on('message', (message: Told) => {
      if (message.kind === 'ready') baseline = process.memoryUsage.rss();
      else if (message.kind === 'input') inputs.push(message.bytes);
      else if (message.kind === 'finding') findings.push(message.finding);
      else settle({ kind: 'done', result: message.result });
    });
    worker.on('error', (error: NodeJS.ErrnoException) => {
      const isMemory = error.code === 'ERR_WORKER_OUT_OF_MEMORY';
      die({ kind: isMemory ? 'memory' : 'death', message: error.message, stack: error.stack ?? '' });
    });
    // What it told last may still be under way.
    worker.on('exit', (code) => {
      setTimeout(() => die({ kind: 'death', message: `the thread ended with ${code}`, stack: '' }), WATCH_MS);
    });
  });
}

/** Time, and what of it this process has worked: besides the worker there is nothing in it that does. */
function spent(): { readonly ms: number; readonly cpuMs: number } {
  const { user, system } = process.cpuUsage();
  return { ms: performance.now(), cpuMs: (user + system) / 1000 };
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
