import { writeUint64 } from '../../cci/index.ts';

/** The UUID that Get Endpoint UUID tells (version 8, vendor's own): the same in every run, it carries the serial number. */
export function uuidOf(serial: bigint): Uint8Array {
  const bytes = new Uint8Array(16);
  bytes[6] = 0x80;
  bytes[8] = 0x80;
  const number = new Uint8Array(8);
  writeUint64(number, 0, serial);
  bytes.set(number.subarray(0, 6).toReversed(), 10);
  bytes.set(number.subarray(6), 0);
  return bytes;
}
