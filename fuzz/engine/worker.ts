import { parentPort, workerData } from 'node:worker_threads';
import { type Measured, measure } from './coverage-hook.ts';
import type { Finding } from './finding.ts';
import { InputBox } from './input-box.ts';
import { FuzzLoop, type LoopResult } from './loop.ts';
import type { Target } from './target.ts';

/** What a worker is told. */
export interface Job {
  /** URL of the module that exports `target`. */
  readonly module: string;
  readonly covers: readonly string[];
  readonly seed: number;
  readonly corpus: readonly Uint8Array[];
  readonly maxRuns: number;
  readonly forMs: number;
  readonly memory: SharedArrayBuffer;
}

/** What a worker tells. */
export type Told =
  | { readonly kind: 'ready' }
  | { readonly kind: 'input'; readonly bytes: Uint8Array }
  | { readonly kind: 'finding'; readonly finding: Finding }
  | { readonly kind: 'done'; readonly result: LoopResult };

const job = workerData as Job;
const tell = (message: Told): void => parentPort?.postMessage(message);

async function main(measured: Measured): Promise<void> {
  const { target } = (await import(job.module)) as { readonly target: Target };
  const harness = await target.open();
  tell({ kind: 'ready' });
  const loop = new FuzzLoop({
    target,
    harness,
    measured,
    box: new InputBox(job.memory),
    seed: job.seed,
    corpus: job.corpus,
    maxRuns: job.maxRuns,
    untilMs: performance.now() + job.forMs,
    onInput: (bytes) => tell({ kind: 'input', bytes }),
    onFinding: (finding) => tell({ kind: 'finding', finding }),
  });
  process.on('unhandledRejection', (reason) => loop.blame(reason));
  process.on('uncaughtException', (error) => loop.blame(error));
  const result = await loop.run();
  await harness.close?.();
  tell({ kind: 'done', result });
}

await main(measure(job.covers));
// Timers that a target left behind must not keep the thread.
process.exit(0);
