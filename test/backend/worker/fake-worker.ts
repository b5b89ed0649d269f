import { WorkerBackend, type WorkerLimits } from '../../../src/backend/worker/index.ts';
import { opcode } from '../../../src/cci/index.ts';
import type { FakeOptions } from './fake-main.ts';

export const FAKE_MAIN = new URL('./fake-main.ts', import.meta.url).pathname;

/** The real worker process with a backend in it that does what its opcodes say. */
export function fakeWorker(options: FakeOptions = {}, limits: Partial<WorkerLimits> = {}): WorkerBackend {
  return new WorkerBackend({ kind: 'fake', options, main: FAKE_MAIN, limits: { graceMs: 150, ...limits } });
}

/** One command with a deadline so many milliseconds from now. */
export function ask(backend: WorkerBackend, code: number, payload = new Uint8Array(0), limitMs = 10_000) {
  return backend.execute({ opcode: opcode(code), payload }, performance.now() + limitMs);
}

/** Is there such a process, and is it more than a name that waits for its parent? */
export async function isAlive(pid: number): Promise<boolean> {
  const { readFile } = await import('node:fs/promises');
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  return stat !== undefined && !/\) [ZX] /.test(stat);
}

export async function until(condition: () => Promise<boolean> | boolean, limitMs = 10_000): Promise<void> {
  const limit = performance.now() + limitMs;
  while (!(await condition())) {
    if (performance.now() > limit) throw new Error('it did not come true in time');
    await new Promise((done) => setTimeout(done, 10));
  }
}
