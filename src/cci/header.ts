import { copyOf, readUint, writeUint } from './bytes.ts';
import { type CodecError, codecError } from './codec-error.ts';
import type { Dialect } from './dialect.ts';
import { err, ok, type Result } from './result.ts';

/** Size of the CCI message header in bytes. */
export const HEADER_SIZE = 12;
/** The length field has 21 bits. */
export const MAX_MESSAGE_PAYLOAD = 0x1fffff;

/** A CCI message (CXL r3.1 7.6.3): 12-byte header and payload. */
export interface CciMessage {
  readonly category: 'request' | 'response';
  /** Chosen by the requester, echoed by the responder. 0..255. */
  readonly tag: number;
  readonly opcode: number;
  /** BO, bit 7 of byte 7: a background operation runs on this CCI (D02). Always false in a request. */
  readonly background: boolean;
  /** 0 in requests. */
  readonly returnCode: number;
  readonly vendorStatus: number;
  readonly payload: Uint8Array;
}

/**
 * How a peer lays out byte 0 and byte 7. `spec`: category in bits 3:0 (D01), length 20:16 in bits 4:0, BO in bit 7 (D02).
 * `jackrabbit`: category in bits 7:4, length 20:16 in bits 7:3, background in bit 0.
 */
const LAYOUT = {
  spec: { response: 0x01, lengthShift: 0, background: 0x80, reserved: 0x60 },
  jackrabbit: { response: 0x10, lengthShift: 3, background: 0x01, reserved: 0x06 },
} as const satisfies Record<Dialect, object>;

/**
 * The bytes of a message: `12 + payload.length`.
 *
 * @throws RangeError for a payload over 21 bits of length, or a tag, opcode or code wider than its field: a caller's
 *   mistake, and one that a silently narrowed number would turn into another command
 */
export function encodeMessage(message: CciMessage, dialect: Dialect = 'spec'): Uint8Array {
  const form = LAYOUT[dialect];
  const { payload } = message;
  if (payload.length > MAX_MESSAGE_PAYLOAD) throw new RangeError(`payload of ${payload.length} bytes`);
  checkWidth('tag', message.tag, 0xff);
  checkWidth('opcode', message.opcode, 0xffff);
  checkWidth('return code', message.returnCode, 0xffff);
  checkWidth('vendor status', message.vendorStatus, 0xffff);
  const bytes = new Uint8Array(HEADER_SIZE + payload.length);
  bytes[0] = message.category === 'request' ? 0 : form.response;
  bytes[1] = message.tag;
  writeUint(bytes, 3, 2, message.opcode);
  writeUint(bytes, 5, 2, payload.length & 0xffff);
  bytes[7] = ((payload.length >> 16) << form.lengthShift) | (message.background ? form.background : 0);
  writeUint(bytes, 8, 2, message.returnCode);
  writeUint(bytes, 10, 2, message.vendorStatus);
  bytes.set(payload, HEADER_SIZE);
  return bytes;
}

function checkWidth(name: string, value: number, max: number): void {
  if (!Number.isInteger(value) || value < 0 || value > max) throw new RangeError(`${name} ${value} is not 0 to ${max}`);
}

/**
 * Reads a request. Category must be 0 with its high nibble 0 (D01), reserved fields 0, the length exactly the bytes
 * that follow (D24), the return code 0. The vendor status of a request is zeroed instead of refused (D16).
 */
export function decodeRequestMessage(bytes: Uint8Array, dialect: Dialect = 'spec'): Result<CciMessage, CodecError> {
  const message = decodeMessage(bytes, 'request', dialect);
  if (!message.ok) return message;
  if (message.value.background) return err(codecError('reserved', 'background', 'is set in a request'));
  if (message.value.returnCode !== 0) return err(codecError('value', 'return_code', 'must be 0 in a request'));
  return ok({ ...message.value, vendorStatus: 0 });
}

/** Reads a response: category 1; reserved header bits are held to 0 as well. */
export function decodeResponseMessage(bytes: Uint8Array, dialect: Dialect = 'spec'): Result<CciMessage, CodecError> {
  return decodeMessage(bytes, 'response', dialect);
}

function decodeMessage(
  bytes: Uint8Array,
  want: CciMessage['category'],
  dialect: Dialect,
): Result<CciMessage, CodecError> {
  const form = LAYOUT[dialect];
  if (bytes.length < HEADER_SIZE) {
    return err(codecError('length', '', `a CCI message has a header of 12 bytes, here are ${bytes.length}`));
  }
  const category = readUint(bytes, 0, 1);
  if (!isCategory(category, want, dialect)) {
    return err(codecError('value', 'category', `byte 0 is 0x${category.toString(16)}, not a ${want}`));
  }
  if (bytes[2] !== 0) return err(codecError('reserved', 'reserved', 'byte 2 is not zero'));
  const high = readUint(bytes, 7, 1);
  if ((high & form.reserved) !== 0) return err(codecError('reserved', 'reserved', 'reserved bits of byte 7 are set'));
  const length = readUint(bytes, 5, 2) + (((high >> form.lengthShift) & 0x1f) << 16);
  if (length !== bytes.length - HEADER_SIZE) {
    return err(codecError('length', 'payload_length', `says ${length}, ${bytes.length - HEADER_SIZE} bytes follow`));
  }
  return ok({
    category: want,
    tag: readUint(bytes, 1, 1),
    opcode: readUint(bytes, 3, 2),
    background: (high & form.background) !== 0,
    returnCode: readUint(bytes, 8, 2),
    vendorStatus: readUint(bytes, 10, 2),
    payload: copyOf(bytes, HEADER_SIZE),
  });
}

function isCategory(byte: number, want: CciMessage['category'], dialect: Dialect): boolean {
  if (want === 'request') return byte === 0;
  // The low nibble of a jackrabbit response is not looked at by its own tools.
  return dialect === 'spec' ? byte === LAYOUT.spec.response : (byte & 0xf0) === LAYOUT.jackrabbit.response;
}
