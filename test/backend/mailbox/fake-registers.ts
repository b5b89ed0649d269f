import type { RegisterIo, RegisterIoIdentity } from '../../../src/backend/mailbox/register-io.ts';

/** One access on the bus, as the device sees it. */
export interface Access {
  readonly op: 'read' | 'write';
  readonly width: 4 | 8;
  readonly offset: number;
  readonly value: bigint;
}

/**
 * What becomes of an access: `gone` is surprise removal, from this access on; before a `reset` access the device loses
 * all it held and is ready again; `reject`, `throw` and `hang` never reach
 * the device; after `done-reject` and `done-hang` the device has seen the access and only its answer is lost.
 */
export type Fault = 'none' | 'gone' | 'reset' | 'reject' | 'throw' | 'hang' | 'done-reject' | 'done-hang';

export interface FakeReply {
  readonly returnCode?: number;
  readonly vendorStatus?: number;
  readonly background?: boolean;
  readonly payload?: Uint8Array;
  /** Length the device claims, when that is not the payload's. */
  readonly claimedLength?: number;
  /** Opcode left in the command register, when that is not the command's. */
  readonly opcodeLeft?: number;
}

export interface FakeEntry {
  readonly id: number;
  readonly offset: number;
  readonly length: number;
}

export interface FakeDevice {
  readonly headerId?: number;
  /** Number of entries the header claims, when that is not the true one. */
  readonly claimedEntries?: number;
  readonly entries?: readonly FakeEntry[];
  readonly payloadExponent?: number;
  /** The message that the device sends when it clears the doorbell, if it can. */
  readonly doorbellMessage?: number;
  /** Messages that the carrier delivers. */
  readonly messages?: number;
  /** The device sends no message although it was asked to. */
  losesInterrupts?: boolean;
  /** Looks at the memory device status that do not see it ready yet; Infinity never is. */
  looksUntilReady?: number;
  /** What the memory device status holds besides. */
  deviceStatus?: bigint;
  /** Bytes of the register block. */
  readonly size?: number;
  /** The doorbell reads as set although we never rang it. */
  stuckBefore?: boolean;
  /** Polls that still see the doorbell set after it was rung; Infinity never clears it. */
  pollsUntilClear?: number;
  run?: (opcode: number, payload: Uint8Array) => FakeReply;
}

/** Where the emulated device of QEMU has its mailbox: see the register table in docs/devices.md. */
export const MAILBOX_AT = 0x88;
const COMMAND = MAILBOX_AT + 0x08;
const CONTROL = MAILBOX_AT + 0x04;
const PAYLOAD = MAILBOX_AT + 0x20;
const ALL_ONES = (1n << 64n) - 1n;

export const QEMU_ENTRIES: readonly FakeEntry[] = [
  { id: 0x0001, offset: 0x80, length: 0x8 },
  { id: 0x0002, offset: MAILBOX_AT, length: 0x820 },
  { id: 0x4000, offset: 0x8a8, length: 0x8 },
];

/**
 * A device register block in software, as strict as the emulated one: the command register takes one 8-byte store and
 * ignores others, the control register one 4-byte store. It records every access and can fail any of them.
 */
export class FakeRegisters implements RegisterIo {
  readonly touchesHostHardware = false;
  readonly accesses: Access[] = [];
  readonly device: FakeDevice;
  /** Consulted before each access, numbered from 0 over the whole life of the fake. */
  fault: (index: number, access: Omit<Access, 'value'>) => Fault = () => 'none';
  /** Doorbell stores that reached a device that was there. */
  rung = 0;
  opens = 0;
  closes = 0;
  isOpen = false;
  isGone = false;
  #index = 0;
  #pollsLeft = 0;
  #doorbell = false;
  #command = 0n;
  #status = 0n;
  #payload: Uint8Array;
  #rejectPending = new Set<(error: Error) => void>();
  #onMessage: (() => void) | undefined;
  #wantsMessage = false;
  #looksUntilReady: number;

  constructor(device: FakeDevice = {}) {
    this.device = device;
    this.#payload = new Uint8Array(this.size);
    this.#looksUntilReady = device.looksUntilReady ?? 0;
  }

