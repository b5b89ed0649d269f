import { execFile, spawn } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { makeBundle } from '../../scripts/bundle.ts';
import { issueDevelopmentToken } from '../../src/broker/auth/index.ts';

// `cci` itself, bundled from a copy of this tree.

const run = promisify(execFile);
const PARTS = ['bin', 'config', 'package.json', 'policies', 'scripts', 'src', 'node_modules/.package-lock.json'];
const READ_BY_PEOPLE = /(\.map|\.d\.ts|\.d\.mts|\.d\.cts|\.md)$/;
let root = '';

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'cci-bundled-'));
  // The process of the listeners becomes another user, who has to be able to read it.
  chmodSync(root, 0o755);
  for (const part of [...PARTS, ...productionPackages()]) {
    cpSync(resolve(part), join(root, part), { recursive: true, filter: (path) => !READ_BY_PEOPLE.test(path) });
  }
  await new Promise((done) => setTimeout(done, 50));
  await makeBundle(root);
}, 60_000);
afterAll(() => rmSync(root, { recursive: true, force: true }));

function productionPackages(): readonly string[] {
  const lock: { packages: { readonly [folder: string]: { readonly dev?: boolean } } } = JSON.parse(
    readFileSync('package-lock.json', 'utf8'),
  );
  return Object.entries(lock.packages)
    .filter(([folder, { dev }]) => folder !== '' && dev !== true && !folder.startsWith('node_modules/node-linux-'))
    .map(([folder]) => folder)
    .filter((folder) => existsSync(folder));
}

async function cci(...words: readonly string[]): Promise<string> {
  const { stdout } = await run(process.execPath, [join(root, 'bin/cci.js'), ...words], { env: {} });
  return stdout;
}

it('the launcher takes it', async () => {
  const ask = `console.log(JSON.stringify((await import('./bin/bundle.js')).bundleIn(process.cwd())))`;
  const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', ask], { cwd: root, env: {} });
  expect(JSON.parse(stdout)).toEqual({ main: join(root, 'node_modules/.cache/cci/bundle/main.mjs') });
});

it.each(['koffi', 'undici'])('finds %s, which stays a package', (name) => {
  const { resolve: found } = createRequire(join(root, 'node_modules/.cache/cci/bundle/main.mjs'));
  expect(found(name)).toMatch(join(root, 'node_modules', name));
});

it('says its version, checks a policy and shows a command', async () => {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
  expect(await cci('--version')).toBe(`${version}\n`);
  expect(await cci('policy', 'check')).toBe(await fromSources('policy', 'check'));
  expect(await cci('run', 'bind-vppb', '--help')).toContain('--vcs-id');
});

async function fromSources(...words: readonly string[]): Promise<string> {
  const { stdout } = await run(process.execPath, [join(root, 'bin/cci.js'), ...words], {
    env: { CCI_FROM_SOURCE: '1' },
  });
  return stdout;
}

it.each(['same', 'separate'])(
  'serves with its listeners in the %s process: decisions, refusals of bodies, figures',
  async (edge) => {
    const state = mkdtempSync(join(root, 'state-'));
    const config = join(root, 'config', `${edge}.yaml`);
    writeFileSync(config, `${readFileSync('config/broker.yaml', 'utf8')}\nedge: { process: ${edge} }\n`);
    const child = spawn(
      process.execPath,
      [join(root, 'bin/cci.js'), 'serve', '--config', config, '--port', '0', '--state-directory', state],
      { stdio: ['ignore', 'ignore', 'pipe'], env: {} },
    );
    const ended = new Promise<number | null>((done) => child.once('exit', done));
    let said = '';
    const url = await new Promise<string>((done, fail) => {
      child.stderr.on('data', (text) => {
        said += text;
        const found = /listening\s+(http\S+)/.exec(said)?.[1];
        if (found !== undefined) done(found);
      });
      void ended.then(() => fail(new Error(said)));
    });
    try {
      const { token } = await issueDevelopmentToken({
        directory: join(state, 'issuer'),
        ...{ tenant: 'acme', subject: 'alice', groups: ['operators'], scopes: ['cci:read'] },
      });
      const asked = async (body: object): Promise<Response> =>
        fetch(`${url}/v1/switches/sw0/decisions`, {
          method: 'POST',
          headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
          body: JSON.stringify(body),
        });
      const decision = await asked({ command: 'get-physical-port-state', params: { port_id_list: [2] } });
      expect(decision.status).toBe(200);
      expect(await decision.json()).toMatchObject({ verdict: 'allow' });
      expect((await asked({ nothing: true })).status).toBe(400);
      expect((await fetch(`${url}/metrics`)).status).toBe(200);
    } finally {
      child.kill('SIGTERM');
    }
    expect(await ended, said).toBe(0);
    expect(said.includes('a process of its own')).toBe(edge === 'separate');
  },
  60_000,
);
