import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  accountOf,
  type Confinement,
  type LaunchPlan,
  landlockVersion,
  launcherScript,
  loadNative,
  type ProcessStatus,
  processStatus,
  programFiles,
} from '../../src/sandbox/index.ts';
import { keepsOthersOut } from '../support/other-users.ts';

const native = await loadNative();
const isRoot = process.getuid?.() === 0;
const missing = [
  ...(native.ok ? [] : [native.why]),
  ...(native.ok && landlockVersion(native.native) < 4 ? ['Landlock of version 4 or later'] : []),
  ...(isRoot ? [] : ['root, to become another user']),
  ...keepsOthersOut(),
];
// Where it is demanded, what is missing is a failure and not a reason to look away.
const skipped = missing.length > 0 && process.env.CI_REQUIRE_SANDBOX !== '1';

interface Probed {
  readonly came: { readonly [name: string]: unknown };
  readonly can: { readonly [name: string]: unknown };
  readonly confinement: Confinement;
  readonly port: number;
  readonly environment: readonly string[];
}

const directory = mkdtempSync(join(tmpdir(), 'cci-sandbox-'));
const secret = join(directory, 'journal.jsonl');
const listener = createServer((socket) => socket.destroy());
let port = 0;

/** The probe in a sandbox, as far as it has come. */
async function probe(plan: Partial<LaunchPlan> = {}, last?: string) {
  const whole: LaunchPlan = {
    parent: process.pid,
    script: new URL('../support/sandbox-probe.ts', import.meta.url).pathname,
    nodeFlags: ['--disable-warning=ExperimentalWarning'],
    readable: [...programFiles(), new URL('../support', import.meta.url).pathname],
    bindPorts: [0],
    descriptors: 512,
    ...plan,
  };
  const child = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', launcherScript, JSON.stringify(whole)],
    {
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
      env: { SECRET_OF_THE_CORE: 'x' },
    },
  );
  const channel = child.stdio[3] as Duplex;
  let errors = '';
  child.stderr?.on('data', (text: Buffer) => {
    errors += text.toString();
  });
  channel.write(JSON.stringify({ secret, port, ...(last === undefined ? {} : { last }) }));
  const lines: string[] = [];
  const end = new Promise<{ code: number | null; signal: string | null }>((done) => {
    child.once('close', (code, signal) => done({ code, signal }));
  });
  const said = new Promise<Probed | undefined>((done) => {
    let rest = '';
    channel.on('data', (text: Buffer) => {
      rest += text.toString();
      for (let at = rest.indexOf('\n'); at >= 0; at = rest.indexOf('\n')) {
        const line = rest.slice(0, at);
        rest = rest.slice(at + 1);
        lines.push(line);
        if (line.includes('"came"')) done(JSON.parse(line) as Probed);
      }
    });
    channel.on('error', () => {});
    void end.then(() => done(undefined));
  });
  return { child, channel, end, said: await said, lines, errors: () => errors };
}

const whole = (child: ChildProcess): ProcessStatus => {
  const status = processStatus(child.pid ?? 0);
  if (status === undefined) throw new Error('no status');
  return status;
};

describe.skipIf(skipped)(`the sandbox of the edge${skipped ? ` (missing: ${missing.join(', ')})` : ''}`, () => {
  beforeAll(async () => {
    expect(missing).toEqual([]);
    writeFileSync(secret, 'a record', { mode: 0o644 });
    // Permissions alone would let it in: it is the sandbox that has to keep it out.
    chmodSync(directory, 0o755);
    await new Promise<void>((done) => listener.listen(0, '127.0.0.1', done));
    const address = listener.address();
    port = typeof address === 'object' && address !== null ? address.port : 0;
  });
  afterAll(() => {
    listener.close();
    rmSync(directory, { recursive: true, force: true });
  });

  const forms: readonly (readonly [string, Partial<LaunchPlan>])[] = [
    ['another user', { account: accountOf('nobody') }],
    ['the same user', {}],
  ];
  test.each(forms)(
    'as %s: nothing that it tries outside of its own works, and what it needs does',
    async (who, plan) => {
      const { child, channel, end, said, errors } = await probe(
        plan.account === undefined ? {} : { account: plan.account },
      );
      expect(errors()).toBe('');
      const status = whole(child);
      const served = await fetch(`http://127.0.0.1:${said?.port}`).then((reply) => reply.text());
      channel.end();
      await end;
      expect(served).toBe('served');
      expect(Object.entries(said?.came ?? {}).filter(([, result]) => result === 'works')).toEqual([]);
      expect(Object.keys(said?.came ?? {}).length).toBeGreaterThan(20);
      for (const [name, result] of Object.entries(said?.can ?? {})) expect(result, name).toBe('works');
      expect(said?.came['read a secret file of the core']).toBe('EACCES');
      expect(said?.came['connect to a listener']).toMatch(/EPERM|EACCES/);
      expect(said?.came['listen on another port before it is confined']).toBe('EACCES');
      expect(said?.environment).not.toContain('SECRET_OF_THE_CORE');
      expect(said?.confinement).toMatchObject({ noNewPrivileges: true, absent: [], landlock: { network: true } });
      expect(status).toMatchObject({ noNewPrivileges: true, seccomp: 2, capabilities: 0n });
      if (who === 'another user') expect(status).toMatchObject({ uid: 65534, groups: [] });
    },
  );

  const deadly = [
    'become another program',
    'execute by descriptor',
    'trace another process',
    'read the memory of the core',
    'load a program into the kernel',
    'load a module',
  ];
  test.each(deadly)('to %s ends it', async (name) => {
    const { end, said, lines } = await probe({ account: accountOf('nobody') }, name);
    expect(said).toBeUndefined();
    expect(lines).toEqual([JSON.stringify({ trying: name })]);
    expect(await end).toEqual({ code: null, signal: 'SIGSYS' });
  });

  test('it listens below port 1024 where that is configured, and has no other capability', async () => {
    const { child, channel, end, said } = await probe({ account: accountOf('nobody'), bindPorts: [0, 443] });
    const { capabilities } = whole(child);
    channel.end();
    await end;
    expect(said).toBeDefined();
    expect(capabilities).toBe(1n << 10n);
  });

  test('a program that the other user cannot read is said in one sentence, and nothing starts', async () => {
    const closed = mkdtempSync(join(tmpdir(), 'cci-closed-'));
    const { end, said, errors } = await probe({ account: accountOf('nobody'), readable: [closed] });
    expect(await end).toMatchObject({ code: 1 });
    expect(said).toBeUndefined();
    expect(errors()).toContain(`the user nobody cannot read ${closed}`);
    rmSync(closed, { recursive: true });
  });

  test('an edge whose core has gone already does not start', async () => {
    const { end, errors } = await probe({ parent: 1 });
    expect(await end).toMatchObject({ code: 1 });
    expect(errors()).toContain('the core has gone');
  });
});

test('users are found by name and by number, and nobody else is', () => {
  const own = mkdtempSync(join(tmpdir(), 'cci-users-'));
  const file = join(own, 'passwd');
  writeFileSync(file, 'root:x:0:0::/root:/bin/sh\nedge:x:812:813::/:/bin/false\nbroken:x:a:b\n');
  expect(accountOf('edge', file)).toEqual({ name: 'edge', uid: 812, gid: 813 });
  expect(accountOf('12:34', file)).toEqual({ name: '12:34', uid: 12, gid: 34 });
  expect(accountOf('broken', file)).toBeUndefined();
  expect(accountOf('ed', file)).toBeUndefined();
  rmSync(own, { recursive: true });
});
