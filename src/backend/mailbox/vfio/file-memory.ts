import type { DeviceMemory, NativeCalls } from '../../native/index.ts';

/** Registers behind a device descriptor: one `pread` or `pwrite` of the exact width for each access. */
export class FileMemory implements DeviceMemory {
  readonly bytes: number;
  readonly #native: NativeCalls;
  readonly #fd: number;
  readonly #position: number;
  #isOpen = true;

  constructor(native: NativeCalls, fd: number, position: number, bytes: number) {
    this.#native = native;
    this.#fd = fd;
    this.#position = position;
    this.bytes = bytes;
  }

  read32(offset: number): number {
    return this.#read(offset, 4).readUInt32LE();
  }

  read64(offset: number): bigint {
    return this.#read(offset, 8).readBigUInt64LE();
  }

  write32(offset: number, value: number): void {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value);
    this.#write(offset, bytes);
  }

  write64(offset: number, value: bigint): void {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(value);
    this.#write(offset, bytes);
  }

  release(): void {
    this.#isOpen = false;
  }

  #read(offset: number, width: 4 | 8): Buffer {
    this.#check(offset, width);
    const bytes = this.#native.read(this.#fd, this.#position + offset, width);
    if (bytes.length !== width) throw new Error('the device answered with fewer bytes than were asked for');
    return Buffer.from(bytes);
  }

  #write(offset: number, bytes: Buffer): void {
    this.#check(offset, bytes.length);
    this.#native.write(this.#fd, this.#position + offset, bytes);
  }

  #check(offset: number, width: number): void {
    if (!this.#isOpen) throw new RangeError('the device memory was released');
    if (!Number.isInteger(offset) || offset < 0 || offset % width !== 0 || offset + width > this.bytes) {
      throw new RangeError(`offset ${offset} is outside the device memory or not aligned to ${width} bytes`);
    }
  }
}
