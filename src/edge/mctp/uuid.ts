import { createHash } from 'node:crypto';

/** The UUID that an endpoint tells (version 8): the same as long as it stands for the same thing. 16 bytes. */
export function endpointUuid(name: string): Uint8Array {
  const bytes = Uint8Array.from(createHash('sha256').update(`cci endpoint ${name}`).digest().subarray(0, 16));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x80;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return bytes;
}
