/** What a transport knows about the device behind it, once open. */
export interface RegisterIoIdentity {
  /** Name of the transport, such as `qtest`; the backend calls itself `mailbox/<transport>`. */
  readonly transport: string;
  /** One line for people. */
  readonly description: string;
  /** See `BackendIdentity.bootId`. */
  readonly bootId: string;
  /** See `BackendIdentity.notes`. */
  readonly notes?: readonly string[];
}

/** What an access comes to: at once, or later over a carrier. */
export type Eventually<T> = T | Promise<T>;

/**
 * Reaches the device register block of one Switch CCI function (register locator block id 3). Offsets are bytes from
 * the start of that block. One transport each implements it; `MailboxBackend` is written once on top.
 *
 * An access may give a promise, because the carrier may be a socket. Every promise settles once the carrier is closed,
 * and any rejection means that the carrier, not the device, failed. The driver bounds each promise in time by itself; an
 * access that answers at once costs no timer.
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
  read32(offset: number): Eventually<number>;
  /** One 8-byte load at an 8-byte aligned offset. */
  read64(offset: number): Eventually<bigint>;
  /** One 4-byte store at a 4-byte aligned offset. */
  write32(offset: number, value: number): Eventually<void>;
  /** One 8-byte store at an 8-byte aligned offset. */
  write64(offset: number, value: bigint): Eventually<void>;
  /** `length` bytes from a 4-byte aligned offset, by 4-byte loads in rising order (the last one may read past the end). */
  readPayload(offset: number, length: number): Eventually<Uint8Array>;
  /** Stores `bytes` at a 4-byte aligned offset, by 4-byte stores in rising order; the last one is filled with zeros. */
  writePayload(offset: number, bytes: Uint8Array): Eventually<void>;
  /** Messages (MSI or MSI-X) the device has and the carrier can deliver, known after `open`; absent or 0: poll. */
  readonly messages?: number;
  /**
   * From now until `close`, calls back on each interrupt of the message. A call too many does no harm, and one that is
   * lost only costs time: the driver keeps polling, less often.
   *
   * @throws anything when interrupts can't be had after all; the driver then polls
   */
  listen?(message: number, onInterrupt: () => void): Eventually<void>;
}