  get messages(): number {
    return this.device.messages ?? 0;
  }

  listen(message: number, onInterrupt: () => void): void {
    if (message !== this.device.doorbellMessage) throw new Error('no such message');
    this.#onMessage = onInterrupt;
  }

  /** The device clears its doorbell now, and says so if it was asked to. */
  finish(): void {
    this.#pollsLeft = 0;
    this.#doorbell = false;
    if (this.#wantsMessage && this.device.losesInterrupts !== true) this.#onMessage?.();
  }

  /** All registers as after power-on. */
  reset(): void {
    this.#doorbell = false;
    this.#pollsLeft = 0;
    this.#command = 0n;
    this.#status = 0n;
    this.#payload.fill(0);
  }

  get size(): number {
    return this.device.size ?? 0x1000;
  }

  /** Accesses that got no answer. */
  get hanging(): number {
    return this.#rejectPending.size;
  }

  /** The device is back, fresh from reset, and the carrier works. */
  heal(): void {
    this.isGone = false;
    this.fault = () => 'none';
    this.device.stuckBefore = false;
    this.device.pollsUntilClear = 0;
    this.#doorbell = false;
    this.#pollsLeft = 0;
  }

  async open(): Promise<RegisterIoIdentity> {
    this.opens++;
    this.isOpen = true;
    return { transport: 'fake', description: 'registers in software', bootId: `fake-${this.opens}` };
  }

  async close(): Promise<void> {
    this.closes++;
    this.isOpen = false;
    for (const reject of this.#rejectPending) reject(new Error('closed'));
    this.#rejectPending.clear();
  }

  async read32(offset: number): Promise<number> {
    return Number(await this.#access('read', 4, offset));
  }

  read64(offset: number): Promise<bigint> {
    return this.#access('read', 8, offset);
  }

  async write32(offset: number, value: number): Promise<void> {
    await this.#access('write', 4, offset, BigInt(value));
  }

  async write64(offset: number, value: bigint): Promise<void> {
    await this.#access('write', 8, offset, value);
  }

  async readPayload(offset: number, length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(Math.ceil(length / 4) * 4);
    for (let at = 0; at < length; at += 4) {
      const word = await this.#access('read', 4, offset + at);
      for (let byte = 0; byte < 4; byte++) bytes[at + byte] = Number((word >> BigInt(8 * byte)) & 0xffn);
    }
    return bytes.slice(0, length);
  }

  async writePayload(offset: number, bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; at += 4) {
      await this.#access('write', 4, offset + at, littleEndian(bytes.subarray(at, at + 4)));
    }
  }

  /** An access as the bus makes it, with no carrier in between; for a transport that has its own. */
  bus(op: 'read' | 'write', width: 4 | 8, offset: number, value = 0n): bigint {
    const isRead = op === 'read';
    if (this.isGone) {
      this.accesses.push({ op, width, offset, value: isRead ? ALL_ONES : value });
      return BigInt.asUintN(8 * width, ALL_ONES);
    }
    const result = isRead ? this.#load(width, offset) : value;
    if (!isRead) this.#store(width, offset, value);
    this.accesses.push({ op, width, offset, value: result });
    return result;
  }

  async #access(op: 'read' | 'write', width: 4 | 8, offset: number, value = 0n): Promise<bigint> {
    if (!this.isOpen) throw new Error('access to a closed carrier');
    const fault = this.fault(this.#index++, { op, width, offset });
    if (fault === 'gone') this.isGone = true;
    if (fault === 'reset') this.reset();
    if (fault === 'throw') throw 'a carrier that throws no error object';
    if (fault === 'reject') throw new Error('the carrier failed');
    const result = fault === 'hang' ? 0n : this.bus(op, width, offset, value);
    if (fault === 'done-reject') throw new Error('the answer was lost');
    if (fault !== 'hang' && fault !== 'done-hang') return result;
    return new Promise((_, reject) => this.#rejectPending.add(reject));
  }

  #load(width: 4 | 8, offset: number): bigint {
    const low = this.#load32(offset);
    return width === 4 ? low : low | (this.#load32(offset + 4) << 32n);
  }

  #load32(offset: number): bigint {
    const half = (register: number, value: bigint) => (value >> BigInt(8 * (offset - register))) & 0xffff_ffffn;
    const entries = this.device.entries ?? QEMU_ENTRIES;
    if (offset < 8) {
      const count = BigInt(this.device.claimedEntries ?? entries.length);
      return half(0, BigInt(this.device.headerId ?? 0) | (1n << 16n) | (count << 32n));
    }
    const entry = entries[Math.floor(offset / 0x10) - 1];
    if (entry !== undefined)
      return BigInt([entry.id | 0x10000, entry.offset, entry.length, 0][(offset % 0x10) / 4] ?? 0);
    if (offset === MAILBOX_AT) return BigInt(this.#capabilities());
    const status = entries.find(({ id }) => id === 0x4000)?.offset;
    if (offset === status) return this.#deviceStatus();
    if (offset === CONTROL) return this.#readDoorbell() ? 1n : 0n;
    if (offset >= COMMAND && offset < COMMAND + 8) return half(COMMAND, this.#command);
    if (offset >= COMMAND + 8 && offset < COMMAND + 16) return half(COMMAND + 8, this.#status);
    if (offset >= COMMAND + 16 && offset < PAYLOAD) return half(COMMAND + 16, BACKGROUND);
    return littleEndian(this.#payload.subarray(offset, offset + 4));
  }

  #capabilities(): number {
    const exponent = this.device.payloadExponent ?? 11;
    const { doorbellMessage } = this.device;
    // The emulated device names message 3 for background operations and sends none.
    return doorbellMessage === undefined ? 0x1c0 | exponent : 0x20 | (doorbellMessage << 7) | exponent;
  }

  #deviceStatus(): bigint {
    const isReady = this.#looksUntilReady-- <= 0;
    return (this.device.deviceStatus ?? 4n) | (isReady ? 0x10n : 0n);
  }

  #readDoorbell(): boolean {
    if (this.device.stuckBefore === true && !this.#doorbell) return true;
    if (this.#doorbell && this.#pollsLeft-- <= 0) this.#doorbell = false;
    return this.#doorbell;
  }

  #store(width: 4 | 8, offset: number, value: bigint): void {
    if (offset === COMMAND && width === 8) this.#command = value;
    else if (offset === CONTROL && width === 4) {
      this.#wantsMessage = (value & 2n) === 2n;
      if ((value & 1n) === 1n) this.#ring();
    } else if (offset >= PAYLOAD && width === 4) {
      for (let byte = 0; byte < 4; byte++) this.#payload[offset + byte] = Number((value >> BigInt(8 * byte)) & 0xffn);
    }
  }

  #ring(): void {
    this.rung++;
    this.#doorbell = true;
    this.#pollsLeft = this.device.pollsUntilClear ?? 0;
    const opcode = Number(this.#command & 0xffffn);
    const length = Number((this.#command >> 16n) & 0x1fffffn);
    const reply = this.device.run?.(opcode, this.#payload.slice(PAYLOAD, PAYLOAD + length)) ?? {};
    const payload = reply.payload ?? new Uint8Array(0);
    this.#payload.set(payload.subarray(0, this.size - PAYLOAD), PAYLOAD);
    this.#command = BigInt(reply.opcodeLeft ?? opcode) | (BigInt(reply.claimedLength ?? payload.length) << 16n);
    const codes = (BigInt(reply.vendorStatus ?? 0) << 48n) | (BigInt(reply.returnCode ?? 0) << 32n);
    this.#status = codes | (reply.background === true ? 1n : 0n);
  }
}

/** Opcode 5201h, 37 %, return code 0004h, vendor status 0102h. */
const BACKGROUND = 0x0102_0004_0025_5201n;

function littleEndian(bytes: Uint8Array): bigint {
  return bytes.reduce((sum, byte, index) => sum | (BigInt(byte) << BigInt(8 * index)), 0n);
}
