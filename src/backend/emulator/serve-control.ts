import { writeUint64 } from '../../cci/index.ts';

/** MCTP control messages (type 00h, DSP0236), as far as the tools use them. */

const COMMAND = { setEid: 1, getEid: 2, getUuid: 3, getVersion: 4, getTypes: 5 } as const;
const DONE = 0x00;
const UNSUPPORTED_COMMAND = 0x05;
const UNSUPPORTED_TYPE = 0x80;
const REQUEST_BIT = 0x80;
const DATAGRAM_BIT = 0x40;
/** Types that Get Message Type Support names. */
const TYPES = [0x07, 0x08] as const;

/** The reply: instance id, command, completion code, data. Every command is answered, also one that is not known. */
export function controlReply(body: Uint8Array, serial: bigint, ownEid: number, allowSetEid: boolean): Uint8Array {
  const instance = (body[0] ?? 0) & ~(REQUEST_BIT | DATAGRAM_BIT);
  const command = body[1] ?? 0;
  return Uint8Array.of(instance, command, ...content(command, body, serial, ownEid, allowSetEid));
}

function content(
  command: number,
  body: Uint8Array,
  serial: bigint,
  ownEid: number,
  allowSetEid: boolean,
): readonly number[] {
  switch (command) {
    case COMMAND.setEid:
      // An EID decides where others' messages go: nobody here may hand them out unless the operator said so.
      return allowSetEid ? [DONE, 0x00, body[3] ?? 0, 0x00] : [UNSUPPORTED_COMMAND];
    case COMMAND.getEid:
      return [DONE, ownEid, 0x00, 0x00];
    case COMMAND.getUuid:
      return [DONE, ...uuidOf(serial)];
    case COMMAND.getVersion: {
      const type = body[2] ?? 0;
      if (TYPES.some((known) => known === type)) return [DONE, 0x01, 0xf2, 0xf1, 0xff, 0x00];
      return type === 0x00 || type === 0xff ? [DONE, 0x01, 0xf1, 0xf3, 0xf1, 0x00] : [UNSUPPORTED_TYPE];
    }
    case COMMAND.getTypes:
      return [DONE, TYPES.length, ...TYPES];
    default:
      return [UNSUPPORTED_COMMAND];
  }
}

/** A UUID (version 8, vendor's own) that is the same in every run: it carries the serial number. */
function uuidOf(serial: bigint): Uint8Array {
  const bytes = new Uint8Array(16);
  bytes[6] = 0x80;
  bytes[8] = 0x80;
  const number = new Uint8Array(8);
  writeUint64(number, 0, serial);
  bytes.set(number.subarray(0, 6).toReversed(), 10);
  bytes.set(number.subarray(6), 0);
  return bytes;
}
