import { closeSync, openSync } from 'node:fs';
import type { Native } from './native.ts';

/**
 * Landlock: a process gives up every right to files and TCP ports but the ones that it names. Source: linux/landlock.h.
 * It holds for the calling thread and what it executes, so it is set by a launcher right before it becomes the edge.
 */
export interface LandlockRules {
  /** Files that may be read and executed. */
  readonly execute: readonly string[];
  /** Files and folders, with all that is in them, that may be read. */
  readonly read: readonly string[];
  /** TCP ports that may be listened on; 0 is a free one. Connecting is not possible at all. */
  readonly bindPorts: readonly number[];
}

/** What of it this kernel has. */
export interface LandlockInForce {
  readonly abi: number;
  readonly files: true;
  /** From version 4 on. */
  readonly network: boolean;
  /** Signals to processes outside, and their abstract sockets. From version 6 on. */
  readonly scope: boolean;
}

export type LandlockResult =
  | { readonly ok: true; readonly inForce: LandlockInForce }
  | { readonly ok: false; readonly why: string };

/** Landlock is there and refuses what is asked of it: a defect, never passed over. */
export class LandlockError extends Error {
  readonly code = 'ELANDLOCK';
}

const CREATE_RULESET = 444;
const ADD_RULE = 445;
const RESTRICT_SELF = 446;
const VERSION_FLAG = 1;
const PATH_BENEATH = 1;
const NET_PORT = 2;

const EXECUTE = 1n << 0n;
const READ_FILE = 1n << 2n;
const READ_DIR = 1n << 3n;
/** Rights to files that each version knows: 13, then renaming between folders, truncating, and calls to devices. */
const fileRightsOf = (abi: number): bigint => (1n << (abi >= 5 ? 16n : abi >= 3 ? 15n : abi === 2 ? 14n : 13n)) - 1n;
const BIND_TCP = 1n;
const CONNECT_TCP = 2n;
const ABSTRACT_SOCKETS = 1n;
const SIGNALS = 2n;

const O_PATH = 0o10000000;
const O_CLOEXEC = 0o2000000;

/** Version of Landlock here; 0 where there is none. */
export function landlockVersion(native: Native): number {
  return Math.max(0, native.call(CREATE_RULESET, null, 0, VERSION_FLAG));
}

/**
 * Confines the calling thread, and every process that it becomes. `no_new_privs` has to be set.
 *
 * @throws LandlockError where the kernel has Landlock and refuses
 */
export function restrictByLandlock(native: Native, rules: LandlockRules): LandlockResult {
  const abi = landlockVersion(native);
  if (abi < 1) return { ok: false, why: 'this kernel has no Landlock, or it is switched off' };
  const network = abi >= 4;
  const scope = abi >= 6;
  const attributes = new BigUint64Array([
    fileRightsOf(abi),
    network ? BIND_TCP | CONNECT_TCP : 0n,
    scope ? ABSTRACT_SOCKETS | SIGNALS : 0n,
  ]);
  const size = scope ? 24 : network ? 16 : 8;
  const ruleset = done(native, 'create', native.call(CREATE_RULESET, bytesOf(attributes), size, 0));
  try {
    for (const path of rules.execute) allowPath(native, ruleset, path, EXECUTE | READ_FILE);
    for (const path of rules.read) allowPath(native, ruleset, path, READ_FILE | READ_DIR);
    if (network) for (const port of new Set(rules.bindPorts)) allowPort(native, ruleset, port);
    done(native, 'restrict', native.call(RESTRICT_SELF, ruleset, 0));
  } finally {
    closeSync(ruleset);
  }
  return { ok: true, inForce: { abi, files: true, network, scope } };
}

function allowPath(native: Native, ruleset: number, path: string, rights: bigint): void {
  let file: number;
  try {
    file = openSync(path, O_PATH | O_CLOEXEC);
  } catch (error) {
    // What is not there needs no rule.
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return;
    throw error;
  }
  try {
    const rule = new Uint8Array(12);
    const view = new DataView(rule.buffer);
    view.setInt32(8, file, true);
    view.setBigUint64(0, rights, true);
    if (native.call(ADD_RULE, ruleset, PATH_BENEATH, rule, 0) === 0) return;
    // A file has no folder's rights.
    view.setBigUint64(0, rights & ~READ_DIR, true);
    done(native, `allow ${path}`, native.call(ADD_RULE, ruleset, PATH_BENEATH, rule, 0));
  } finally {
    closeSync(file);
  }
}

function allowPort(native: Native, ruleset: number, port: number): void {
  const rule = new BigUint64Array([BIND_TCP, BigInt(port)]);
  done(native, `allow port ${port}`, native.call(ADD_RULE, ruleset, NET_PORT, bytesOf(rule), 0));
}

function bytesOf(words: BigUint64Array): Uint8Array {
  return new Uint8Array(words.buffer);
}

function done(native: Native, what: string, result: number): number {
  if (result >= 0) return result;
  throw new LandlockError(`Landlock: ${what} failed with errno ${native.errno()}`);
}
