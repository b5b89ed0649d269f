/**
 * Layout of the device register block and of the mailbox inside it. Pure arithmetic on values already read.
 * Source: CXL 3.1 section 8.2.8.
 */

/** Capability ids of the device register block that this driver knows; every other id is skipped. */
export const CAPABILITY_PRIMARY_MAILBOX = 0x0002;
/** Of memory devices; a Switch CCI needs none, but the emulated one has it. */
export const CAPABILITY_MEMORY_DEVICE_STATUS = 0x4000;

/** Bytes of the memory device status register. */
export const DEVICE_STATUS_BYTES = 8;

/** Bytes of the array header and of each entry. */
export const CAPABILITY_ENTRY_BYTES = 0x10;

/** Offsets in bytes from the start of the mailbox. */
export const MAILBOX = {
  capabilities: 0x00,
  control: 0x04,
  command: 0x08,
  status: 0x10,
  backgroundStatus: 0x18,
  payload: 0x20,
} as const;

/** The payload size is a power of two; these are the exponents the specification allows (256 bytes to 1 MiB). */
export const PAYLOAD_EXPONENT_MIN = 8;
export const PAYLOAD_EXPONENT_MAX = 20;

/** Bit 0 of the control register: set by us to start a command, cleared by the device when it is done. */
export const CONTROL_DOORBELL = 1;
/** Bit 1 of the control register: the device sends a message when it clears the doorbell. */
export const CONTROL_DOORBELL_INTERRUPT = 2;

/** What a load returns when nothing answers it, such as after surprise removal. */
export const ALL_ONES_32 = 0xffff_ffff;
export const ALL_ONES_64 = 0xffff_ffff_ffff_ffffn;

/** Bits `high`:`low` of a 64-bit register, as a number (fields here are at most 32 bits wide). */
export function bits(value: bigint, high: number, low: number): number {
  return Number((value >> BigInt(low)) & ((1n << BigInt(high - low + 1)) - 1n));
}

export interface CapabilityArrayHeader {
  readonly id: number;
  readonly count: number;
}

/** Register 0 of the block: id in bits 15:0 (0 for the array itself), number of entries in bits 47:32. */
export function decodeArrayHeader(value: bigint): CapabilityArrayHeader {
  return { id: bits(value, 15, 0), count: bits(value, 47, 32) };
}

/** Mailbox capabilities, bits 4:0: payload size exponent. */
export function decodePayloadExponent(capabilities: number): number {
  return capabilities & 0x1f;
}

/**
 * Mailbox capabilities: whether the device can send a message when the doorbell clears (bit 5), and which (bits 10:7).
 * What it says about background operations (bit 6) is not used.
 */
export function decodeDoorbellMessage(capabilities: number): number | undefined {
  return (capabilities & 0x20) === 0 ? undefined : (capabilities >>> 7) & 0xf;
}

export interface DeviceStatus {
  readonly isReady: boolean;
  readonly isFatal: boolean;
  readonly isHalted: boolean;
}

/** Memory device status: bit 0 fatal, bit 1 firmware halted, bit 4 mailbox ready. */
export function decodeDeviceStatus(value: bigint): DeviceStatus {
  return { isFatal: bits(value, 0, 0) === 1, isHalted: bits(value, 1, 1) === 1, isReady: bits(value, 4, 4) === 1 };
}

/** Command register: opcode in bits 15:0, payload length in bits 36:16. */
export function encodeCommand(opcode: number, payloadLength: number): bigint {
  return BigInt(opcode) | (BigInt(payloadLength) << 16n);
}

export interface CommandRegister {
  readonly opcode: number;
  readonly payloadLength: number;
}

export function decodeCommand(value: bigint): CommandRegister {
  return { opcode: bits(value, 15, 0), payloadLength: bits(value, 36, 16) };
}

export interface StatusRegister {
  readonly background: boolean;
  readonly returnCode: number;
  readonly vendorStatus: number;
}

/** Status register: bit 0 background operation runs, bits 47:32 return code, bits 63:48 vendor status. */
export function decodeStatus(value: bigint): StatusRegister {
  return { background: bits(value, 0, 0) === 1, returnCode: bits(value, 47, 32), vendorStatus: bits(value, 63, 48) };
}

/** The background command status register, decoded. */
export interface BackgroundStatus {
  /** The last command that ran in the background, or 0. */
  readonly opcode: number;
  /** 0..100 from an honest device; 7 bits. 100 means done. */
  readonly percent: number;
  /** Valid once `percent` is 100. */
  readonly returnCode: number;
  readonly vendorStatus: number;
}

/** Background status: opcode in bits 15:0, percent in 22:16, return code in 47:32, vendor status in 63:48. */
export function decodeBackgroundStatus(value: bigint): BackgroundStatus {
  return {
    opcode: bits(value, 15, 0),
    percent: bits(value, 22, 16),
    returnCode: bits(value, 47, 32),
    vendorStatus: bits(value, 63, 48),
  };
}
