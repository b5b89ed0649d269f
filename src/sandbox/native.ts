import type { Machine } from './bpf.ts';

/** The few calls of the C library that Node does not offer. Each answers -1 where it failed; `errno` says why. */
export interface Native {
  readonly machine: Machine;
  /** A system call with up to five arguments that are numbers or memory. */
  call(number: number, ...values: readonly (number | bigint | Uint8Array | null)[]): number;
  prctl(option: number, a?: number, b?: number, c?: number, d?: number): number;
  /** seccomp(2) with a filter. 0 is success; what is above is the thread that could not follow. */
  filter(flags: number, program: Uint8Array): number;
  errno(): number;
}

export type NativeResult =
  | { readonly ok: true; readonly native: Native }
  /** Why there is none here, in words. */
  | { readonly ok: false; readonly why: string };

const SECCOMP_CALL: { readonly [M in Machine]: number } = { x64: 317, arm64: 277 };
const SECCOMP_SET_MODE_FILTER = 1;

/** Loads the C library through koffi, which is an optional package. */
export async function loadNative(): Promise<NativeResult> {
  const { platform, arch } = process;
  if (platform !== 'linux') return { ok: false, why: `this is ${platform}, not Linux` };
  if (arch !== 'x64' && arch !== 'arm64') return { ok: false, why: `the tables here do not know ${arch}` };
  try {
    const { default: koffi } = await import('koffi');
    const libc = koffi.load('libc.so.6');
    const syscall = libc.func('long syscall(long number, ...)');
    const prctl = libc.func(
      'int prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d)',
    );
    const program = koffi.struct({ len: 'uint16_t', filter: 'void *' });
    return {
      ok: true,
      native: {
        machine: arch,
        call: (number, ...values) =>
          Number(syscall(number, ...values.flatMap((value) => [typeof value === 'object' ? 'void *' : 'long', value]))),
        prctl: (option, a = 0, b = 0, c = 0, d = 0) => Number(prctl(option, a, b, c, d)),
        filter: (flags, bytes) => {
          const argument = { len: bytes.length / 8, filter: bytes };
          return Number(
            syscall(
              SECCOMP_CALL[arch],
              ...['long', SECCOMP_SET_MODE_FILTER, 'long', flags, koffi.pointer(program), argument],
            ),
          );
        },
        errno: () => koffi.errno(),
      },
    };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'it does not load';
    return {
      ok: false,
      why: code === 'ERR_MODULE_NOT_FOUND' ? 'the package koffi is not installed' : `koffi: ${code}`,
    };
  }
}
