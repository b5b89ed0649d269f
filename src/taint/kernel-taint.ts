import { readFile, writeFile } from 'node:fs/promises';

/** `U`, taint requested by user space: the only bit of the kernel's mask that may speak for a broker (R10). */
const USER_TAINT = 64;

export interface KernelTaintPaths {
  /** The mask; a write ORs its number into it and needs CAP_SYS_ADMIN. */
  readonly tainted: string;
  /** The boot parameters, for `panic_on_taint`. */
  readonly commandLine: string;
}

export const kernelTaintPaths: KernelTaintPaths = {
  tainted: '/proc/sys/kernel/tainted',
  commandLine: '/proc/cmdline',
};

/**
 * - `off`: not asked for, or nothing was raised yet
 * - `set`: bit `U` of the kernel's mask is set
 * - `skipped`: setting it would stop the machine or be refused, `detail` says why
 * - `failed`: the kernel or the file system refused
 */
export interface MirrorOutcome {
  readonly state: 'off' | 'set' | 'skipped' | 'failed';
  readonly detail: string;
}

/** Sets bit `U` of the kernel's taint mask, unless `panic_on_taint` lists it or can't be looked at. Never rejects. */
export async function mirrorToKernel(paths: KernelTaintPaths): Promise<MirrorOutcome> {
  try {
    const forbidden = panicMask(await readFile(paths.commandLine, 'latin1'));
    if ((forbidden & BigInt(USER_TAINT)) !== 0n) {
      return { state: 'skipped', detail: 'panic_on_taint lists bit 6, so setting it would stop the machine' };
    }
    await writeFile(paths.tainted, `${USER_TAINT}\n`, { flag: 'r+' });
    return { state: 'set', detail: 'bit 6 (U) of the kernel taint mask is set' };
  } catch (error) {
    return { state: 'failed', detail: String(error) };
  }
}

/** Every bit that `panic_on_taint=HEX[,nousertaint]` lists on a kernel command line; all bits when it is unclear. */
export function panicMask(commandLine: string): bigint {
  let mask = 0n;
  for (const [parameter] of commandLine.matchAll(/(?<=^|[\s"])panic[_-]on[_-]taint=[^\s"]*/g)) {
    const value = parameter.slice(parameter.indexOf('=') + 1);
    const hex = /^(?:0x)?([0-9a-f]{1,16})(?:,|$)/i.exec(value)?.[1];
    mask |= hex === undefined ? 0xffff_ffff_ffff_ffffn : BigInt(`0x${hex}`);
  }
  return mask;
}
