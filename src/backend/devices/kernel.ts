import { access, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { HostPaths } from './host-paths.ts';

/** Lockdown level of the kernel, or why it is not known. Only the words of the file are believed. */
export type KernelLockdownState = 'none' | 'integrity' | 'confidentiality' | 'not-shown';

/** The level in brackets in `security/lockdown`; `not-shown` when the file is missing, unreadable or another text. */
export async function readLockdown(paths: HostPaths): Promise<KernelLockdownState> {
  const text = await readFile(join(paths.sys, 'kernel/security/lockdown'), 'latin1').catch(() => '');
  const word = /\[(none|integrity|confidentiality)\]/.exec(text)?.[1];
  return (word as KernelLockdownState | undefined) ?? 'not-shown';
}

/** Identifies this boot of the host. @returns `unknown` when the kernel does not say */
export async function readBootId(paths: HostPaths): Promise<string> {
  const text = await readFile(join(paths.proc, 'sys/kernel/random/boot_id'), 'latin1').catch(() => '');
  return text.trim() || 'unknown';
}

export function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
