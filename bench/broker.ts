import { encodeMessage, encodePayload, encodeRoute, isTyped, portId, rowBySlug, toHex } from '../src/cci/index.ts';
import { diskAlone } from './load/disk.ts';
import { type Load, loadHttp, loadStream } from './load/run.ts';
import { startBare, startBroker } from './load/server-process.ts';
import { report, table } from './report.ts';

/**
 * What the broker costs over the device, both behind the same transports, each server in a process of its own and the
 * load in this one. Reads are 5101h of one port; writes are 5404h through a tunnel, with a durable intent.
 *
 *   node bench/broker.ts [--quick] [--print] [--million] [--edge]
 *
 * With `--edge` only what it costs to keep the listeners in a process of their own: both forms in one run.
 */
const quick = process.argv.includes('--quick');
const scale = quick ? 0.1 : 1;
const count = (n: number) => Math.max(64, Math.round(n * scale));

const payloadOf = (slug: string, params: object): Uint8Array => {
  const row = rowBySlug(slug);
  if (row === undefined || !isTyped(row)) throw new Error(`${slug} has no codec`);
  const payload = encodePayload(row.request, params as never);
  if (!payload.ok) throw new Error(payload.error.message);
  return payload.value;
};
const readPayload = payloadOf('get-physical-port-state', { port_id_list: [2] });
const write = encodeRoute({
  hops: [{ kind: 'port', port: portId(7) }],
  tags: [1],
  opcode: 0x5404,
  payload: payloadOf('set-qos-control', {
    qos_telemetry_control: { egress_port_congestion_enable: true, temporary_throughput_reduction_enable: false },
    egress_moderate_percentage: 10,
    egress_severe_percentage: 25,
    backpressure_sample_interval: 8,
    reqcmpbasis: 0,
    completion_collection_interval: 8,
  }),
});
const message = (tag: number, opcode: number, payload: Uint8Array) =>
  encodeMessage({ category: 'request', tag, opcode, background: false, returnCode: 0, vendorStatus: 0, payload });
const read = (tag: number) => message(tag, 0x5101, readPayload);
const change = (tag: number) => message(tag, write.opcode, write.payload);
const named = JSON.stringify({ command: 'get-physical-port-state', params: { port_id_list: [2] } });
const raw = JSON.stringify({ raw: { opcode: '0x5101', payload: toHex(readPayload) } });

if (process.argv.includes('--edge')) {
  await compareForms();
  process.exit();
}

const bare = await startBare();
// The first start on a machine compiles what later ones find compiled.
await (await startBroker()).stop();
const starts = await timedStarts(quick ? 2 : 7);
const broker = await startBroker();
const token = await broker.token('acme', 'alice', ['operators']);
const operator = await broker.token('fabric', 'olga', ['fabric-admins']);
const path = '/v1/switches/sw0/stream';
const commands = '/v1/switches/sw0/commands';
const stream = (url: string, total: number, outstanding: number, make: typeof read, as = token) =>
  loadStream(url, { path, token: as, message: make, total: count(total), outstanding });
const http = (url: string, total: number, width: number, body: string) =>
  loadHttp(url, { path: commands, token, body: () => body, total: count(total), width });

// Both are warm before anything counts.
for (const { url } of [bare, broker]) {
  await stream(url, 20_000, 32, read);
  await stream(url, 2000, 1, change, operator);
}
for (const [server, body] of [
  [bare, raw],
  [broker, named],
] as const) {
  await http(server.url, 8000, 32, body);
}

const pairs = [
  [
    'stream, one read after the other',
    await stream(bare.url, 10_000, 1, read),
    await stream(broker.url, 10_000, 1, read),
  ],
  [
    'stream, 32 reads outstanding',
    await stream(bare.url, 100_000, 32, read),
    await stream(broker.url, 100_000, 32, read),
  ],
  [
    'stream, one durable write after the other',
    await stream(bare.url, 2000, 1, change, operator),
    await stream(broker.url, 2000, 1, change, operator),
  ],
  ['HTTP, one read after the other', await http(bare.url, 5000, 1, raw), await http(broker.url, 5000, 1, named)],
  ['HTTP, 32 reads at once', await http(bare.url, 40_000, 32, raw), await http(broker.url, 40_000, 32, named)],
] as const;

const memory: (readonly [number, number])[] = [];
if (process.argv.includes('--million')) {
  let sent = 0;
  for (const upTo of [100_000, 250_000, 500_000, 750_000, 1_000_000]) {
    await stream(broker.url, (upTo - sent) / scale, 32, read);
    sent = upTo;
    memory.push([upTo, broker.residentMib()]);
  }
}
const resident = broker.residentMib();
const diskUs = await diskAlone(broker.stateDirectory, count(1000));
await broker.stop();
await bare.stop();

