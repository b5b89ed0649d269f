import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs';
import { getSystemErrorName } from 'node:util';
import type { NativeBuffer, NativeCalls } from './calls.ts';
import { SystemCallError } from './errors.ts';
import { MappedMemory, type WordAccess } from './mapped-memory.ts';

/** What is used of the library; its own types are loose. Pointers are addresses as bigints. */
export interface Koffi {
  load(path: null): { func(name: string, result: string, parameters: readonly string[]): unknown };
  errno(): number;
  decode(pointer: bigint, offset: number, type: unknown): unknown;
  encode(pointer: bigint, offset: number, type: unknown, value: number | bigint): void;
  view(pointer: bigint, bytes: number): ArrayBuffer;
  readonly types: { readonly uint32_t: unknown; readonly uint64_t: unknown };
  readonly node: { poll(fd: number, onEvent: () => void): { close(): void } };
}

const LOCK_EX = 2;
const LOCK_NB = 4;
const PROT_READ_WRITE = 3;
const MAP_SHARED = 0x01;
const MAP_PRIVATE_ANONYMOUS = 0x22;
const EFD_NONBLOCK_CLOEXEC = constants.O_NONBLOCK | 0o2000000;
/** What `mmap` returns when it failed: all ones. */
const MAP_FAILED = 0xffff_ffff_ffff_ffffn;

type Ioctl<Argument> = (fd: number, request: number, argument: Argument) => number;

/** The system calls through koffi. Only Linux on 64-bit machines has the numbers above. */
export function koffiCalls(koffi: Koffi): NativeCalls {
  const libc = koffi.load(null);
  const bind = <F>(name: string, result: string, parameters: readonly string[]) =>
    libc.func(name, result, parameters) as F;
  const flock = bind<(fd: number, operation: number) => number>('flock', 'int', ['int', 'int']);
  const ioctlNumber = bind<Ioctl<number>>('ioctl', 'int', ['int', 'unsigned long', 'long']);
  const ioctlBytes = bind<Ioctl<Uint8Array>>('ioctl', 'int', ['int', 'unsigned long', 'void *']);
  const eventfd = bind<(initial: number, flags: number) => number>('eventfd', 'int', ['unsigned int', 'int']);
  const munmap = bind<(address: bigint, bytes: number) => number>('munmap', 'int', ['void *', 'size_t']);
  const mmap = bind<
    (address: null, bytes: number, protection: number, flags: number, fd: number, offset: number) => bigint | null
  >('mmap', 'void *', ['void *', 'size_t', 'int', 'int', 'int', 'int64_t']);

  /** Must follow the call at once: anything else may change errno. */
  const failed = (call: string): SystemCallError => new SystemCallError(call, errnoName(koffi.errno()));
  const mapped = (bytes: number, flags: number, fd: number, offset: number): bigint => {
    const address = mmap(null, bytes, PROT_READ_WRITE, flags, fd, offset);
    if (address === null || address === MAP_FAILED) throw failed('mmap');
    return address;
  };
  const access = wordAccess(koffi);

  return {
    open: (path, mode) => openSync(path, mode === 'read' ? constants.O_RDONLY : constants.O_RDWR | constants.O_SYNC),
    close: closeQuietly,
    lock(fd) {
      if (flock(fd, LOCK_EX | LOCK_NB) === 0) return true;
      const error = failed('flock');
      if (error.code === 'EAGAIN') return false;
      throw error;
    },
    ioctl(fd, request, argument) {
      const isNumber = typeof argument === 'number';
      const result = isNumber ? ioctlNumber(fd, request, argument) : ioctlBytes(fd, request, argument);
      if (result < 0) throw failed('ioctl');
      return result;
    },
    map(fd, offset, bytes) {
      const address = mapped(bytes, MAP_SHARED, fd, offset);
      return new MappedMemory(access, address, bytes, () => munmap(address, bytes));
    },
    read(fd, position, bytes) {
      const into = new Uint8Array(bytes);
      return into.subarray(0, readSync(fd, into, 0, bytes, position));
    },
    write(fd, position, bytes) {
      if (writeSync(fd, bytes, 0, bytes.length, position) !== bytes.length) throw new SystemCallError('pwrite', 'EIO');
    },
    eventCounter() {
      const fd = eventfd(0, EFD_NONBLOCK_CLOEXEC);
      if (fd < 0) throw failed('eventfd');
      return fd;
    },
    watchCounter(fd, onEvent) {
      const handle = koffi.node.poll(fd, () => {
        // Readable is not enough: the counter has to be taken, or the loop would turn for ever.
        if (takeCounter(fd)) onEvent();
      });
      return () => handle.close();
    },
    allocate(bytes): NativeBuffer {
      const address = mapped(bytes, MAP_PRIVATE_ANONYMOUS, -1, 0);
      const view = new Uint8Array(koffi.view(address, bytes));
      return { address, bytes: view, free: () => void munmap(address, bytes) };
    },
  };
}

/**
 * Loads and stores by koffi's `decode` and `encode` of one scalar: compiled C++ that dereferences a pointer to the type
 * once. Typed arrays and `DataView` over the memory leave the width to the JavaScript engine.
 */
export function wordAccess(koffi: Pick<Koffi, 'decode' | 'encode' | 'types'>): WordAccess {
  const { uint32_t: word, uint64_t: double } = koffi.types;
  return {
    load32: (address, offset) => Number(koffi.decode(address, offset, word)),
    // Small values come as numbers, large ones as bigints.
    load64: (address, offset) => BigInt(koffi.decode(address, offset, double) as number | bigint),
    store32: (address, offset, value) => koffi.encode(address, offset, word, value),
    store64: (address, offset, value) => koffi.encode(address, offset, double, value),
  };
}

function errnoName(errno: number): string {
  try {
    return getSystemErrorName(-errno);
  } catch {
    return `errno ${errno}`;
  }
}

function closeQuietly(fd: number): void {
  try {
    closeSync(fd);
  } catch {
    // A descriptor that can't be closed is closed.
  }
}

function takeCounter(fd: number): boolean {
  try {
    return readSync(fd, new Uint8Array(8)) === 8;
  } catch {
    return false;
  }
}
