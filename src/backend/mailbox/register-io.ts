/** What a transport knows about the device behind it, once open. */
export interface RegisterIoIdentity {
  /** Name of the transport, such as `qtest`; the backend calls itself `mailbox/<transport>`. */
  readonly transport: string;
  /** One line for people. */
  readonly description: string;
  /** See `BackendIdentity.bootId`. */
  readonly bootId: string;
}

/**
 * Reaches the device register block of one Switch CCI function (register locator block id 3). Offsets are bytes from
 * the start of that block. One transport each implements it; `MailboxBackend` is written once on top.
 *
 * Promises, because the carrier may be a socket or another process. Every promise settles once the carrier is closed,
 * and any rejection means that the carrier, not the device, failed. The driver bounds each access in time by itself.
 *
 * INVARIANT: an implementation makes exactly one bus access of the named width for each of the four register calls:
 * the command register takes one 64-bit store and nothing else, and a store of 1 or 2 bytes below the payload is fatal
 * on the emulated device.
 */
export interface RegisterIo {
  /** Finds and claims the device. @throws BackendError (`not-sent`), or anything else for a carrier that failed */
  open(): Promise<RegisterIoIdentity>;
  /** Lets go; pending accesses reject. Never throws, and may be called in any state. */
  close(): Promise<void>;
  /** Bytes in the register block, known after `open`. */
  readonly size: number;
  /** True when the accesses reach hardware of this host. */
  readonly touchesHostHardware: boolean;
  /** One 4-byte load at a 4-byte aligned offset. */
  read32(offset: number): Promise<number>;
  /** One 8-byte load at an 8-byte aligned offset. */
  read64(offset: number): Promise<bigint>;
  /** One 4-byte store at a 4-byte aligned offset. */
  write32(offset: number, value: number): Promise<void>;
  /** One 8-byte store at an 8-byte aligned offset. */
  write64(offset: number, value: bigint): Promise<void>;
  /** `length` bytes from a 4-byte aligned offset, by 4-byte loads in rising order (the last one may read past the end). */
  readPayload(offset: number, length: number): Promise<Uint8Array>;
  /** Stores `bytes` at a 4-byte aligned offset, by 4-byte stores in rising order; the last one is filled with zeros. */
  writePayload(offset: number, bytes: Uint8Array): Promise<void>;
}
