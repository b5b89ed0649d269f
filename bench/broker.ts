import { performance } from 'node:perf_hooks';
import { createEmulatorBackend } from '../src/backend/emulator/index.ts';
import { encodePayload, isTyped, opcode, rowBySlug } from '../src/cci/index.ts';
import { createHttpEdge } from '../src/edge/index.ts';
import { startTestBroker } from '../test/support/running-broker.ts';

/**
 * What the broker costs over the device: the same 5101h of one port sent to the emulator directly, through the core,
 * and over HTTP; and a bind with its durable intent and outcome. All in one run.
 *
 *   node bench/broker.ts [--quick]
 */
const quick = process.argv.includes('--quick');
const rounds = quick ? 500 : 5000;

interface Figure {
  readonly what: string;
  readonly p50: number;
  readonly p99: number;
  readonly perSecond: number;
}

async function sequential(what: string, count: number, step: (i: number) => Promise<unknown>): Promise<Figure> {
  for (let i = 0; i < Math.min(count, 300); i++) await step(i);
  const times: number[] = [];
  const begin = performance.now();
  for (let i = 0; i < count; i++) {
    const start = performance.now();
    await step(i);
    times.push((performance.now() - start) * 1000);
  }
  const perSecond = (count * 1000) / (performance.now() - begin);
  times.sort((a, b) => a - b);
  const at = (q: number) => times[Math.floor(times.length * q)] ?? 0;
  return { what, p50: at(0.5), p99: at(0.99), perSecond };
}

async function concurrent(what: string, count: number, width: number, step: () => Promise<unknown>): Promise<Figure> {
  let left = count;
  const begin = performance.now();
  const worker = async () => {
    while (left-- > 0) await step();
  };
  await Promise.all(Array.from({ length: width }, worker));
  return { what, p50: Number.NaN, p99: Number.NaN, perSecond: (count * 1000) / (performance.now() - begin) };
}

const row = rowBySlug('get-physical-port-state');
const payload =
  row !== undefined && isTyped(row) ? encodePayload(row.request, { port_id_list: [2] } as never) : undefined;
if (payload === undefined || !payload.ok) throw new Error('no payload');

const topology = new URL('../config/topologies/small.yaml', import.meta.url).pathname;
const direct = createEmulatorBackend({ topology, seed: 1 });
await direct.open();
const broker = await startTestBroker(new URL('../config/broker.yaml', import.meta.url).pathname);
const token = await broker.token({ tenant: 'acme', subject: 'alice', groups: ['operators'] });
const caller = { token, source: 'bench' };
const edge = await createHttpEdge(broker.core, {});
const address = await edge.listen('127.0.0.1', 0);
const url = typeof address === 'string' ? address : `http://127.0.0.1:${(address as { port: number }).port}`;
const read = { kind: 'named', command: 'get-physical-port-state', params: { port_id_list: [2] } } as const;
const post = async () => {
  const reply = await fetch(`${url}/v1/switches/sw0/commands`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ command: read.command, params: read.params }),
  });
  await reply.arrayBuffer();
};
const binding = (i: number) =>
  i % 2 === 0
    ? ({
        kind: 'named',
        command: 'bind-vppb',
        params: { vcs_id: 0, vppb_id: 2, physical_port_id: 3, ld_id: 1 },
      } as const)
    : ({
        kind: 'named',
        command: 'unbind-vppb',
        params: { vcs_id: 0, vppb_id: 2, option: 'surprise-hot-remove' },
      } as const);

const figures = [
  await sequential('emulator, direct', rounds, () =>
    direct.execute({ opcode: opcode(0x5101), payload: payload.value }, performance.now() + 1000),
  ),
  await sequential('core, one read after the other', rounds, () => broker.core.submit(caller, 'sw0', read)),
  await concurrent('core, 32 reads at once', rounds * 2, 32, () => broker.core.submit(caller, 'sw0', read)),
  await sequential('core, bind or unbind with durable intent and outcome', Math.ceil(rounds / 10), (i) =>
    broker.core.submit(caller, 'sw0', binding(i)),
  ),
  await sequential('HTTP, one read after the other', Math.ceil(rounds / 2), post),
  await concurrent('HTTP, 32 reads at once', rounds, 32, post),
];

const cell = (n: number) => (Number.isNaN(n) ? '-' : n.toFixed(n < 10 ? 2 : 0));
console.log('| what | p50 us | p99 us | per second |');
console.log('| --- | ---: | ---: | ---: |');
for (const { what, p50, p99, perSecond } of figures) {
  console.log(`| ${what} | ${cell(p50)} | ${cell(p99)} | ${cell(perSecond)} |`);
}
await edge.close();
await broker.close();
await direct.close();
