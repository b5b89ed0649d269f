import { SystemCallError } from '../../../src/backend/native/index.ts';
import { configOfCci, type FakeFile, type FakeNative, memoryOf } from './fake-native.ts';
import type { FakeRegisters } from './fake-registers.ts';

/** How the fake kernel and its device are made. */
export interface VfioShape {
  apiVersion?: number;
  /** IOMMU kinds that the container offers. */
  kinds?: readonly number[];
  viable?: boolean;
  config?: Uint8Array;
  /** Flags of the BAR's region: read 1, write 2, mmap 4, capabilities 8. */
  barFlags?: number;
  barBytes?: number;
  regions?: number;
  irqs?: number;
  /** Interrupts by index: 1 MSI, 2 MSI-X, 4 the request for the device. */
  counts?: { readonly [index: number]: number };
  /** Flags of an interrupt; 1: it can be counted. */
  irqFlags?: number;
  /** Areas of the BAR that may be mapped, as the kernel lists them. */
  areas?: readonly (readonly [offset: number, bytes: number])[];
  /** What stands in the list of capabilities before the areas: id and next. */
  loopingCapabilities?: boolean;
}

const NAME = '0000:0d:00.1';
const BAR_POSITION = 0;
const CONFIG_POSITION = 7 * 2 ** 40;

/** VFIO as the kernel does it: structures are read at the offsets of `linux/vfio.h`, and the order of calls matters. */
export class FakeVfio {
  readonly shape: VfioShape;
  readonly config: Uint8Array;
  /** Event counters by interrupt index and vector. */
  readonly counters = new Map<string, number>();
  readonly #native: FakeNative;
  readonly #registers: FakeRegisters;
  #containerFd = 0;
  #groupOpen = false;
  #deviceOpen = false;
  #attached = false;
  #iommu = 0;

