import { existsSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Account } from './user.ts';

/** What the launcher is to do before it becomes the edge. Plain data: it crosses to another process. */
export interface LaunchPlan {
  /** Process that the edge must not outlive. */
  readonly parent: number;
  /** Whom to become; nobody else where it was not started as root. */
  readonly account?: Account;
  /** Script to run, and what Node gets before it. */
  readonly script: string;
  readonly nodeFlags: readonly string[];
  /** Folders and files of the program. */
  readonly readable: readonly string[];
  readonly bindPorts: readonly number[];
  /** Descriptors that it may have open: one for each client, and some. */
  readonly descriptors: number;
}

/** What the launcher brought about, as the edge hands it on. */
export interface LaunchReport {
  readonly noNewPrivileges?: true;
  readonly landlock?: { readonly abi: number; readonly network: boolean; readonly scope: boolean };
  /** Calls that no part of the edge ever makes are refused from its first moment on. */
  readonly earlyFilter?: true;
  /** What is not in force, and why, in words. */
  readonly absent: readonly string[];
}

/** Ports below this one are for root, or for whoever has the capability. */
export const PRIVILEGED_PORTS = 1024;

const here = dirname(fileURLToPath(import.meta.url));
const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';

/** The launcher's own script. */
export const launcherScript = join(here, `launcher.${extension}`);

/** The folder that `src` or `dist` is in, and what of it a program needs to run. */
export function programFiles(): readonly string[] {
  const code = dirname(here);
  const root = dirname(code);
  const all = [code, join(root, 'package.json'), join(root, 'node_modules')];
  // A linked folder is found under its own name, and so is a package that this one was installed beside.
  const beside = root.endsWith(join('node_modules', 'switch-cci-broker')) ? [dirname(root)] : [];
  return [...new Set([...all, ...beside].filter(existsSync).map((path) => realpathSync(path)))];
}

/** Is it a plan? The launcher trusts who starts it, not how the words reached it. */
export function planOf(text: string): LaunchPlan {
  const read: unknown = JSON.parse(text);
  if (typeof read !== 'object' || read === null || !('script' in read) || !('readable' in read)) {
    throw new TypeError('no plan');
  }
  return read as LaunchPlan;
}
