import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { issueDevelopmentToken } from '../src/broker/auth/index.ts';
import { encodeMessage, fromHex } from '../src/cci/index.ts';
import { PACKET_SIZE, packetize } from '../src/cci/mctp.ts';
import { nodeEnv, nodeFlags } from './load/server-process.ts';
import { report, table } from './report.ts';

/**
 * What the broker and the agent add to MCTP over TCP on loopback: emulated switch, broker, agent and load each in a
 * process of its own, the configuration that of the rehearsal. One connection, one request after the other, and many
 * connections at once.
 *
 *   node bench/mctp.ts [--quick] [--print]
 */
const root = new URL('..', import.meta.url).pathname;
const quick = process.argv.includes('--quick');
const total = quick ? 4000 : 30_000;
const children: ChildProcess[] = [];

async function started(words: readonly string[], address: RegExp): Promise<RegExpExecArray> {
  const child = spawn(process.execPath, [...nodeFlags, join(root, 'bin/cci.js'), ...words], { env: nodeEnv });
  children.push(child);
  let said = '';
  return new Promise((resolve, reject) => {
    const look = (chunk: Buffer): void => {
      said += chunk.toString();
      const found = address.exec(said);
      if (found !== null) resolve(found);
    };
    child.stdout?.on('data', look);
    child.stderr?.on('data', look);
    child.once('exit', (code) => reject(new Error(`ended with ${code}: ${said}`)));
  });
}

interface Load {
  readonly p50: number;
  readonly p99: number;
  readonly perSecond: number;
  readonly failed: number;
}

/** `width` connections, on each one request after the other, until `count` are answered. Times in microseconds. */
async function load(port: number, request: Uint8Array, count: number, width = 1): Promise<Load> {
  const times: number[] = [];
  let next = 0;
  let failed = 0;
  const begin = performance.now();
  await Promise.all(
    Array.from(
      { length: width },
      () =>
        new Promise<void>((resolve, reject) => {
          const socket = connect({ host: '127.0.0.1', port, noDelay: true });
          let sequence = 0;
          let sent = 0;
          let held = 0;
          const send = (): void => {
            if (next++ >= count) {
              socket.end();
              resolve();
              return;
            }
            const made = packetize({ destination: 0, source: 0, tagOwner: true, tag: 0 }, 7, request, sequence);
            sequence = made.nextSequence;
            sent = performance.now();
            socket.write(made.bytes);
          };
          socket.on('connect', send);
          socket.on('error', reject);
          socket.on('data', (chunk: Buffer) => {
            held += chunk.length;
            // Every reply here is one packet.
            if (held < PACKET_SIZE) return;
            held -= PACKET_SIZE;
            times.push((performance.now() - sent) * 1000);
            if (chunk[13] !== 0 || chunk[14] !== 0) failed++;
            send();
          });
        }),
    ),
  );
  const took = performance.now() - begin;
  times.sort((a, b) => a - b);
  const at = (q: number): number => times[Math.floor(times.length * q)] ?? Number.NaN;
  return { p50: at(0.5), p99: at(0.99), perSecond: (times.length * 1000) / took, failed };
}

const state = mkdtempSync(join(tmpdir(), 'cci-bench-mctp-'));
mkdirSync(join(state, 'issuer'));
const [, emulatorPort] = await started(
  [
    'emulate',
    '--topology',
    join(root, 'config/topologies/default-32.yaml'),
    '--listen',
    '127.0.0.1:0',
    '--dialect',
    'jackrabbit',
  ],
  /127\.0\.0\.1:(\d+)/,
);
const config = readFileSync(join(root, 'config/rehearsal-mctp.yaml'), 'utf8')
  .replaceAll('../var/rehearsal', state)
  .replaceAll('../policies', join(root, 'policies'))
  .replaceAll('fabric-rehearsal.yaml', join(root, 'config/fabric-rehearsal.yaml'))
  .replaceAll('port: 2508', `port: ${emulatorPort}`)
  .replaceAll(/port: (2509|2510|8420)/g, 'port: 0');
writeFileSync(join(state, 'broker.yaml'), config);
const scopes = ['cci:read', 'cci:config', 'cci:debug-read', 'cci:debug-write', 'cci:debug-write-full'];
const issued = await issueDevelopmentToken({
  directory: join(state, 'issuer'),
  tenant: 'fabric',
  subject: 'bench',
  groups: [],
  scopes,
});
writeFileSync(join(state, 'fabric.token'), issued.token);
const [, listenerPort, url = ''] = await started(
  ['serve', '--config', join(state, 'broker.yaml')],
  /mctp +127\.0\.0\.1:(\d+)[\s\S]*listening +(http:\S+)/,
);
const [, agentPort] = await started(
  [
    'agent',
    '--listen',
    '127.0.0.1:0',
    '--dialect',
    'jackrabbit',
    '--url',
    url,
    '--token-file',
    join(state, 'fabric.token'),
  ],
  /127\.0\.0\.1:(\d+)/,
);

const message = (opcode: number, payload: string): Uint8Array =>
  encodeMessage(
    {
      category: 'request',
      tag: 0,
      opcode,
      background: false,
      returnCode: 0,
      vendorStatus: 0,
      payload: fromHex(payload) ?? new Uint8Array(0),
    },
    'jackrabbit',
  );
const read = message(0x5101, '0104');
const tunnel = message(0x5300, '0e000d0008000000005400000000000000');
const doors = [
  ['direct', Number(emulatorPort)],
  ['listener of the broker', Number(listenerPort)],
  ['agent, WebSocket, broker', Number(agentPort)],
] as const;

for (const [, port] of doors) {
  await load(port, read, quick ? 2000 : 20_000);
  await load(port, tunnel, quick ? 1000 : 5000);
}
const rows: (readonly (string | number)[])[] = [];
let failed = 0;
for (const [what, request, width] of [
  ['port state, one connection', read, 1],
  ['LD info through a tunnel, one connection', tunnel, 1],
  ['port state, 32 connections', read, 32],
] as const) {
  let directP50 = 0;
  for (const [door, port] of doors) {
    const result = await load(port, request, total, width);
    failed += result.failed;
    if (door === 'direct') directP50 = result.p50;
    rows.push([`${what}: ${door}`, result.p50, result.p99, result.p50 - directP50, result.perSecond]);
  }
}
for (const child of children.toReversed()) {
  child.removeAllListeners('exit');
  child.kill('SIGTERM');
  await new Promise((resolve) => child.once('exit', resolve));
}
rmSync(state, { recursive: true, force: true });
if (failed > 0) throw new Error(`${failed} requests were refused`);
report('MCTP over TCP', [
  '`node bench/mctp.ts`: a client of the old dialect, one request after the other on each connection; emulated switch, broker,',
  'agent and load are processes of their own. Microseconds, and requests a second.',
  '',
  ...table(['', 'p50', 'p99', 'added p50', 'requests/s'], rows),
]);