  constructor(native: FakeNative, registers: FakeRegisters, dev: string, shape: VfioShape) {
    this.#native = native;
    this.#registers = registers;
    this.shape = shape;
    this.config = shape.config ?? configOfCci({ 4: 0x0010_0000 });
    native.files.set(`${dev}/vfio/vfio`, () => this.#container());
    native.files.set(`${dev}/vfio/4`, () => this.#group());
  }

  get isHeld(): boolean {
    return this.#groupOpen || this.#deviceOpen;
  }

  /** The device sends a message, or the kernel asks. */
  interrupt(index: number, vector: number): void {
    const fd = this.counters.get(`${index}/${vector}`);
    if (fd !== undefined) this.#native.counters.get(fd)?.();
  }

  #container(): FakeFile {
    this.#containerFd = 0;
    return {
      ioctl: (request, argument) => {
        if (request === 0x3b64) return this.shape.apiVersion ?? 0;
        if (request === 0x3b65) return (this.shape.kinds ?? [1, 3]).includes(Number(argument)) ? 1 : 0;
        if (request !== 0x3b66) throw new SystemCallError('ioctl', 'ENOTTY');
        // The kernel wants a group in the container first.
        if (!this.#attached) throw new SystemCallError('ioctl', 'ENODEV');
        if (!(this.shape.kinds ?? [1, 3]).includes(Number(argument))) throw new SystemCallError('ioctl', 'EINVAL');
        this.#iommu = Number(argument);
        return 0;
      },
    };
  }

  #group(): FakeFile {
    if (this.#groupOpen) throw new SystemCallError('open', 'EBUSY');
    this.#groupOpen = true;
    return {
      ioctl: (request, argument) => {
        if (request === 0x3b67)
          return this.#answer(argument, 8, (view) => view.setUint32(4, this.shape.viable === false ? 0 : 1, true));
        if (request === 0x3b68) {
          if (this.shape.viable === false) throw new SystemCallError('ioctl', 'EPERM');
          this.#containerFd = viewOf(argument, 4).getInt32(0, true);
          const open = this.#native.open_.get(this.#containerFd);
          if (open?.path.endsWith('/vfio/vfio') !== true) throw new SystemCallError('ioctl', 'EBADF');
          this.#attached = true;
          return 0;
        }
        if (request !== 0x3b6a) throw new SystemCallError('ioctl', 'ENOTTY');
        if (this.#iommu === 0) throw new SystemCallError('ioctl', 'EINVAL');
        const name = Buffer.from(argument as Uint8Array).toString('latin1');
        if (name !== `${NAME}\0`) throw new SystemCallError('ioctl', 'ENODEV');
        this.#deviceOpen = true;
        return this.#native.adopt('device', this.#device());
      },
      closed: () => {
        this.#groupOpen = false;
        this.#attached = false;
        this.#iommu = 0;
      },
    };
  }

  #device(): FakeFile {
    const { shape } = this;
    return {
      ioctl: (request, argument) => {
        if (request === 0x3b6b) {
          return this.#answer(argument, 24, (view) => {
            view.setUint32(4, 2, true);
            view.setUint32(8, shape.regions ?? 9, true);
            view.setUint32(12, shape.irqs ?? 5, true);
          });
        }
        if (request === 0x3b6c) return this.#regionInfo(argument);
        if (request === 0x3b6d) {
          return this.#answer(argument, 16, (view) => {
            const index = view.getUint32(8, true);
            if (index >= (shape.irqs ?? 5)) throw new SystemCallError('ioctl', 'EINVAL');
            view.setUint32(4, shape.irqFlags ?? 9, true);
            view.setUint32(12, shape.counts?.[index] ?? 0, true);
          });
        }
        if (request === 0x3b6e) return this.#setIrqs(argument);
        throw new SystemCallError('ioctl', 'ENOTTY');
      },
      map: (position, bytes) => {
        if (((shape.barFlags ?? 7) & 4) === 0) throw new SystemCallError('mmap', 'EINVAL');
        return memoryOf(this.#registers, position - BAR_POSITION, bytes);
      },
      read: (position, bytes) => this.#read(position, bytes),
      write: (position, bytes) => this.#write(position, bytes),
      closed: () => {
        this.#deviceOpen = false;
        this.counters.clear();
      },
    };
  }

  #regionInfo(argument: number | Uint8Array): number {
    const { shape } = this;
    return this.#answer(argument, 32, (view, bytes) => {
      const index = view.getUint32(8, true);
      if (index >= (shape.regions ?? 9)) throw new SystemCallError('ioctl', 'EINVAL');
      const isBar = index === 0;
      const isConfig = index === 7;
      view.setUint32(4, isBar ? (shape.barFlags ?? 7) | (shape.areas === undefined ? 0 : 8) : isConfig ? 3 : 0, true);
      view.setBigUint64(16, BigInt(isBar ? (shape.barBytes ?? 0x1000) : isConfig ? 4096 : 0), true);
      view.setBigUint64(24, BigInt(isConfig ? CONFIG_POSITION : index * 2 ** 40), true);
      if (!isBar || shape.areas === undefined) return;
      const wanted = 32 + 8 + 16 + 16 * shape.areas.length;
      if (bytes.length < wanted) {
        view.setUint32(0, wanted, true);
        return;
      }
      // A capability that nobody knows, then the areas.
      view.setUint32(12, 32, true);
      view.setUint16(32, 3, true);
      view.setUint32(36, shape.loopingCapabilities === true ? 32 : 40, true);
      view.setUint16(40, 1, true);
      view.setUint32(48, shape.areas.length, true);
      for (const [at, [offset, size]] of shape.areas.entries()) {
        view.setBigUint64(56 + 16 * at, BigInt(offset), true);
        view.setBigUint64(64 + 16 * at, BigInt(size), true);
      }
    });
  }

  #setIrqs(argument: number | Uint8Array): number {
    const view = viewOf(argument, 20);
    const [argsz, flags, index, start, count] = [0, 4, 8, 12, 16].map((at) => view.getUint32(at, true)) as [
      ...[number, number, number],
      ...[number, number],
    ];
    // Event counters, and what they are for: to trigger.
    if (flags !== (4 | 32) || argsz !== 20 + 4 * count || start + count > (this.shape.counts?.[index] ?? 0)) {
      throw new SystemCallError('ioctl', 'EINVAL');
    }
    for (let vector = 0; vector < count; vector++) {
      const fd = view.getInt32(20 + 4 * vector, true);
      if (fd === -1) continue;
      if (!this.#native.counters.has(fd)) throw new SystemCallError('ioctl', 'EBADF');
      this.counters.set(`${index}/${start + vector}`, fd);
    }
    return 0;
  }

  #answer(argument: number | Uint8Array, least: number, fill: (view: DataView, bytes: Uint8Array) => void): number {
    const view = viewOf(argument, least);
    if (view.getUint32(0, true) < least) throw new SystemCallError('ioctl', 'EINVAL');
    fill(view, argument as Uint8Array);
    return 0;
  }

  #read(position: number, bytes: number): Uint8Array {
    if (position >= CONFIG_POSITION) {
      const at = position - CONFIG_POSITION;
      return this.config.slice(at, at + bytes);
    }
    const out = Buffer.alloc(bytes);
    const value = this.#registers.bus('read', bytes as 4 | 8, position - BAR_POSITION);
    if (bytes === 4) out.writeUInt32LE(Number(BigInt.asUintN(32, value)));
    else out.writeBigUInt64LE(BigInt.asUintN(64, value));
    return out;
  }

  #write(position: number, bytes: Uint8Array): void {
    if (position >= CONFIG_POSITION) {
      this.config.set(bytes, position - CONFIG_POSITION);
      return;
    }
    const buffer = Buffer.from(bytes);
    const value = bytes.length === 4 ? BigInt(buffer.readUInt32LE()) : buffer.readBigUInt64LE();
    this.#registers.bus('write', bytes.length as 4 | 8, position - BAR_POSITION, value);
  }
}

function viewOf(argument: number | Uint8Array, least: number): DataView {
  if (typeof argument === 'number' || argument.length < least) throw new SystemCallError('ioctl', 'EFAULT');
  return new DataView(argument.buffer, argument.byteOffset, argument.byteLength);
}
