import { spawnSync } from 'node:child_process';
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { connect, Socket } from 'node:net';
import { Worker } from 'node:worker_threads';
import { confine, type LaunchReport, loadNative } from '../../src/sandbox/index.ts';

/**
 * Runs in the sandbox in place of the edge: listens, confines itself, tries one thing after the other that an edge must not
 * be able to do, and tells on descriptor 3 what came of each.
 */
const launched = JSON.parse(process.argv[2] ?? '{"absent":[]}') as LaunchReport;
const channel = new Socket({ fd: 3, readable: true, writable: true });
const told = Promise.withResolvers<{ readonly secret: string; readonly port: number; readonly last?: string }>();
channel.on('data', (text: Buffer) => told.resolve(JSON.parse(text.toString())));
channel.on('end', () => process.exit(0));
const { secret, port, last } = await told.promise;

const server = createServer((_request, reply) => reply.end('served'));
await new Promise<void>((done, fail) => {
  server.once('error', fail);
  server.listen(0, '127.0.0.1', done);
});
const native = await loadNative();
const otherPort = await attempt(
  () =>
    new Promise((done, fail) =>
      createServer()
        .once('error', fail)
        .listen(port, '127.0.0.1', () => done('listens')),
    ),
);
const confinement = await confine(launched);

const call =
  (number: number, ...values: readonly (number | Uint8Array | null)[]) =>
  () => {
    if (!native.ok) throw new Error(native.why);
    const result = native.native.call(number, ...values);
    if (result < 0) throw Object.assign(new Error('refused'), { code: `errno ${native.native.errno()}` });
    return result;
  };
const path = (text: string) => new TextEncoder().encode(`${text}\0`);
const X64 = process.arch === 'x64';

/** Attempts by name. Numbers of system calls: x86-64, arm64. */
const attempts: { readonly [name: string]: () => unknown } = {
  'read a secret file of the core': () => readFileSync(secret, 'utf8'),
  'read /etc/passwd': () => readFileSync('/etc/passwd', 'utf8'),
  'read its own memory as a file': () => readFileSync('/proc/self/mem'),
  'write a file': () => writeFileSync('/tmp/cci-sandbox-probe', 'x'),
  'open for writing what it may read': () => closeSync(openSync(new URL('../../package.json', import.meta.url), 'r+')),
  'start a program': () => {
    const { error } = spawnSync('/bin/true');
    if (error !== undefined) throw error;
  },
  fork: X64 ? call(57) : call(220, 17, 0, 0, 0, 0),
  'make a socket': call(X64 ? 41 : 198, 2, 1, 0),
  'connect to a listener': () =>
    new Promise((done, fail) => connect(port, '127.0.0.1', () => done('connected')).once('error', fail)),
  'listen elsewhere': () =>
    new Promise((done, fail) =>
      createServer()
        .once('error', fail)
        .listen(0, '127.0.0.1', () => done('')),
    ),
  'signal the core': () => process.kill(process.ppid, 0),
  'kill everything': call(X64 ? 62 : 129, -1, 0),
  'become root': () => process.setuid?.(0),
  'leave its groups': call(X64 ? 116 : 159, 0, null),
  'make a ring': call(425, 8, new Uint8Array(120)),
  'mount something': call(X64 ? 165 : 40, path('none'), path('/'), path('tmpfs'), 0, null),
  'unshare a user namespace': call(X64 ? 272 : 97, 0x1000_0000),
  'add a key to the kernel': call(X64 ? 248 : 217, path('user'), path('x'), path('y'), 1, -3),
  'count events of the machine': call(X64 ? 298 : 241, new Uint8Array(128), 0, -1, -1, 0),
  'open the core as a process': call(434, process.ppid, 0),
  'raise a limit': call(X64 ? 302 : 261, 0, 7, new Uint8Array(16), null),
  'set the clock': call(X64 ? 164 : 170, new Uint8Array(16), null),
  'a call that came later': call(500),
};

/** These end the process: each runs in a process of its own. */
const ending: { readonly [name: string]: () => unknown } = {
  'become another program': () => process.execve?.('/bin/true', ['true'], {}),
  'execute by descriptor': call(X64 ? 322 : 281, -100, path('/bin/true'), null, null, 0),
  'trace another process': call(X64 ? 101 : 117, 16, process.ppid, 0, 0),
  'read the memory of the core': call(X64 ? 310 : 270, process.ppid, null, 0, null, 0),
  'load a program into the kernel': call(X64 ? 321 : 280, 0, new Uint8Array(64), 64),
  'load a module': call(X64 ? 313 : 273, 0, path(''), 0),
};

const came: { [name: string]: unknown } = { 'listen on another port before it is confined': otherPort };
if (last === undefined) for (const [name, attempted] of Object.entries(attempts)) came[name] = await attempt(attempted);
else {
  channel.write(`${JSON.stringify({ trying: last })}\n`);
  await new Promise((done) => setTimeout(done, 20));
  came[last] = await attempt(ending[last] ?? (() => 'no such attempt'));
}

const works: { readonly [name: string]: () => unknown } = {
  'read its own program': () => readFileSync(new URL('../../package.json', import.meta.url)).length > 0,
  'signal itself': () => process.kill(process.pid, 0),
  'run threads of its own': () =>
    new Promise((done, fail) => {
      const worker = new Worker('require("node:worker_threads").parentPort.postMessage(1)', { eval: true });
      worker.once('message', done).once('error', fail);
    }),
  'collect garbage': () => {
    for (let i = 0; i < 50; i++) new Array(100_000).fill(i);
  },
  'set timers': () => new Promise((done) => setTimeout(done, 5)),
};
const can: { [name: string]: unknown } = {};
if (last === undefined) for (const [name, attempted] of Object.entries(works)) can[name] = await attempt(attempted);
const address = server.address();
const served = typeof address === 'object' && address !== null ? address.port : 0;
channel.write(`${JSON.stringify({ came, can, confinement, port: served, environment: Object.keys(process.env) })}\n`);

async function attempt(what: () => unknown): Promise<unknown> {
  try {
    await what();
    return 'works';
  } catch (error) {
    return error instanceof Error && 'code' in error ? error.code : String(error);
  }
}
