import { readFileSync } from 'node:fs';
import { type LockdownLevel, lockdownLevels } from './types.ts';

/** Where securityfs shows the kernel's level. */
export const KERNEL_LOCKDOWN_PATH = '/sys/kernel/security/lockdown';

/** What the operator declares: `not-built` says that the kernel has no lockdown LSM, so a missing file means `none`. */
export type KernelLockdown = 'read' | 'not-built';

/**
 * The level that the kernel's line marks, `none [integrity] confidentiality`: three words in that order, one of them
 * in brackets, one newline. Undefined for anything else.
 */
export function parseLockdown(text: string): LockdownLevel | undefined {
  return lockdownLevels.find(
    (active) => text === `${lockdownLevels.map((level) => (level === active ? `[${level}]` : level)).join(' ')}\n`,
  );
}

/** True when `left` forbids more than `right`. */
export function isHigher(left: LockdownLevel, right: LockdownLevel): boolean {
  return lockdownLevels.indexOf(left) > lockdownLevels.indexOf(right);
}

/** The highest of the levels; `none` of no levels. */
export function effectiveLevel(...levels: readonly LockdownLevel[]): LockdownLevel {
  return levels.reduce((highest, level) => (isHigher(level, highest) ? level : highest), 'none');
}

/**
 * The kernel's level now (R9). A file that is missing, unreadable or says something else counts as `integrity`: it is
 * also missing where securityfs is not mounted or hidden. Only a declared `not-built` makes a *missing* file `none`.
 * Blocks for one small read of a kernel file, some microseconds.
 */
export function readKernelLevel(declared: KernelLockdown, path: string = KERNEL_LOCKDOWN_PATH): LockdownLevel {
  try {
    return parseLockdown(readFileSync(path, 'latin1')) ?? 'integrity';
  } catch (error) {
    return declared === 'not-built' && isMissing(error) ? 'none' : 'integrity';
  }
}

/** True for ENOENT only: every other failure may hide a file that is there. */
export function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