report('Broker', [
  '`node bench/broker.ts --million`: the emulated switch behind the broker, and behind the same transports with nothing in between;',
  'each in a process of its own, the load in a third. Reads are 5101h of one port with the journal on; a write is 5404h through the',
  'tunnel to an MLD, and waits for its intent to be on the disk.',
  '',
  ...table(
    ['what', 'direct /s', 'broker /s', 'direct p50 us', 'broker p50 us', 'added p50 us', 'broker p99 us', 'failed'],
    pairs.map(([what, direct, through]) => [
      what,
      direct.perSecond,
      through.perSecond,
      direct.p50,
      through.p50,
      through.p50 - direct.p50,
      through.p99,
      String(direct.failed + through.failed),
    ]),
  ),
  '',
  `The disk alone takes ${Math.round(diskUs)} us for a durable write (3 KiB, \`O_DSYNC\`, one after the other with a pause), which is in`,
  'the figures of durable writes.',
  '',
  `From the start of the process to its listening address ${starts.listening} ms, to the answer to the first request for a decision`,
  `${starts.decided} ms, with the example policies (the middle ones of ${quick ? 2 : 7} starts). Resident after all of this ${Math.round(resident)} MiB.`,
  ...(memory.length === 0
    ? []
    : [
        '',
        ...table(
          ['commands', 'resident MiB'],
          memory.map(([n, mib]) => [n.toLocaleString('en'), mib]),
        ),
      ]),
]);

/** Middle values, in milliseconds. What it takes to make the token is not the broker's. */
async function timedStarts(times: number): Promise<{ readonly listening: number; readonly decided: number }> {
  const [listening, decided]: [number[], number[]] = [[], []];
  for (let i = 0; i < times; i++) {
    const one = await startBroker();
    const authorization = `Bearer ${await one.token('acme', 'alice', ['operators'])}`;
    const begin = performance.now();
    const answer = await fetch(`${one.url}/v1/switches/sw0/decisions`, {
      method: 'POST',
      headers: { authorization, 'content-type': 'application/json' },
      body: named,
    });
    if (!answer.ok) throw new Error(`the first decision: ${answer.status}`);
    await answer.text();
    listening.push(one.startMs);
    decided.push(one.startMs + performance.now() - begin);
    await one.stop();
  }
  const middle = (values: number[]) => Math.round(values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN);
  return { listening: middle(listening), decided: middle(decided) };
}

/** Both forms by turns, so that what else the machine does falls on both alike. */
async function compareForms(): Promise<void> {
  await (await startBroker('config/broker.yaml', 'separate')).stop();
  const forms = [
    await startBroker('config/broker.yaml', 'same'),
    await startBroker('config/broker.yaml', 'separate'),
  ] as const;
  const tokens = await Promise.all(forms.map((form) => form.token('acme', 'alice', ['operators'])));
  const loads = [
    ['stream, one read after the other', 10_000, 1, 'stream'],
    ['stream, 32 reads outstanding', 200_000, 32, 'stream'],
    ['stream, 200 reads outstanding', 200_000, 200, 'stream'],
    ['HTTP, one read after the other', 5000, 1, 'http'],
    ['HTTP, 32 reads at once', 60_000, 32, 'http'],
  ] as const;
  const measure = (form: 0 | 1, total: number, width: number, kind: 'stream' | 'http') => {
    const { url } = forms[form];
    const as = tokens[form] ?? '';
    return kind === 'stream'
      ? loadStream(url, {
          path: '/v1/switches/sw0/stream',
          token: as,
          message: read,
          total: count(total),
          outstanding: width,
        })
      : loadHttp(url, { path: '/v1/switches/sw0/commands', token: as, body: () => named, total: count(total), width });
  };
  for (const form of [0, 1] as const) {
    await measure(form, 100_000, 32, 'stream');
    await measure(form, 40_000, 32, 'http');
  }
  const rows: (string | number)[][] = [];
  const cpu: (string | number)[][] = [];
  for (const [what, total, width, kind] of loads) {
    const runs = [[], []] as [Load[], Load[]];
    const used = [0, 0, 0] as [number, number, number];
    for (let i = 0; i < 3; i++) {
      for (const form of [0, 1] as const) {
        const before = forms[form].cpuUs();
        runs[form].push(await measure(form, total, width, kind));
        const after = forms[form].cpuUs();
        used[form] += (after.own - before.own) / (3 * count(total));
        if (form === 1) used[2] += (after.child - before.child) / (3 * count(total));
      }
    }
    cpu.push([what, ...used, (used[1] + used[2]) / used[0], 1e6 / Math.max(used[1], used[2])]);
    const [same, separate] = runs.map((all) => all.toSorted((a, b) => a.perSecond - b.perSecond)[1]);
    if (same === undefined || separate === undefined) throw new Error('three runs have a middle one');
    const failed = runs.flat().reduce((sum, load) => sum + load.failed, 0);
    const ratio = separate.perSecond / same.perSecond;
    rows.push([what, same.perSecond, separate.perSecond, ratio, same.p50, separate.p50, separate.p99, String(failed)]);
  }
  const starts = forms.map(({ startMs }) => Math.round(startMs));
  for (const form of forms) await form.stop();
  report('The edge in a process of its own', [
    '`node bench/broker.ts --edge`: the same broker with its listeners in the process of the core, and in a confined process of their',
    'own. The middle one of three runs of each, by turns; the load in a third process.',
    '',
    ...table(
      ['what', 'same /s', 'separate /s', 'ratio', 'same p50 us', 'separate p50 us', 'separate p99 us', 'failed'],
      rows,
    ),
    '',
    'Processor time of a command, in microseconds, and what the busier of the two processes could do with a core of its own:',
    '',
    ...table(['what', 'same', 'core', 'edge', 'ratio of all', 'most /s'], cpu),
    '',
    `From the start of the process to its listening address: ${starts[0]} ms in one process, ${starts[1]} ms in two.`,
  ]);
}
