import type { Koffi } from './koffi-calls.ts';

const PR_SET_PDEATHSIG = 1;
const SIGKILL = 9;

/**
 * From now on the kernel ends this process by SIGKILL when the one that started it ends, however it ends and whatever this one
 * is doing then: the event loop need not turn for it (`prctl`, Linux only).
 *
 * @returns whether the kernel promised it; false without the native library, too
 */
export async function endWithParent(): Promise<boolean> {
  try {
    const koffi = (await import('koffi')).default as unknown as Koffi;
    const prctl = koffi.load(null).func('prctl', 'int', ['int', 'unsigned long']) as (
      option: number,
      value: number,
    ) => number;
    return prctl(PR_SET_PDEATHSIG, SIGKILL) === 0;
  } catch {
    return false;
  }
}
