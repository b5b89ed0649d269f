import type { Attempt } from './attempt.ts';
import {
  CAPABILITY_ENTRY_BYTES,
  CAPABILITY_PRIMARY_MAILBOX,
  decodeArrayHeader,
  decodePayloadExponent,
  MAILBOX,
  PAYLOAD_EXPONENT_MAX,
  PAYLOAD_EXPONENT_MIN,
} from './registers.ts';

/** Where the primary mailbox is, in bytes from the start of the register block, and how much it carries. */
export interface MailboxLocation {
  readonly offset: number;
  /** 256 bytes to 1 MiB, a power of two. */
  readonly payloadBytes: number;
}

/**
 * Walks the device capabilities array and checks the primary mailbox it names (CXL 3.1 section 8.2.8.1).
 *
 * Everything the device says is checked before it is used as an address. Entries with other ids are skipped whatever
 * they hold. Loads are aligned and 4 or 8 bytes wide: narrower ones give wrong bytes on the emulated device.
 *
 * @throws BackendError EPROTO when the layout breaks the rules, EIO when the device is gone
 */
export async function locateMailbox(attempt: Attempt, blockBytes: number): Promise<MailboxLocation> {
  if (blockBytes < 2 * CAPABILITY_ENTRY_BYTES) throw attempt.error('EPROTO', 'the register block is too small');
  const header = decodeArrayHeader(await attempt.read64(0, 'capability array header'));
  if (header.id !== 0) throw attempt.error('EPROTO', `the capability array has id ${header.id}, not 0`);
  const arrayBytes = (header.count + 1) * CAPABILITY_ENTRY_BYTES;
  if (arrayBytes > blockBytes) {
    throw attempt.error('EPROTO', `a capability array of ${header.count} entries does not fit the register block`);
  }

  let found: { offset: number; length: number } | undefined;
  for (let entry = CAPABILITY_ENTRY_BYTES; entry < arrayBytes; entry += CAPABILITY_ENTRY_BYTES) {
    const id = (await attempt.read32(entry, 'capability id')) & 0xffff;
    if (id !== CAPABILITY_PRIMARY_MAILBOX) continue;
    // Two would leave it open which of them the device means.
    if (found !== undefined) throw attempt.error('EPROTO', 'the device has two primary mailboxes');
    const offset = await attempt.read32(entry + 4, 'mailbox offset');
    found = { offset, length: await attempt.read32(entry + 8, 'mailbox length') };
  }
  if (found === undefined) throw attempt.error('EPROTO', 'the device has no primary mailbox');

  const { offset, length } = found;
  if (offset % 8 !== 0 || offset < arrayBytes || length < MAILBOX.payload || offset + length > blockBytes) {
    throw attempt.error('EPROTO', `the mailbox at offset ${offset}, length ${length}, does not fit the register block`);
  }
  const exponent = decodePayloadExponent(await attempt.read32(offset + MAILBOX.capabilities, 'mailbox capabilities'));
  if (exponent < PAYLOAD_EXPONENT_MIN || exponent > PAYLOAD_EXPONENT_MAX) {
    const range = `${PAYLOAD_EXPONENT_MIN}..${PAYLOAD_EXPONENT_MAX}`;
    throw attempt.error('EPROTO', `the mailbox has payload size exponent ${exponent}, not ${range}`);
  }
  const payloadBytes = 2 ** exponent;
  if (MAILBOX.payload + payloadBytes > length) {
    throw attempt.error('EPROTO', `a payload of ${payloadBytes} bytes does not fit a mailbox of ${length} bytes`);
  }
  return { offset, payloadBytes };
}
