import { spawn } from 'node:child_process';
import { performance } from 'node:perf_hooks';
import type { Backend, CciReply, CciRequest } from '../src/backend/index.ts';
import { Scheduler } from '../src/broker/schedule/index.ts';
import { createHttpEdge } from '../src/edge/index.ts';
import { startTestBroker } from '../test/support/running-broker.ts';
import { report, table } from './report.ts';

/**
 * What one tenant notices of another who floods the switch with 100 commands at once: median latency beside an idle
 * broker, with equal weights; at the core in one process, and over HTTP from other processes with 100 connections. And
 * what the scheduler itself costs.
 *
 *   node bench/fairness.ts [--quick] [--print]
 */
const quick = process.argv.includes('--quick');
const SECONDS = quick ? 1 : 4;
const FLOOD = 100;
const config = new URL('../config/broker.yaml', import.meta.url).pathname;
const client = new URL('./fairness/http-client.ts', import.meta.url).pathname;
const read = (port: number) =>
  ({ kind: 'named', command: 'get-physical-port-state', params: { port_id_list: [port] } }) as const;

/** A device that takes its time. */
class SlowBackend implements Backend {
  readonly touchesHostHardware: boolean;
  private readonly inner: Backend;
  private readonly ms: number;

  constructor(inner: Backend, ms: number) {
    this.inner = inner;
    this.ms = ms;
    this.touchesHostHardware = inner.touchesHostHardware;
  }
  get identity() {
    return this.inner.identity;
  }
  get maxPayload() {
    return this.inner.maxPayload;
  }
  get maxInFlight() {
    return this.inner.maxInFlight;
  }
  open() {
    return this.inner.open();
  }
  close() {
    return this.inner.close();
  }
  async execute(request: CciRequest, deadlineMs: number): Promise<CciReply> {
    await new Promise((done) => setTimeout(done, this.ms));
    return this.inner.execute(request, deadlineMs);
  }
}

interface Seen {
  readonly p50: number;
  readonly p99: number;
  readonly count: number;
}

interface Case {
  readonly what: string;
  /** Median of one command at the device, with what the broker does while it holds the device. */
  readonly commandMs: number;
  readonly idle: Seen;
  readonly flooded: Seen;
  readonly floodPerSecond: number;
}

function percentiles(times: number[]): Seen {
  times.sort((a, b) => a - b);
  const at = (q: number) => times[Math.floor(times.length * q)] ?? Number.NaN;
  return { p50: at(0.5), p99: at(0.99), count: times.length };
}

/** A broker and its callers; `acme` floods, `globex` wants an answer now and then. */
async function started(delayMs: number) {
  const held: number[] = [];
  const broker = await startTestBroker(config, {
    wrapBackend: (_name, backend) => {
      const slow = delayMs === 0 ? backend : new SlowBackend(backend, delayMs);
      const { execute } = slow;
      slow.execute = async (request, deadlineMs) => {
        const begin = performance.now();
        const reply = await execute.call(slow, request, deadlineMs);
        if (held.length < 100_000) held.push(performance.now() - begin);
        return reply;
      };
      return slow;
    },
  });
  const acme = await broker.token({ tenant: 'acme', subject: 'alice', groups: ['operators'] });
  const globex = await broker.token({ tenant: 'globex', subject: 'bob', groups: ['operators'] });
  return { broker, acme, globex, held };
}

async function atCore(what: string, delayMs: number): Promise<Case> {
  const { broker, acme, globex, held } = await started(delayMs);
  const ask = (token: string, port: number) => broker.core.submit({ token, source: 'bench' }, 'sw0', read(port));
  const victim = async (): Promise<Seen> => {
    const times: number[] = [];
    const until = performance.now() + SECONDS * 1000;
    while (performance.now() < until) {
      const begin = performance.now();
      const answer = await ask(globex, 4);
      times.push(performance.now() - begin);
      if (!answer.ok) throw new Error(answer.problem.detail);
      await new Promise((done) => setTimeout(done, 3));
    }
    return percentiles(times);
  };
  for (let i = 0; i < 500; i++) await ask(acme, 2);
  await victim();
  held.length = 0;
  const idle = await victim();
  const commandMs = percentiles([...held]).p50;
  let flooding = true;
  let answered = 0;
  const begin = performance.now();
  const flood = Array.from({ length: FLOOD }, async () => {
    while (flooding) {
      const answer = await ask(acme, 2);
      if (!answer.ok) throw new Error(answer.problem.detail);
      answered++;
    }
  });
  const flooded = await victim();
  flooding = false;
  const floodPerSecond = (answered * 1000) / (performance.now() - begin);
  await Promise.all(flood);
  await broker.close();
  return { what, commandMs, idle, flooded, floodPerSecond };
}

