/**
 * Registers of a device in the address space of this process, or behind a file that stands for them. Each call makes
 * exactly one access of the named width on the bus.
 *
 * @throws RangeError for an offset that is not aligned to the width or outside the memory; nothing is accessed then
 */
export interface DeviceMemory {
  readonly bytes: number;
  read32(offset: number): number;
  read64(offset: number): bigint;
  write32(offset: number, value: number): void;
  write64(offset: number, value: bigint): void;
  /** Lets go of the memory; every later access throws. A second call does nothing. */
  release(): void;
}

/** Ordinary memory whose address the kernel may be given. It never moves and must be freed. */
export interface NativeBuffer {
  readonly address: bigint;
  readonly bytes: Uint8Array;
  free(): void;
}

/**
 * What the broker asks of the kernel and Node does not offer. All calls but `watch` return at once or block the calling
 * thread for as long as the kernel takes.
 *
 * @throws SystemCallError, or an error of `node:fs` with an errno as its `code`
 */
export interface NativeCalls {
  /** Opens what exists; the descriptor is closed on exec. */
  open(path: string, access: 'read' | 'read-write'): number;
  /** Never throws. */
  close(fd: number): void;
  /** Exclusive advisory lock (`flock`), which ends with the descriptor. @returns false when another holds it */
  lock(fd: number): boolean;
  /**
   * @param argument a number is passed as it is; bytes are passed by their address, and the kernel may write to them
   * @returns what the call returned: never negative
   */
  ioctl(fd: number, request: number, argument: number | Uint8Array): number;
  /** Maps `bytes` bytes from a page-aligned `offset` of a device file, shared, to read and write. */
  map(fd: number, offset: number, bytes: number): DeviceMemory;
  /** One `pread`. @returns the bytes that came, which may be fewer */
  read(fd: number, position: number, bytes: number): Uint8Array;
  /** One `pwrite` of all the bytes. */
  write(fd: number, position: number, bytes: Uint8Array): void;
  /** A new event counter (`eventfd`) whose reads do not wait. */
  eventCounter(): number;
  /** Calls back on the event loop after each event on the counter, having reset it. @returns what ends the watch */
  watchCounter(fd: number, onEvent: () => void): () => void;
  /** Memory for what the kernel reads and writes by address. */
  allocate(bytes: number): NativeBuffer;
}
