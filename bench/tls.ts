import { spawn } from 'node:child_process';
import { connect as connectHttp2 } from 'node:http2';
import { performance } from 'node:perf_hooks';
import { createInterface } from 'node:readline';
import { connect } from 'node:tls';
import { encodeMessage, encodePayload, isTyped, rowBySlug } from '../src/cci/index.ts';
import { figures, type Load, loadHttp, loadStream } from './load/run.ts';
import { report, table } from './report.ts';

/**
 * What TLS adds: the same broker behind a listener with TLS and one without, asked in turns by the same load.
 *
 *   node bench/tls.ts [--quick] [--print]
 */
const scale = process.argv.includes('--quick') ? 0.1 : 1;
const ROUNDS = 3;
const server = spawn(process.execPath, [new URL('load/tls-server.ts', import.meta.url).pathname], {
  stdio: ['ignore', 'pipe', 'inherit'],
});
const [line] = await new Promise<readonly string[]>((done) =>
  createInterface(server.stdout).once('line', (...said) => done(said)),
);
const { plain, secure, ca, token } = JSON.parse(line ?? '') as {
  [name in 'plain' | 'secure' | 'ca' | 'token']: string;
};

const row = rowBySlug('get-physical-port-state');
if (row === undefined || !isTyped(row)) throw new Error('no codec');
const payload = encodePayload(row.request, { port_id_list: [2] });
if (!payload.ok) throw new Error(payload.error.message);
const head = { category: 'request', opcode: 0x5101, background: false, returnCode: 0, vendorStatus: 0 } as const;
const message = (tag: number) => encodeMessage({ ...head, tag, payload: payload.value });
const body = JSON.stringify({ command: 'get-physical-port-state', params: { port_id_list: [2] } });
const path = '/v1/switches/sw0/commands';
const count = (n: number) => Math.max(64, Math.round(n * scale));

const stream = (outstanding: number, total: number) => (ca?: string) =>
  loadStream(ca === undefined ? plain : secure, {
    ...{ path: '/v1/switches/sw0/stream', token, message, outstanding, total: count(total) },
    ...(ca === undefined ? {} : { ca }),
  });
const http = (width: number, total: number) => (ca?: string) =>
  loadHttp(ca === undefined ? plain : secure, {
    ...{ path, token, body: () => body, width, total: count(total) },
    ...(ca === undefined ? {} : { ca }),
  });

/** `width` requests under way at once on one connection. */
async function http2(width: number, total: number): Promise<Load> {
  const session = connectHttp2(secure, { ca });
  const times: number[] = [];
  let [next, failed] = [0, 0];
  const begin = performance.now();
  const one = async (): Promise<void> => {
    while (next++ < total) {
      const sent = performance.now();
      const request = session.request({
        ...{ ':path': path, ':method': 'POST', 'content-type': 'application/json' },
        authorization: `Bearer ${token}`,
      });
      await new Promise<void>((done, fail) => {
        request.on('response', (headers) => {
          if (headers[':status'] !== 200) failed++;
        });
        request.on('error', fail);
        request.on('end', done);
        request.resume();
        request.end(body);
      });
      times.push((performance.now() - sent) * 1000);
    }
  };
  await Promise.all(Array.from({ length: width }, one));
  session.close();
  return figures(times, performance.now() - begin, failed);
}

async function handshakes(total: number): Promise<number> {
  const { hostname, port } = new URL(secure);
  const begin = performance.now();
  for (let i = 0; i < total; i++) {
    const socket = connect({ host: hostname, port: Number(port), ca });
    await new Promise((done, fail) => socket.once('secureConnect', done).once('error', fail));
    socket.destroy();
  }
  return (performance.now() - begin) / total;
}

const median = (numbers: readonly number[]): number =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0;
const cases: readonly (readonly [string, (ca?: string) => Promise<Load>, (ca: string) => Promise<Load>])[] = [
  ['stream, one read after the other', stream(1, 6000), stream(1, 6000)],
  ['stream, 32 reads outstanding', stream(32, 40_000), stream(32, 40_000)],
  ['HTTP, one read after the other', http(1, 3000), http(1, 3000)],
  ['HTTP, 32 reads at once', http(32, 12_000), http(32, 12_000)],
  ['HTTP, 32 at once; over TLS HTTP/2 on one connection', http(32, 12_000), () => http2(32, count(12_000))],
];
const rows: (string | number)[][] = [];
for (const [what, without, withTls] of cases) {
  // The first of each is for warming up.
  const rounds: (readonly [Load, Load])[] = [];
  for (let i = 0; i <= ROUNDS; i++) rounds.push([await without(), await withTls(ca)]);
  const counted = rounds.slice(1);
  const of = (pick: (round: readonly [Load, Load]) => number) => median(counted.map(pick));
  rows.push([
    what,
    of(([one]) => one.perSecond),
    of(([, other]) => other.perSecond),
    of(([one]) => one.p50),
    of(([, other]) => other.p50),
    of(([one, other]) => other.p50 / one.p50).toFixed(2),
    String(counted.reduce((sum, [one, other]) => sum + one.failed + other.failed, 0)),
  ]);
}
const handshakeMs = await handshakes(count(300));
server.kill('SIGTERM');

report('TLS', [
  '`node bench/tls.ts`: one broker behind a listener with TLS 1.3 (P-256 certificate) and one without, in one process, the load in',
  'another; reads are 5101h of one port. The two take turns, and each figure is the median of three.',
  '',
  ...table(['what', 'plain /s', 'TLS /s', 'plain p50 us', 'TLS p50 us', 'p50, TLS over plain', 'failed'], rows),
  '',
  `A handshake, both sides together, takes ${handshakeMs.toFixed(1)} ms.`,
]);
