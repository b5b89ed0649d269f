/**
 * What it costs that a device lives in a process of its own: `node bench/worker.ts [--print]`. The same emulated
 * switch is asked in this process and in a device worker, turn by turn in one run, so that the difference is the hop
 * and nothing else.
 */

import { createEmulatorBackend } from '../src/backend/emulator/index.ts';
import type { Backend, CciRequest } from '../src/backend/index.ts';
import { WorkerBackend } from '../src/backend/worker/index.ts';
import { opcode } from '../src/cci/index.ts';
import { report, table } from './report.ts';

const TURNS = 20;
const COMMANDS = 250;
const WARM_UP = 1000;

const options = {
  topology: new URL('../config/topologies/small.yaml', import.meta.url).pathname,
  seed: 1,
  bootId: 'bench',
};

const requests: { readonly [name: string]: CciRequest } = {
  'Identify (18 bytes back)': { opcode: opcode(0x0001), payload: new Uint8Array(0) },
  'Identify Switch Device (73 bytes back)': { opcode: opcode(0x5100), payload: new Uint8Array(0) },
  'Get Log, the whole CEL': { opcode: opcode(0x0401), payload: celRequest(512) },
};

function celRequest(length: number): Uint8Array {
  const payload = Buffer.alloc(24);
  payload.set(Buffer.from('0da9c0b5bf414b788f7996b1623b3f17', 'hex'));
  payload.writeUInt32LE(length, 20);
  return payload;
}

async function ask(backend: Backend, request: CciRequest, count: number, times: number[]): Promise<void> {
  for (let command = 0; command < count; command++) {
    const startMs = performance.now();
    await backend.execute(request, startMs + 10_000);
    times.push((performance.now() - startMs) * 1000);
  }
}

function quantile(times: readonly number[], part: number): number {
  return [...times].sort((a, b) => a - b)[Math.floor(times.length * part)] ?? Number.NaN;
}

const here = createEmulatorBackend(options);
const program = new URL('./worker/program.ts', import.meta.url).pathname;
const there = new WorkerBackend({ kind: 'emulator', options, main: program });
await here.open();
const startMs = performance.now();
await there.open();
const startedMs = performance.now() - startMs;

const rows: (string | number)[][] = [];
for (const [name, request] of Object.entries(requests)) {
  const inProcess: number[] = [];
  const inWorker: number[] = [];
  await ask(here, request, WARM_UP, []);
  await ask(there, request, WARM_UP, []);
  for (let turn = 0; turn < TURNS; turn++) {
    await ask(here, request, COMMANDS, inProcess);
    await ask(there, request, COMMANDS, inWorker);
  }
  const [near, far] = [quantile(inProcess, 0.5), quantile(inWorker, 0.5)];
  rows.push([name, near, far, far - near, far / near, quantile(inWorker, 0.99)]);
}
await there.close();
await here.close();

report('A device in a process of its own', [
  `\`node bench/worker.ts\`: microseconds for one command after the other, ${TURNS * COMMANDS} of each, in turns of ${COMMANDS}.`,
  `To start the process and open the device took ${Math.round(startedMs)} ms.`,
  '',
  ...table(['command', 'in this process, p50', 'in a worker, p50', 'added', 'ratio', 'in a worker, p99'], rows),
]);
