import type { DeviceMemory } from './calls.ts';

/** Loads and stores at an address, one instruction of the named width each. */
export interface WordAccess {
  load32(address: bigint, offset: number): number;
  load64(address: bigint, offset: number): bigint;
  store32(address: bigint, offset: number, value: number): void;
  store64(address: bigint, offset: number, value: bigint): void;
}

/** A mapping of device memory. Nothing outside it can be reached, before or after its release. */
export class MappedMemory implements DeviceMemory {
  readonly bytes: number;
  readonly #access: WordAccess;
  readonly #address: bigint;
  readonly #unmap: () => void;
  #isMapped = true;

  constructor(access: WordAccess, address: bigint, bytes: number, unmap: () => void) {
    this.#access = access;
    this.#address = address;
    this.bytes = bytes;
    this.#unmap = unmap;
  }

  read32(offset: number): number {
    this.#check(offset, 4);
    return this.#access.load32(this.#address, offset);
  }

  read64(offset: number): bigint {
    this.#check(offset, 8);
    return this.#access.load64(this.#address, offset);
  }

  write32(offset: number, value: number): void {
    this.#check(offset, 4);
    if (!Number.isInteger(value) || value < 0 || value > 0xffff_ffff) throw new RangeError('the value is not 32 bits');
    this.#access.store32(this.#address, offset, value);
  }

  write64(offset: number, value: bigint): void {
    this.#check(offset, 8);
    if (BigInt.asUintN(64, value) !== value) throw new RangeError('the value is not 64 bits');
    this.#access.store64(this.#address, offset, value);
  }

  release(): void {
    if (!this.#isMapped) return;
    this.#isMapped = false;
    this.#unmap();
  }

  /** INVARIANT: no access leaves this process for a place that was not mapped: it would end the process. */
  #check(offset: number, width: 4 | 8): void {
    if (!this.#isMapped) throw new RangeError('the device memory was released');
    if (!Number.isInteger(offset) || offset < 0 || offset % width !== 0 || offset + width > this.bytes) {
      throw new RangeError(`offset ${offset} is outside the device memory or not aligned to ${width} bytes`);
    }
  }
}
