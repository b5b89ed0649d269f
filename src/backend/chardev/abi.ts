/**
 * Numbers and layouts of the kernel's CXL mailbox interface (`linux/cxl_mem.h`), for machines with the generic ioctl
 * encoding: x86-64, arm64, riscv. Little endian.
 */

/** `_IOR(0xCE, 1, 8 bytes)` */
export const CXL_MEM_QUERY_COMMANDS = 0x8008_ce01;
/** `_IOWR(0xCE, 2, 48 bytes)` */
export const CXL_MEM_SEND_COMMAND = 0xc030_ce02;

/** Any opcode, where the kernel was built to allow that. */
export const RAW_ID = 2;

/** A size of a command that may vary. */
export const VARIABLE_SIZE = 0xffff_ffff;

/** Flags of a command. */
export const COMMAND_ENABLED = 1;
export const COMMAND_EXCLUSIVE = 2;

export const QUERY_HEADER_BYTES = 8;
export const COMMAND_INFO_BYTES = 16;
export const SEND_BYTES = 48;

/** One row of the kernel's answer to a query. */
export interface CommandInfo {
  readonly id: number;
  readonly flags: number;
  /** Bytes of the input, or `VARIABLE_SIZE`. */
  readonly inputBytes: number;
  readonly outputBytes: number;
}

/** `struct cxl_mem_query_commands`: n_commands u32 @0, reserved @4, then room for `count` rows. */
export function encodeQuery(count: number): Uint8Array {
  const out = Buffer.alloc(QUERY_HEADER_BYTES + COMMAND_INFO_BYTES * count);
  out.writeUInt32LE(count, 0);
  return out;
}

export function decodeQueryCount(bytes: Uint8Array): number {
  return view(bytes).getUint32(0, true);
}

/** The rows; slots that the kernel left empty are not among them. `struct cxl_command_info`: id, flags, size_in, size_out. */
export function decodeQuery(bytes: Uint8Array): readonly CommandInfo[] {
  const fields = view(bytes);
  const rows: CommandInfo[] = [];
  for (let at = QUERY_HEADER_BYTES; at + COMMAND_INFO_BYTES <= bytes.length; at += COMMAND_INFO_BYTES) {
    const row = {
      id: fields.getUint32(at, true),
      flags: fields.getUint32(at + 4, true),
      inputBytes: fields.getUint32(at + 8, true),
      outputBytes: fields.getUint32(at + 12, true),
    };
    if (row.id !== 0) rows.push(row);
  }
  return rows;
}

export interface SendCommand {
  readonly id: number;
  /** Only for `RAW_ID`; every other command has zeros there. */
  readonly rawOpcode?: number;
  readonly input: { readonly bytes: number; readonly address: bigint };
  readonly output: { readonly bytes: number; readonly address: bigint };
}

/**
 * `struct cxl_send_command`, 48 bytes: id u32 @0, flags u32 @4, raw opcode u16 @8, retval u32 @12, in.size u32 @16,
 * in.payload u64 @24, out.size u32 @32, out.payload u64 @40. Everything else is reserved and must be zero.
 */
export function encodeSend({ id, rawOpcode, input, output }: SendCommand): Uint8Array {
  const out = Buffer.alloc(SEND_BYTES);
  out.writeUInt32LE(id, 0);
  out.writeUInt16LE(rawOpcode ?? 0, 8);
  out.writeUInt32LE(input.bytes, 16);
  out.writeBigUInt64LE(input.address, 24);
  out.writeUInt32LE(output.bytes, 32);
  out.writeBigUInt64LE(output.address, 40);
  return out;
}

/** What the kernel wrote into the structure: the device's return code and the bytes of its output. */
export function decodeSend(bytes: Uint8Array): { readonly returnCode: number; readonly outputBytes: number } {
  return { returnCode: view(bytes).getUint32(12, true), outputBytes: view(bytes).getUint32(32, true) };
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
