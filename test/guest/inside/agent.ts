import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, read, readdirSync, readFileSync, writeSync } from 'node:fs';

/**
 * Runs in the guest as its only task: does what the host asks for, one line of JSON each, over a port that the kernel
 * lets one process open. An answer carries the number of its request, which is drawn anew for each, so that nothing
 * else that runs in the guest can pass for it.
 */

type Request = { readonly id: string; readonly op: string } & { readonly [key: string]: unknown };

const running = new Map<string, { readonly child: ChildProcess; output: string; ended?: string }>();

function portNamed(name: string): string {
  for (const port of readdirSync('/sys/class/virtio-ports')) {
    if (readFileSync(`/sys/class/virtio-ports/${port}/name`, 'utf8').trim() === name) return `/dev/${port}`;
  }
  throw new Error(`no port ${name}`);
}

const text = (value: unknown): string => {
  if (typeof value !== 'string') throw new Error('not a text');
  return value;
};
const texts = (value: unknown): string[] => (Array.isArray(value) ? value.map(text) : []);

const operations: { readonly [op: string]: (request: Request) => unknown } = {
  hello: () => ({ pid: process.pid, node: process.version, uptimeMs: Math.round(performance.now()) }),
  read: ({ path }) => readFileSync(text(path), 'utf8'),
  write: ({ path, data }) => {
    const at = text(path);
    if (!/^\/(?:proc|sys|dev)\//.test(at)) mkdirSync(at.slice(0, at.lastIndexOf('/')) || '/', { recursive: true });
    const file = openSync(at, /^\/(?:proc|sys|dev)\//.test(at) ? 'w' : 'w', 0o600);
    try {
      writeSync(file, text(data));
    } finally {
      closeSync(file);
    }
  },
  exec: ({ argv, input, env, limitMs }) => run(texts(argv), input, env, Number(limitMs ?? 60_000)),
  start: ({ name, argv, env }) => {
    const [program = '', ...rest] = texts(argv);
    const child = spawn(program, rest, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...(env as object) },
      cwd: '/repo',
    });
    const entry: { readonly child: ChildProcess; output: string; ended?: string } = { child, output: '' };
    const take = (chunk: Buffer) => {
      entry.output = (entry.output + chunk.toString()).slice(-200_000);
    };
    child.stdout?.on('data', take);
    child.stderr?.on('data', take);
    child.on('error', (error) => {
      entry.ended = String(error);
    });
    child.on('close', (code, signal) => {
      entry.ended = signal ?? String(code);
    });
    running.set(text(name), entry);
    return child.pid;
  },
  output: ({ name }) => {
    const entry = running.get(text(name));
    return entry === undefined ? null : { output: entry.output, ended: entry.ended ?? null };
  },
  kill: ({ name, signal }) => running.get(text(name))?.child.kill(text(signal) as NodeJS.Signals) ?? false,
  fetch: async ({ url, method, headers, body }) => {
    const response = await fetch(text(url), {
      method: text(method),
      headers: headers as { [name: string]: string },
      ...(typeof body === 'string' ? { body } : {}),
    });
    return { status: response.status, body: await response.text() };
  },
};

function run(argv: string[], input: unknown, env: unknown, limitMs: number): Promise<unknown> {
  const [program = '', ...rest] = argv;
  const child = spawn(program, rest, {
    env: { ...process.env, ...(env as object) },
    cwd: '/repo',
    timeout: limitMs,
    killSignal: 'SIGKILL',
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk) => (stdout += chunk));
  child.stderr.on('data', (chunk) => (stderr += chunk));
  child.stdin.on('error', () => undefined);
  child.stdin.end(typeof input === 'string' ? input : '');
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
}

const port = openSync(portNamed('switch-cci-guest'), 'r+');

async function answer(line: string): Promise<void> {
  const request = JSON.parse(line) as Request;
  let reply: object;
  try {
    const operation = operations[request.op];
    if (operation === undefined) throw new Error(`no operation ${request.op}`);
    reply = { id: request.id, value: (await operation(request)) ?? null };
  } catch (error) {
    reply = { id: request.id, error: error instanceof Error ? error.message : String(error) };
  }
  writeSync(port, `${JSON.stringify(reply)}\n`);
}

const buffer = Buffer.alloc(65536);
let rest = '';
const more = (): void => {
  read(port, buffer, 0, buffer.length, null, (error, length) => {
    if (error !== null || length === 0) {
      // Nobody at the other end (yet).
      setTimeout(more, 20);
      return;
    }
    const lines = (rest + buffer.toString('utf8', 0, length)).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) void answer(line);
    more();
  });
};
more();
