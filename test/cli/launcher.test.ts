import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const run = promisify(execFile);
const launcher = resolve('bin/cci.js');
let directory = '';

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'cci-launcher-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

async function launch(node: string, words: readonly string[], script = launcher): Promise<Ended> {
  try {
    const { stdout, stderr } = await run(node, [script, ...words], { env: { PATH: process.env.PATH ?? '' } });
    return { code: 0, out: stdout, err: stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, out: stdout, err: stderr };
  }
}

/** A Node that is too old to run TypeScript, if this machine has one. */
async function oldNode(): Promise<string | undefined> {
  const wanted = process.env.CCI_OLD_NODE === undefined ? [] : [process.env.CCI_OLD_NODE];
  for (const node of [...wanted, ...(process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, 'node'))]) {
    if (!existsSync(node)) continue;
    const { stdout } = await run(node, ['--version']);
    const major = Number(/^v(\d+)/.exec(stdout)?.[1]);
    if (major >= 20 && major < 24) return node;
  }
  return undefined;
}
const old = await oldNode();

/** Starts `cci serve` and waits until it listens; tells it to end with `signal`. */
async function serveUntil(node: string, signal: NodeJS.Signals): Promise<Ended> {
  const state = await mkdtemp(join(directory, 'state-'));
  const child = spawn(node, [launcher, 'serve', '--port', '0', '--state-directory', state], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const written = { out: '', err: '' };
  child.stdout.on('data', (chunk) => {
    written.out += chunk;
  });
  const listening = Promise.withResolvers<void>();
  child.stderr.on('data', (chunk) => {
    written.err += chunk;
    if (written.err.includes('npx cci show ports')) listening.resolve();
  });
  const ended = new Promise<number | null>((done) => child.once('exit', (code) => done(code)));
  void ended.then(() => listening.resolve());
  await listening.promise;
  child.kill(signal);
  return { code: await ended, ...written };
}

const nodes: readonly (readonly [what: string, node: string | undefined])[] = [
  ['this Node', process.execPath],
  [
    old === undefined
      ? 'a Node that cannot run TypeScript (skipped: none of version 20 to 23 in PATH or CCI_OLD_NODE)'
      : 'a Node that cannot run TypeScript',
    old,
  ],
];

describe.each(nodes)('cci on %s', { timeout: 60_000 }, (_what, node) => {
  it.skipIf(node === undefined)('keeps words, streams and statuses', async () => {
    const help = await launch(node ?? '', ['run', 'bind-vppb', '--help']);
    expect(help).toMatchObject({ code: 0, err: '' });
    expect(help.out).toContain('--vcs-id');
    expect(await launch(node ?? '', ['nope'])).toMatchObject({ code: 2, out: '' });
    const away = await launch(node ?? '', ['whoami', '--url', 'http://127.0.0.1:1', '--token', 'a b']);
    expect(away.code).toBe(2);
    expect(away.err).not.toContain('Warning');
  });

  it.skipIf(node === undefined).each(['SIGTERM', 'SIGINT'] as const)(
    'serves until %s, and ends in order',
    async (signal) => {
      const ran = await serveUntil(node ?? '', signal);
      expect(ran.err).toContain('stopping: what is in flight is finished first');
      expect(ran).toMatchObject({ code: 0, out: '' });
    },
  );
});

it.skipIf(old === undefined)('without its packages says what to do', async () => {
  const lone = join(directory, 'lone');
  await mkdir(join(lone, 'bin'), { recursive: true });
  await cp(launcher, join(lone, 'bin', 'cci.mjs'));
  const ran = await launch(old ?? '', ['--help'], join(lone, 'bin', 'cci.mjs'));
  expect(ran.code).toBe(1);
  expect(ran.err).toContain('run `npm ci`');
});

it('a reader that has seen enough is no error', async () => {
  const { stdout } = await run('sh', [
    '-c',
    `{ "${process.execPath}" "${launcher}" run initiate-dynamic-capacity-add --help; echo "status $?" >&2; } | head -1`,
  ]);
  expect(stdout).toMatch(/^Usage: cci run initiate-dynamic-capacity-add/);
});
