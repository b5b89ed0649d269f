import { type Condition, type Consequence, type ForbiddenCall, forbiddenCalls, LAST_KNOWN_CALL } from './syscalls.ts';

/**
 * The filter as a program of the kernel's classic BPF: instructions of 8 bytes over `struct seccomp_data` (number at 0,
 * architecture at 4, arguments of 8 bytes from 16, lower half first). Sources: linux/filter.h, linux/seccomp.h.
 */

export type Machine = 'x64' | 'arm64';

/** `AUDIT_ARCH_X86_64`, `AUDIT_ARCH_AARCH64`. */
export const auditArch: { readonly [M in Machine]: number } = { x64: 0xc000_003e, arm64: 0xc000_00b7 };

/** What a filter answers: the action, with an errno in its lower half. */
export const verdicts = {
  allow: 0x7fff_0000,
  /** SECCOMP_RET_KILL_PROCESS */
  end: 0x8000_0000,
  /** SECCOMP_RET_ERRNO, EPERM */
  refuse: 0x0005_0001,
  /** SECCOMP_RET_ERRNO, ENOSYS */
  absent: 0x0005_0026,
} as const satisfies { readonly [C in Consequence | 'allow']: number };

const LOAD = 0x20;
const RETURN = 0x06;
const JUMP_EQUAL = 0x15;
const JUMP_ABOVE = 0x25;
const JUMP_BITS = 0x45;

/** Numbers of the 32-bit-pointer calls of x86-64 have this bit: another way to every call, past the table. */
const X32_BIT = 0x4000_0000;

const NUMBER_AT = 0;
const ARCH_AT = 4;
const ARGUMENTS_AT = 16;

interface Instruction {
  readonly code: number;
  readonly jumpTrue: number;
  readonly jumpFalse: number;
  readonly k: number;
}

const load = (at: number): Instruction => ({ code: LOAD, jumpTrue: 0, jumpFalse: 0, k: at });
const answer = (verdict: number): Instruction => ({ code: RETURN, jumpTrue: 0, jumpFalse: 0, k: verdict });
/** @param skipTrue instructions to leave out where it holds */
const jump = (code: number, k: number, skipTrue: number, skipFalse: number): Instruction => ({
  code,
  jumpTrue: skipTrue,
  jumpFalse: skipFalse,
  k,
});

export interface FilterOptions {
  readonly machine: Machine;
  /** The process that may signal itself. */
  readonly pid: number;
  readonly table?: readonly ForbiddenCall[];
}

/** The program, ready for the kernel: little-endian, 8 bytes an instruction. At most 4096 of them are allowed. */
export function seccompFilter(options: FilterOptions): Uint8Array {
  const { machine, pid, table = forbiddenCalls } = options;
  const program: Instruction[] = [
    load(ARCH_AT),
    jump(JUMP_EQUAL, auditArch[machine], 1, 0),
    answer(verdicts.end),
    load(NUMBER_AT),
  ];
  if (machine === 'x64') program.push(jump(JUMP_BITS, X32_BIT, 0, 1), answer(verdicts.end));
  program.push(jump(JUMP_ABOVE, LAST_KNOWN_CALL, 0, 1), answer(verdicts.absent));
  for (const row of table) {
    const number = row[machine];
    if (number === undefined) continue;
    const verdict = verdicts[row.comesTo];
    if (row.where === undefined) program.push(jump(JUMP_EQUAL, number, 0, 1), answer(verdict));
    else {
      const test = conditional(row.where, pid, verdict);
      program.push(jump(JUMP_EQUAL, number, 0, test.length), ...test);
    }
  }
  program.push(answer(verdicts.allow));
  return assembled(program);
}

/** Answers where the condition holds, and else goes on behind itself with the number loaded again. */
function conditional(where: Condition, pid: number, verdict: number): readonly Instruction[] {
  const low = ARGUMENTS_AT + 8 * where.argument;
  const high = low + 4;
  const back = load(NUMBER_AT);
  if ('bits' in where) return [load(low), jump(JUMP_BITS, where.bits, 0, 1), answer(verdict), back];
  if ('without' in where) return [load(low), jump(JUMP_BITS, where.without, 1, 0), answer(verdict), back];
  if ('is' in where) return [load(low), jump(JUMP_EQUAL, where.is, 0, 1), answer(verdict), back];
  if ('given' in where) {
    return [load(low), jump(JUMP_EQUAL, 0, 0, 2), load(high), jump(JUMP_EQUAL, 0, 1, 0), answer(verdict), back];
  }
  // Only the lower half is a process id to the kernel; the upper one is looked at so that nothing hides in it.
  return [load(low), jump(JUMP_EQUAL, pid, 0, 2), load(high), jump(JUMP_EQUAL, 0, 1, 0), answer(verdict), back];
}

function assembled(program: readonly Instruction[]): Uint8Array {
  const bytes = new Uint8Array(program.length * 8);
  const view = new DataView(bytes.buffer);
  program.forEach(({ code, jumpTrue, jumpFalse, k }, i) => {
    view.setUint16(i * 8, code, true);
    view.setUint8(i * 8 + 2, jumpTrue);
    view.setUint8(i * 8 + 3, jumpFalse);
    view.setUint32(i * 8 + 4, k >>> 0, true);
  });
  return bytes;
}
