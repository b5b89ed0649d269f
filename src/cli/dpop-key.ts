import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import type { DpopKey } from '../client/index.ts';
import type { Io } from './io.ts';
import { LocalError, UsageError } from './usage-error.ts';

/** Flags of every command that shows a token. */
export interface DpopFlags {
  readonly dpopKey?: string;
}

const MAX_BYTES = 4096;

/** What a client of the library takes: nothing, or the key that the flag or `CCI_DPOP_KEY` names. */
export async function clientDpop(io: Io, flags: DpopFlags): Promise<{ readonly dpop?: { readonly key: DpopKey } }> {
  const path = dpopKeyPath(io, flags);
  if (path === undefined) return {};
  const key = await readDpopKey(path);
  if (key === undefined) {
    throw new UsageError(
      `there is no key file \`${path}\``,
      '`cci token key` makes one; its tokens have to be bound to it',
    );
  }
  return { dpop: { key } };
}

export function dpopKeyPath(io: Io, flags: DpopFlags): string | undefined {
  const path = flags.dpopKey ?? io.env.CCI_DPOP_KEY;
  return path === '' ? undefined : path;
}

/** The key of a file, which is made, mode 0600, where there is none. */
export async function openDpopKey(path: string): Promise<{ readonly key: DpopKey; readonly isNew: boolean }> {
  const there = await readDpopKey(path);
  if (there !== undefined) return { key: there, isNew: false };
  const { makeDpopKey } = await import('../client/index.ts');
  const key = makeDpopKey();
  try {
    // Never over a file that somebody else made meanwhile.
    const file = await open(path, 'wx', 0o600);
    try {
      await file.writeFile(`${JSON.stringify(key)}\n`);
    } finally {
      await file.close();
    }
  } catch (error) {
    throw new LocalError(`cannot make the key file \`${path}\` (${codeOf(error)})`, 'name a file that can be written');
  }
  return { key, isNew: true };
}

/** Undefined where there is no such file. @throws LocalError for one that others can read, or that is no key */
async function readDpopKey(path: string): Promise<DpopKey | undefined> {
  let text: string;
  let mode: number;
  try {
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const facts = await file.stat();
      mode = facts.mode;
      text = facts.isFile() && facts.size <= MAX_BYTES ? await file.readFile('utf8') : '';
    } finally {
      await file.close();
    }
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw new LocalError(
      `the key file \`${path}\` cannot be read (${codeOf(error)})`,
      'name a file that holds one key',
    );
  }
  if ((mode & 0o077) !== 0) {
    throw new LocalError(
      `others can read the key file \`${path}\`: take the key as stolen`,
      'remove it, make another one with `cci token key`, and get tokens for that',
    );
  }
  const key = keyIn(text);
  if (key === undefined) throw new LocalError(`\`${path}\` holds no key of ours`, 'make one with `cci token key`');
  return key;
}

function keyIn(text: string): DpopKey | undefined {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof json !== 'object' || json === null) return undefined;
  const { kty, crv, x, y, d } = json as { readonly [name: string]: unknown };
  if (typeof kty !== 'string' || typeof crv !== 'string' || typeof x !== 'string' || typeof d !== 'string') {
    return undefined;
  }
  return typeof y === 'string' ? { kty, crv, x, y, d } : { kty, crv, x, d };
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unreadable';
}
