import { createInterface } from 'node:readline';
import koffi from 'koffi';

/**
 * Watches 8 bytes of another process with the four hardware watchpoints of an x86-64 processor: one on the first byte, one
 * on the second, one on the next two, one on the last four. Which of them an instruction sets off tells its width.
 *
 * Usage: node width-tracer.ts PID ADDRESS. Reads `watch stores|all` and `tell`; `tell` answers with one word for each
 * instruction that touched the bytes since: its width in bytes, or the watchpoints it set off when they fit none.
 */

const PTRACE_PEEKUSER = 3;
const PTRACE_POKEUSER = 6;
const PTRACE_CONT = 7;
const PTRACE_SEIZE = 0x4206;
const PTRACE_INTERRUPT = 0x4207;
const WNOHANG = 1;
const SIGTRAP = 5;
/** `u_debugreg` in `struct user`, 8 bytes each. */
const DEBUG_REGISTERS = 848n;

const libc = koffi.load(null);
const ptrace = libc.func('ptrace', 'long', ['int', 'int', 'uint64_t', 'uint64_t']) as (
  request: number,
  pid: number,
  at: bigint,
  data: bigint,
) => number | bigint;
const waitpid = libc.func('int waitpid(int pid, _Out_ int *status, int options)') as (
  pid: number,
  status: number[],
  options: number,
) => number;

const pid = Number(process.argv[2]);
const address = BigInt(process.argv[3] ?? 0);
/** Watched bytes from the address on: offset, and the length code of the debug control register. */
const points = [
  { offset: 0n, length: 0n },
  { offset: 1n, length: 0n },
  { offset: 2n, length: 1n },
  { offset: 4n, length: 3n },
];
const widths: { readonly [hits: number]: number } = { 1: 1, 3: 2, 7: 4, 15: 8 };

let seen: string[] = [];

function call(request: number, at = 0n, data = 0n): bigint {
  const result = BigInt(ptrace(request, pid, at, data));
  if (result === -1n && koffi.errno() !== 0 && request !== PTRACE_PEEKUSER) {
    throw new Error(`ptrace ${request} failed: ${koffi.errno()}`);
  }
  return result;
}

const register = (index: number): bigint => DEBUG_REGISTERS + 8n * BigInt(index);

/** The next stop of the process, or undefined when it runs. */
function stop(): number | undefined {
  const status = [0];
  if (waitpid(pid, status, WNOHANG) !== pid) return undefined;
  const word = status[0] ?? 0;
  if ((word & 0xff) !== 0x7f) {
    console.log('ended');
    process.exit(1);
  }
  return word >>> 8;
}

function stopped(): void {
  call(PTRACE_INTERRUPT);
  const limit = performance.now() + 10_000;
  while (stop() === undefined) if (performance.now() > limit) throw new Error('the process does not stop');
}

function watch(stores: boolean): void {
  stopped();
  let control = 0n;
  for (const [index, { offset, length }] of points.entries()) {
    call(PTRACE_POKEUSER, register(index), address + offset);
    const kind = stores ? 1n : 3n;
    control |= (1n << BigInt(2 * index)) | ((kind | (length << 2n)) << BigInt(16 + 4 * index));
  }
  call(PTRACE_POKEUSER, register(6), 0n);
  call(PTRACE_POKEUSER, register(7), control);
  call(PTRACE_CONT);
}

/** Notes every stop since the last look and lets the process go on. */
function drain(): void {
  for (let event = stop(); event !== undefined; event = stop()) {
    const hits = Number(call(PTRACE_PEEKUSER, register(6)) & 0xfn);
    const isOurs = (event & 0xff) === SIGTRAP;
    if (isOurs && hits !== 0) seen.push(String(widths[hits] ?? `watchpoints ${hits.toString(2)}`));
    call(PTRACE_POKEUSER, register(6), 0n);
    call(PTRACE_CONT, 0n, isOurs ? 0n : BigInt(event & 0xff));
  }
}

try {
  call(PTRACE_SEIZE);
  watch(false);
} catch (error) {
  console.log(`impossible: ${error instanceof Error ? error.message : String(error)}`);
  process.exit(0);
}
setInterval(drain, 1);
createInterface({ input: process.stdin }).on('line', (line) => {
  drain();
  if (line === 'tell') console.log(`seen ${seen.join(' ')}`.trim());
  else watch(line === 'watch stores');
  seen = [];
  if (line !== 'tell') console.log(line);
});
console.log('ready');
