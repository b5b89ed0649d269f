import { describe, expect, test } from 'vitest';
import { auditArch, type Machine, seccompFilter, verdicts } from '../../src/sandbox/bpf.ts';
import { type ForbiddenCall, forbiddenCalls, LAST_KNOWN_CALL } from '../../src/sandbox/syscalls.ts';

const PID = 4711;
const machines = ['x64', 'arm64'] as const;

interface Call {
  readonly arch: number;
  readonly number: number;
  readonly arguments?: readonly (number | bigint)[];
}

/** What the kernel does with such a program: the part of classic BPF that filters of system calls may use. */
function verdictOf(program: Uint8Array, { arch, number, arguments: values = [] }: Call): number {
  const data = new DataView(new ArrayBuffer(64));
  data.setUint32(0, number, true);
  data.setUint32(4, arch, true);
  values.forEach((value, i) => {
    data.setBigUint64(16 + 8 * i, BigInt.asUintN(64, BigInt(value)), true);
  });
  const code = new DataView(program.buffer, program.byteOffset, program.length);
  let accumulator = 0;
  for (let at = 0; at < program.length / 8; at++) {
    const k = code.getUint32(at * 8 + 4, true);
    const [jumpTrue, jumpFalse] = [code.getUint8(at * 8 + 2), code.getUint8(at * 8 + 3)];
    const instruction = code.getUint16(at * 8, true);
    if (instruction === 0x06) return k;
    if (instruction === 0x20) accumulator = data.getUint32(k, true);
    else if (instruction === 0x15) at += accumulator === k ? jumpTrue : jumpFalse;
    else if (instruction === 0x25) at += accumulator > k ? jumpTrue : jumpFalse;
    else if (instruction === 0x45) at += (accumulator & k) !== 0 ? jumpTrue : jumpFalse;
    else throw new Error(`instruction ${instruction} is not for filters`);
  }
  throw new Error('the program has no end');
}

const filterOf = (machine: Machine) => seccompFilter({ machine, pid: PID });

/** Arguments for which a condition holds, and for which it does not. */
function examples({ where }: ForbiddenCall): {
  readonly forbidden: readonly bigint[][];
  readonly free: readonly bigint[][];
} {
  if (where === undefined) return { forbidden: [[], [1n, 2n, 3n]], free: [] };
  const at = (value: bigint): bigint[] => {
    const values = [0n, 0n, 0n, 0n];
    values[where.argument] = value;
    return values;
  };
  if ('bits' in where) return { forbidden: [at(BigInt(where.bits)), at(1n), at(0x40n)], free: [at(0n), at(0x80000n)] };
  if ('without' in where) return { forbidden: [at(0n), at(0x4000n)], free: [at(BigInt(where.without))] };
  if ('is' in where) return { forbidden: [at(BigInt(where.is))], free: [at(0x5401n)] };
  if ('given' in where) return { forbidden: [at(1n), at(1n << 40n)], free: [at(0n)] };
  return { forbidden: [at(1n), at(0n), at(-1n), at(BigInt(PID) | (1n << 32n))], free: [at(BigInt(PID))] };
}

describe.each(machines)('the filter for %s', (machine) => {
  const program = filterOf(machine);
  const arch = auditArch[machine];

  test('forbids every call of the table, in the way that the table says', () => {
    for (const row of forbiddenCalls) {
      const number = row[machine];
      if (number === undefined) continue;
      for (const values of examples(row).forbidden) {
        expect(verdictOf(program, { arch, number, arguments: values }), row.name).toBe(verdicts[row.comesTo]);
      }
    }
  });

  test('lets through what the conditions leave', () => {
    for (const row of forbiddenCalls) {
      const number = row[machine];
      if (number === undefined) continue;
      for (const values of examples(row).free) {
        expect(verdictOf(program, { arch, number, arguments: values }), row.name).toBe(verdicts.allow);
      }
    }
  });

  test('leaves every other call that was known when it was written', () => {
    const named = new Set(forbiddenCalls.map((row) => row[machine]));
    for (let number = 0; number <= LAST_KNOWN_CALL; number++) {
      if (!named.has(number)) expect(verdictOf(program, { arch, number })).toBe(verdicts.allow);
    }
  });

  test('knows nothing of calls that came later', () => {
    for (const number of [LAST_KNOWN_CALL + 1, 1000, 0x3fff_ffff]) {
      expect(verdictOf(program, { arch, number })).toBe(verdicts.absent);
    }
  });

  test('ends a process that calls as another architecture does', () => {
    const others = [
      0x4000_0003,
      0x4000_0028,
      0,
      ...machines.filter((one) => one !== machine).map((one) => auditArch[one]),
    ];
    for (const other of others) expect(verdictOf(program, { arch: other, number: 0 })).toBe(verdicts.end);
  });

  test('fits into what the kernel takes', () => {
    expect(program.length % 8).toBe(0);
    expect(program.length / 8).toBeLessThanOrEqual(4096);
  });
});

test('the x32 numbers of x86-64, another way to every call, end the process', () => {
  for (const number of [0x4000_0000, 0x4000_003b, 0x4000_0101]) {
    expect(verdictOf(filterOf('x64'), { arch: auditArch.x64, number })).toBe(verdicts.end);
  }
});

test('what Node needs while it serves is in no row: its numbers on x86-64', () => {
  // read write close fstat mmap mprotect munmap brk rt_sigaction rt_sigprocmask writev madvise futex epoll_wait accept4
  // shutdown getsockopt setsockopt getrandom clock_gettime epoll_ctl sendto recvfrom sched_yield statx exit exit_group
  const needed = [
    0, 1, 3, 5, 9, 10, 11, 12, 13, 14, 20, 28, 202, 232, 288, 48, 55, 54, 318, 228, 233, 44, 45, 24, 332, 60, 231,
  ];
  for (const number of needed) {
    expect(verdictOf(filterOf('x64'), { arch: auditArch.x64, number }), String(number)).toBe(verdicts.allow);
  }
});

test('each row has a reason, and no two unconditional rows name one call', () => {
  for (const { why } of forbiddenCalls) expect(why.length).toBeGreaterThan(10);
  for (const machine of machines) {
    const always = forbiddenCalls.flatMap((row) =>
      row.where === undefined && row[machine] !== undefined ? [row[machine]] : [],
    );
    expect(new Set(always).size).toBe(always.length);
  }
});
