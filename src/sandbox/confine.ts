import { seccompFilter } from './bpf.ts';
import { loadNative, type Native } from './native.ts';
import type { LaunchReport } from './plan.ts';
import { hideMemory } from './privileges.ts';
import { type ForbiddenCall, forbiddenCalls } from './syscalls.ts';

/** What the edge says about itself once it is confined; the core looks at the kernel's own word as well. */
export interface Confinement extends LaunchReport {
  /** How many calls the filter forbids. */
  readonly seccomp?: number;
}

/** Every thread of the process, not only the one that calls. */
const TSYNC = 1;
const EINVAL = 22;
const ENOSYS = 38;

type Filtered = { readonly ok: true } | { readonly ok: false; readonly why: string };

/**
 * Takes away all calls of the table but those that are needed to become the edge and to listen. What is executed next
 * inherits it. `no_new_privs` has to be set.
 */
export function confineEarly(native: Native): Filtered {
  return filtered(native, false);
}

/**
 * Takes away the rest as well, from every thread of this process, for good. To be called once everything listens: after
 * it no socket can be made.
 *
 * @throws Error where the kernel has filters and refuses this one
 */
export async function confine(launched: LaunchReport): Promise<Confinement> {
  const without = (why: string) => ({ ...launched, absent: [...launched.absent, `seccomp after the start (${why})`] });
  if (launched.earlyFilter !== true) return launched;
  const result = await loadNative();
  if (!result.ok) return without(result.why);
  const { native } = result;
  hideMemory(native);
  const late = filtered(native, true);
  if (!late.ok) return without(late.why);
  return { ...launched, seccomp: new Set(rowsOf(native).map(({ name }) => name)).size };
}

function filtered(native: Native, late: boolean): Filtered {
  const table = rowsOf(native).filter((row) => (row.late === true) === late);
  const failed = native.filter(TSYNC, seccompFilter({ machine: native.machine, pid: process.pid, table }));
  if (failed === 0) return { ok: true };
  if (failed > 0) throw new Error(`the thread ${failed} could not take the filter`);
  const errno = native.errno();
  if (errno !== EINVAL && errno !== ENOSYS) throw new Error(`seccomp failed with errno ${errno}`);
  return { ok: false, why: 'this kernel has no filters' };
}

function rowsOf({ machine }: Native): readonly ForbiddenCall[] {
  return forbiddenCalls.filter((row) => row[machine] !== undefined);
}
