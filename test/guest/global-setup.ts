import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { TestProject } from 'vitest/node';
import { issueDevelopmentToken } from '../../src/broker/auth/index.ts';
import { guestCache, installedParts, missingParts } from './machine.ts';
import { buildRoot, COMPILED, REPOSITORY } from './root-file-system.ts';

const NODE = resolve(REPOSITORY, 'node_modules/.bin/node');

/** Who asks, and what his token may be used for. */
const CALLERS = {
  operator: {
    tenant: 'fabric',
    subject: 'olga',
    groups: ['admins'],
    scopes: ['cci:read', 'cci:debug-write', 'cci:raw'],
  },
  lab: { tenant: 'lab', subject: 'lena', groups: ['operators'], scopes: ['cci:read', 'cci:debug-write'] },
  hall: { tenant: 'hall', subject: 'hugo', groups: [], scopes: ['cci:read', 'cci:debug-write'] },
} as const;

export type Caller = keyof typeof CALLERS;

declare module 'vitest' {
  export interface ProvidedContext {
    /** The guest's root file system. */
    readonly root: string;
    readonly tokens: { readonly [C in Caller]: string };
  }
}

/**
 * Builds the root file system that all machines boot: sources, packages, compiled code, policies, and keys that the
 * tokens fit.
 */
export default async function setUp({ provide }: TestProject): Promise<() => void> {
  const missing = missingParts();
  if (missing !== undefined) throw new Error(`the guest suite can't run: ${missing}`);
  const startedAt = performance.now();
  const folder = mkdtempSync(join(tmpdir(), 'switch-cci-guest-root-'));
  const issuer = join(folder, 'issuer');
  mkdirSync(issuer, { mode: 0o700 });
  const tokens = { operator: '', lab: '', hall: '' };
  for (const caller of Object.keys(CALLERS) as Caller[]) {
    const { token } = await issueDevelopmentToken({ directory: issuer, ttlMs: 3_600_000, ...CALLERS[caller] });
    tokens[caller] = token;
  }
  await compileForGuest(folder);
  const root = join(folder, 'root.cpio');
  await buildRoot(root, { cache: guestCache, node: NODE, issuer });
  provide('root', root);
  provide('tokens', tokens);
  console.log(`guest: ${installedParts()}; root file system in ${Math.round(performance.now() - startedAt)} ms`);
  return () => rmSync(folder, { recursive: true, force: true });
}

/**
 * Compiling is what costs most in an emulated machine, so the programs run here once and what they compiled goes
 * along: a broker that serves, one whose device is missing (for the transports), and the agent, which finds no port.
 */
async function compileForGuest(folder: string): Promise<void> {
  rmSync(join(REPOSITORY, COMPILED), { recursive: true, force: true });
  const serve = ['bin/cci.js', 'serve', '--port', '0', '--state-directory'];
  await runHere([...serve, join(folder, 'serving')]);
  await runHere([...serve, join(folder, 'missing'), '--config', writeConfig(folder)]);
  await runHere(['test/guest/inside/agent.ts']);
}

/**
 * Runs a program to its end; one that says that it listens is told to end, since compiled code is written at an end
 * in order.
 */
function runHere(args: readonly string[]): Promise<void> {
  const child = spawn(NODE, args, {
    cwd: REPOSITORY,
    // What goes along is sources, and so has to be what is compiled.
    env: {
      ...process.env,
      CCI_FROM_SOURCE: '1',
      NODE_COMPILE_CACHE: join(REPOSITORY, COMPILED),
      NODE_COMPILE_CACHE_PORTABLE: '1',
    },
    stdio: ['ignore', 'ignore', 'pipe'],
    timeout: 60_000,
  });
  let printed = '';
  child.stderr.on('data', (chunk: Buffer) => {
    printed += chunk.toString();
    if (printed.includes('listening')) child.kill('SIGTERM');
  });
  return new Promise((done, fail) => {
    child.once('error', fail);
    child.once('close', () => done());
  });
}

function writeConfig(folder: string): string {
  const from = (path: string) => resolve(REPOSITORY, path);
  const text = readFileSync(from('test/guest/machine/broker.yaml'), 'utf8')
    .replace('TRANSPORT', 'vfio')
    .replace('PORT', '0')
    .replace('STATE', 'state')
    .replace('fabric: fabric.yaml', `fabric: ${from('config/fabric-qemu.yaml')}`)
    .replace('directory: policies', `directory: ${from('policies-qemu')}`);
  const path = join(folder, 'missing.yaml');
  writeFileSync(path, text);
  return path;
}
