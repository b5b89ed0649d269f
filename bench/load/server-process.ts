import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { issueDevelopmentToken } from '../../src/broker/auth/index.ts';
import { tokenScopes } from '../../src/policy/index.ts';

/** A server in a process of its own, as in the field. */
export interface ServerProcess {
  readonly url: string;
  /** From the start of the process to its first line with an address, in milliseconds. */
  readonly startMs: number;
  /** Processor time so far, in microseconds: of the process itself, and of the first one that it has started. */
  cpuUs(): { readonly own: number; readonly child: number };
  /** Resident memory now, in MiB. */
  residentMib(): number;
  stop(): Promise<void>;
}

/** As `npm start` has them. */
export const nodeEnv = { ...process.env, MALLOC_ARENA_MAX: '1' };
export const nodeFlags = (process.env.BENCH_NODE_FLAGS ?? '--max-semi-space-size=8 --no-parallel-scavenge')
  .split(' ')
  .filter((flag) => flag !== '');

const root = new URL('../..', import.meta.url).pathname;

export async function startBare(): Promise<ServerProcess> {
  return started(spawn(process.execPath, [join(root, 'bench/load/bare-server.ts')]));
}

/**
 * The broker as `cci serve` starts it, with a state directory that goes with it; and a way to tokens.
 *
 * @param edge where its listeners run, if not where the configuration says
 */
export async function startBroker(
  config = 'config/broker.yaml',
  edge?: 'separate' | 'same',
): Promise<
  ServerProcess & {
    token(tenant: string, subject: string, groups: readonly string[]): Promise<string>;
    readonly stateDirectory: string;
  }
> {
  const state = mkdtempSync(join(tmpdir(), 'cci-bench-'));
  const words = [
    'serve',
    '--config',
    edge === undefined ? join(root, config) : withEdge(join(root, config), edge, state),
  ];
  const where = ['--state-directory', state, '--port', '0'];
  const child = spawn(process.execPath, [...nodeFlags, join(root, 'bin/cci.js'), ...words, ...where], { env: nodeEnv });
  const server = await started(child);
  return {
    ...server,
    stateDirectory: state,
    token: async (tenant, subject, groups) =>
      (await issueDevelopmentToken({ directory: join(state, 'issuer'), tenant, subject, scopes: tokenScopes, groups }))
        .token,
    stop: async () => {
      await server.stop();
      rmSync(state, { recursive: true, force: true });
    },
  };
}

/** A copy of a configuration, its paths absolute, with the other form of the edge. */
function withEdge(config: string, edge: 'separate' | 'same', directory: string): string {
  const here = dirname(config);
  const text = readFileSync(config, 'utf8')
    .replaceAll(
      /^(\s*(?:directory|fabric|topology|state_directory): )(\S+)$/gm,
      (_all, key, path) => key + join(here, path),
    )
    .concat(`\nedge:\n  process: ${edge}\n`);
  const copy = join(directory, 'broker.yaml');
  writeFileSync(copy, text);
  return copy;
}

async function started(child: ChildProcess): Promise<ServerProcess> {
  const begin = performance.now();
  let said = '';
  const url = await new Promise<string>((done, fail) => {
    const look = (chunk: Buffer) => {
      said += chunk.toString();
      const address = /http:\/\/127\.0\.0\.1:\d+/.exec(said)?.[0];
      if (address !== undefined) done(address);
    };
    child.stdout?.on('data', look);
    child.stderr?.on('data', look);
    child.once('exit', (code) => fail(new Error(`ended with ${code}: ${said}`)));
  });
  const startMs = performance.now() - begin;
  return {
    url,
    startMs,
    cpuUs: () => {
      const [first] = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').split(' ');
      return { own: cpuOf(String(child.pid)), child: first === undefined || first === '' ? 0 : cpuOf(first) };
    },
    residentMib: () =>
      Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1] ?? Number.NaN) / 1024,
    stop: () =>
      new Promise((done) => {
        child.removeAllListeners('exit');
        child.once('exit', () => done());
        child.kill('SIGTERM');
      }),
  };
}

/** User and system time; the kernel counts in hundredths of a second. */
function cpuOf(pid: string): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}