async function overHttp(what: string, delayMs: number): Promise<Case> {
  const { broker, acme, globex, held } = await started(delayMs);
  const edge = createHttpEdge(broker.core);
  const { url } = await edge.listen('127.0.0.1', 0);
  const run = (token: string, connections: number, seconds: number, port: number): Promise<Seen> => {
    const { kind: _, ...body } = read(port);
    const words = [client, url, token, `${connections}`, `${seconds}`, JSON.stringify(body)];
    return new Promise((resolve, reject) => {
      const child = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit'] });
      let text = '';
      child.stdout.on('data', (data) => {
        text += data;
      });
      child.once('error', reject);
      child.once('close', () => {
        const seen = JSON.parse(text) as Seen & { statuses: { [status: string]: number } };
        const others = Object.keys(seen.statuses).filter((status) => status !== '200');
        if (others.length > 0) reject(new Error(`statuses ${JSON.stringify(seen.statuses)}`));
        else resolve(seen);
      });
    });
  };
  await run(acme, 10, 1, 2);
  held.length = 0;
  const idle = await run(globex, 1, SECONDS, 4);
  const commandMs = percentiles([...held]).p50;
  const flood = run(acme, FLOOD, SECONDS + 3, 2);
  await new Promise((done) => setTimeout(done, 1500));
  const flooded = await run(globex, 1, SECONDS, 4);
  const floodPerSecond = (await flood).count / (SECONDS + 3);
  await edge.close();
  await broker.close();
  return { what, commandMs, idle, flooded, floodPerSecond };
}

/** Microseconds for one turn: asked for when nobody waits, and put in and taken out of a queue of ten thousand. */
async function schedulerAlone(): Promise<readonly (readonly [string, number])[]> {
  const fresh = () => new Scheduler({ slots: () => 1, queueMax: 1e6, queuePerTenant: 1e6, weightOf: () => 1 });
  const rounds = quick ? 100_000 : 1_000_000;
  const free = fresh();
  const uncontended = () => {
    const begin = performance.now();
    for (let i = 0; i < rounds; i++) {
      const turn = free.ask({ tenant: 'acme', lane: 'tenants', deadlineMs: begin + 1e9 });
      if ('end' in turn) turn.end();
    }
    return ((performance.now() - begin) * 1000) / rounds;
  };
  const queued = async (length: number) => {
    const scheduler = fresh();
    let last = 0;
    const begin = performance.now();
    const all = Array.from({ length }, async (_, i) => {
      const turn = await scheduler.ask({ tenant: `t${i % 50}`, lane: 'tenants', deadlineMs: begin + 1e8 + i });
      last = performance.now();
      if ('end' in turn) turn.end();
    });
    await Promise.all(all);
    return ((last - begin) * 1000) / length;
  };
  uncontended();
  for (let i = 0; i < 5; i++) await queued(10_000);
  return [
    ['a turn when nobody waits', uncontended()],
    ['a turn in a queue of 100', await queued(100)],
    ['a turn in a queue of 10,000', await queued(10_000)],
    ['a turn in a queue of 100,000', await queued(100_000)],
  ];
}

const cases = [
  await atCore('core, commands of 1 ms', 1),
  await atCore('core, commands that take no time', 0),
  await overHttp('HTTP, commands of 1 ms', 1),
  await overHttp('HTTP, commands that take no time', 0),
];
const scheduler = await schedulerAlone();

report('Fair turns (`bench/fairness.ts`)', [
  `Median and 99th percentile in milliseconds for one tenant, alone and beside another with ${FLOOD} commands at once. The promise:`,
  'at most twice the idle median plus one command.',
  '',
  ...table(
    [
      'what',
      'command',
      'idle p50',
      'idle p99',
      'flooded p50',
      'flooded p99',
      'allowed p50',
      'flooded / idle',
      'flood a second',
    ],
    cases.map(({ what, commandMs, idle, flooded, floodPerSecond }) => [
      what,
      commandMs,
      idle.p50,
      idle.p99,
      flooded.p50,
      flooded.p99,
      2 * idle.p50 + commandMs,
      flooded.p50 / idle.p50,
      floodPerSecond,
    ]),
  ),
  '',
  'The scheduler alone, in microseconds:',
  '',
  ...table(['what', 'us'], scheduler),
]);
const broken = cases.filter(({ idle, flooded, commandMs }) => flooded.p50 > 2 * idle.p50 + commandMs);
for (const { what } of broken) console.error(`over the promise: ${what}`);
process.exitCode = broken.length > 0 ? 1 : 0;
