import type { Attempt } from './attempt.ts';
import {
  CAPABILITY_ENTRY_BYTES,
  CAPABILITY_MEMORY_DEVICE_STATUS,
  CAPABILITY_PRIMARY_MAILBOX,
  DEVICE_STATUS_BYTES,
  decodeArrayHeader,
  decodeDoorbellMessage,
  decodePayloadExponent,
  MAILBOX,
  PAYLOAD_EXPONENT_MAX,
  PAYLOAD_EXPONENT_MIN,
} from './registers.ts';

/** One entry of the capabilities array: bytes from the start of the register block. */
interface Place {
  readonly offset: number;
  readonly length: number;
}

/** What the capabilities array names that this driver knows. */
export interface KnownCapabilities {
  readonly mailbox: Place;
  /** Memory device status, where the device has one. */
  readonly deviceStatus: Place | undefined;
}

/** Where the primary mailbox is, in bytes from the start of the register block, and how much it carries. */
export interface MailboxLocation {
  readonly offset: number;
  /** 256 bytes to 1 MiB, a power of two. */
  readonly payloadBytes: number;
  /** The message that the device can send when the doorbell clears. */
  readonly doorbellMessage: number | undefined;
}

/**
 * Walks the device capabilities array (CXL 3.1 section 8.2.8.1).
 *
 * Everything the device says is checked before it is used as an address. Entries with other ids are skipped whatever
 * they hold. Loads are aligned and 4 or 8 bytes wide: narrower ones give wrong bytes on the emulated device.
 *
 * @throws BackendError EPROTO when the layout breaks the rules, EIO when the device is gone
 */
export async function readCapabilities(attempt: Attempt, blockBytes: number): Promise<KnownCapabilities> {
  if (blockBytes < 2 * CAPABILITY_ENTRY_BYTES) throw attempt.error('EPROTO', 'the register block is too small');
  const header = decodeArrayHeader(await attempt.read64(0, 'capability array header'));
  if (header.id !== 0) throw attempt.error('EPROTO', `the capability array has id ${header.id}, not 0`);
  const arrayBytes = (header.count + 1) * CAPABILITY_ENTRY_BYTES;
  if (arrayBytes > blockBytes) {
    throw attempt.error('EPROTO', `a capability array of ${header.count} entries does not fit the register block`);
  }

  let mailbox: Place | undefined;
  let deviceStatus: Place | undefined;
  for (let entry = CAPABILITY_ENTRY_BYTES; entry < arrayBytes; entry += CAPABILITY_ENTRY_BYTES) {
    const id = (await attempt.read32(entry, 'capability id')) & 0xffff;
    if (id === CAPABILITY_PRIMARY_MAILBOX) {
      // Two would leave it open which of them the device means.
      if (mailbox !== undefined) throw attempt.error('EPROTO', 'the device has two primary mailboxes');
      mailbox = await placeOf(attempt, entry, 'mailbox');
    } else if (id === CAPABILITY_MEMORY_DEVICE_STATUS) {
      if (deviceStatus !== undefined) throw attempt.error('EPROTO', 'the device has two device status registers');
      deviceStatus = await placeOf(attempt, entry, 'device status');
    }
  }
  if (mailbox === undefined) throw attempt.error('EPROTO', 'the device has no primary mailbox');
  for (const [name, place, least] of [
    ['mailbox', mailbox, MAILBOX.payload],
    ['device status', deviceStatus, DEVICE_STATUS_BYTES],
  ] as const) {
    if (place === undefined) continue;
    const { offset, length } = place;
    if (offset % 8 !== 0 || offset < arrayBytes || length < least || offset + length > blockBytes) {
      const text = `the ${name} at offset ${offset}, length ${length}, does not fit the register block`;
      throw attempt.error('EPROTO', text);
    }
  }
  return { mailbox, deviceStatus };
}

async function placeOf(attempt: Attempt, entry: number, name: string): Promise<Place> {
  const offset = await attempt.read32(entry + 4, `${name} offset`);
  return { offset, length: await attempt.read32(entry + 8, `${name} length`) };
}

/**
 * Reads what the mailbox can carry, and checks it against the room it has.
 *
 * @throws BackendError EPROTO, EIO
 */
export async function measureMailbox(attempt: Attempt, { offset, length }: Place): Promise<MailboxLocation> {
  const capabilities = await attempt.read32(offset + MAILBOX.capabilities, 'mailbox capabilities');
  const exponent = decodePayloadExponent(capabilities);
  if (exponent < PAYLOAD_EXPONENT_MIN || exponent > PAYLOAD_EXPONENT_MAX) {
    const range = `${PAYLOAD_EXPONENT_MIN}..${PAYLOAD_EXPONENT_MAX}`;
    throw attempt.error('EPROTO', `the mailbox has payload size exponent ${exponent}, not ${range}`);
  }
  const payloadBytes = 2 ** exponent;
  if (MAILBOX.payload + payloadBytes > length) {
    throw attempt.error('EPROTO', `a payload of ${payloadBytes} bytes does not fit a mailbox of ${length} bytes`);
  }
  return { offset, payloadBytes, doorbellMessage: decodeDoorbellMessage(capabilities) };
}
