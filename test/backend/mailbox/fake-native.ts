import { readFileSync } from 'node:fs';
import {
  type DeviceMemory,
  errnoOf,
  type NativeBuffer,
  type NativeCalls,
  SystemCallError,
} from '../../../src/backend/native/index.ts';
import type { FakeRegisters } from './fake-registers.ts';

/** What stands behind a file: the calls that a plain file does not take. */
export interface FakeFile {
  ioctl?(request: number, argument: number | Uint8Array): number;
  map?(offset: number, bytes: number): DeviceMemory;
  read?(position: number, bytes: number): Uint8Array;
  write?(position: number, bytes: Uint8Array): void;
  closed?(): void;
}

interface Open {
  readonly path: string;
  readonly file: FakeFile;
}

/** The kernel's side of the native calls. Files of a laid out machine are opened for real; `files` puts more behind them. */
export class FakeNative implements NativeCalls {
  readonly files = new Map<string, () => FakeFile>();
  /** Errno that a call fails with, by `call` or `call path`. */
  readonly failing = new Map<string, string>();
  readonly open_ = new Map<number, Open>();
  readonly locked = new Set<string>();
  readonly counters = new Map<number, (() => void) | undefined>();
  readonly buffers: { readonly address: bigint; readonly bytes: Uint8Array; isFreed: boolean }[] = [];
  #next = 100;

  open(path: string): number {
    this.#fail('open', path);
    const behind = this.files.get(path);
    // What the tree does not have is not there, with Node's own errno.
    if (behind === undefined) readFileSync(path);
    return this.adopt(path, behind?.() ?? {});
  }

  /** A descriptor that the kernel makes. */
  adopt(path: string, file: FakeFile): number {
    const fd = this.#next++;
    this.open_.set(fd, { path, file });
    return fd;
  }

  close(fd: number): void {
    const open = this.open_.get(fd);
    if (open === undefined && !this.counters.has(fd)) throw new Error(`descriptor ${fd} is not open`);
    open?.file.closed?.();
    if (open !== undefined) this.locked.delete(open.path);
    this.open_.delete(fd);
    this.counters.delete(fd);
  }

  lock(fd: number): boolean {
    const { path } = this.#of(fd);
    this.#fail('flock', path);
    if (this.locked.has(path)) return false;
    this.locked.add(path);
    return true;
  }

  ioctl(fd: number, request: number, argument: number | Uint8Array): number {
    const { path, file } = this.#of(fd);
    this.#fail(`ioctl ${request.toString(16)}`, path);
    if (file.ioctl === undefined) throw new SystemCallError('ioctl', 'ENOTTY');
    return file.ioctl(request, argument);
  }

  map(fd: number, offset: number, bytes: number): DeviceMemory {
    const { path, file } = this.#of(fd);
    this.#fail('mmap', path);
    if (offset % 4096 !== 0) throw new SystemCallError('mmap', 'EINVAL');
    if (file.map === undefined) throw new SystemCallError('mmap', 'ENODEV');
    return file.map(offset, bytes);
  }

  read(fd: number, position: number, bytes: number): Uint8Array {
    const { path, file } = this.#of(fd);
    this.#fail('read', path);
    if (file.read !== undefined) return file.read(position, bytes);
    return readFileSync(path).subarray(position, position + bytes);
  }

  write(fd: number, position: number, bytes: Uint8Array): void {
    const { path, file } = this.#of(fd);
    this.#fail('write', path);
    if (file.write === undefined) throw new SystemCallError('pwrite', 'EINVAL');
    file.write(position, bytes);
  }

  eventCounter(): number {
    const fd = this.#next++;
    this.counters.set(fd, undefined);
    return fd;
  }

  watchCounter(fd: number, onEvent: () => void): () => void {
    this.counters.set(fd, onEvent);
    return () => {
      this.counters.set(fd, undefined);
    };
  }

  allocate(bytes: number): NativeBuffer {
    const address = BigInt(0x7f00_0000_0000 + 0x100_0000 * this.buffers.length);
    const buffer = { address, bytes: new Uint8Array(bytes), isFreed: false };
    this.buffers.push(buffer);
    const free = () => {
      buffer.isFreed = true;
    };
    return { address, bytes: buffer.bytes, free };
  }

  /** Bytes at an address, as the kernel copies them. @throws SystemCallError EFAULT outside of what was allocated */
  memoryAt(address: bigint, bytes: number): Uint8Array {
    for (const buffer of this.buffers) {
      const at = Number(address - buffer.address);
      if (!buffer.isFreed && at >= 0 && at + bytes <= buffer.bytes.length) return buffer.bytes.subarray(at, at + bytes);
    }
    if (bytes === 0) return new Uint8Array(0);
    throw new SystemCallError('ioctl', 'EFAULT');
  }

  #of(fd: number): Open {
    const open = this.open_.get(fd);
    if (open === undefined) throw new SystemCallError('call', 'EBADF');
    return open;
  }

  #fail(call: string, path: string): void {
    const errno = this.failing.get(call) ?? this.failing.get(`${call} ${path}`);
    if (errno !== undefined) throw new SystemCallError(call, errno);
  }
}

/** Registers as a part of memory that was mapped from `offset` on. */
export function memoryOf(
  registers: FakeRegisters,
  offset: number,
  bytes: number,
): DeviceMemory & { isReleased: boolean } {
  const memory = {
    bytes,
    isReleased: false,
    read32: (at: number) => Number(bus('read', 4, at)),
    read64: (at: number) => bus('read', 8, at),
    write32: (at: number, value: number) => void bus('write', 4, at, BigInt(value)),
    write64: (at: number, value: bigint) => void bus('write', 8, at, value),
    release: () => {
      memory.isReleased = true;
    },
  };
  const bus = (op: 'read' | 'write', width: 4 | 8, at: number, value = 0n): bigint => {
    if (memory.isReleased) throw new RangeError('released');
    if (at % width !== 0 || at < 0 || at + width > bytes) throw new RangeError('outside');
    return BigInt.asUintN(8 * width, registers.bus(op, width, offset + at, value));
  };
  return memory;
}

/** The configuration space of the emulated Switch CCI: type 0 header, and a register locator at 100h. */
export function configOfCci(change: { readonly [offset: number]: number } = {}): Uint8Array {
  const config = new Uint32Array(1024);
  const words = {
    0: 0xa123_19e5,
    4: 0x0010_0002,
    8: 0x0c0b_0000,
    256: 0x0001_0023,
    260: 0x0240_1e98,
    264: 0x0000_0008,
    268: 0x0000_0300,
    ...change,
  };
  for (const [offset, word] of Object.entries(words)) config[Number(offset) / 4] = word;
  return new Uint8Array(config.buffer);
}

/** `CODE reason` of a failed opening, and its message. */
export async function failureOf(work: Promise<unknown>): Promise<{ readonly what: string; readonly message: string }> {
  try {
    await work;
  } catch (error) {
    const reason = (error as { reason?: string }).reason ?? (error as Error).name;
    return { what: `${errnoOf(error)} ${reason}`, message: (error as Error).message };
  }
  throw new Error('it succeeded');
}
