import type { CciReply } from '../backend.ts';
import type { Attempt } from './attempt.ts';
import type { MailboxLocation } from './capabilities.ts';
import { type MailboxClock, sleep } from './clock.ts';
import type { Completion } from './completion.ts';
import {
  CONTROL_DOORBELL,
  CONTROL_DOORBELL_INTERRUPT,
  decodeCommand,
  decodeStatus,
  encodeCommand,
  MAILBOX,
} from './registers.ts';

/** Longest wait for the doorbell to clear, in milliseconds (the Linux CXL driver's limit). */
export const DOORBELL_LIMIT_MS = 2000;

/** How long the reply of a finished command may take to read, in milliseconds: it only costs time on a slow carrier. */
const READ_BACK_LIMIT_MS = 2000;

/** A mailbox with the clock it is driven by, and the interrupts of its doorbell where they can be had. */
export interface DrivenMailbox extends MailboxLocation {
  readonly clock: MailboxClock;
  readonly completion: Completion | undefined;
}

/** Polls that follow each other at once: most commands are done by then. */
const EAGER_POLLS = 10;
/** Pause between polls while an interrupt is waited for, in milliseconds: a lost one costs no more than this. */
const INTERRUPT_POLL_MS = 50;

/** Pause before poll number `poll`; the event loop turns even when it is 0. */
function pollPauseMs(poll: number): number {
  if (poll < EAGER_POLLS) return 0;
  return poll < 60 ? 1 : 5;
}

function pause({ clock, completion }: DrivenMailbox, poll: number, leftMs: number): Promise<void> {
  if (completion !== undefined && poll >= EAGER_POLLS) {
    return completion.wait(clock, Math.min(INTERRUPT_POLL_MS, Math.max(leftMs, 0)));
  }
  return sleep(clock, Math.min(pollPauseMs(poll), Math.max(leftMs, 0)));
}

async function isDoorbellSet(attempt: Attempt, mailbox: MailboxLocation): Promise<boolean> {
  const control = await attempt.read32(mailbox.offset + MAILBOX.control, 'mailbox control');
  return (control & CONTROL_DOORBELL) !== 0;
}

/**
 * Polls until the doorbell is clear. The last look comes after the limit has passed, so that a process that was held up
 * does not call a finished command late.
 *
 * @returns false when it was still set at `limitAtMs`
 */
export async function doorbellClears(attempt: Attempt, mailbox: DrivenMailbox, limitAtMs: number): Promise<boolean> {
  for (let poll = 0; ; poll++) {
    const leftMs = limitAtMs - mailbox.clock.now();
    if (!(await isDoorbellSet(attempt, mailbox))) return true;
    if (leftMs <= 0) return false;
    await pause(mailbox, poll, leftMs);
  }
}

/**
 * Runs one command by the doorbell protocol of CXL 3.1 section 8.2.8.4, in the order of the Linux CXL driver: doorbell clear,
 * payload, command, doorbell, poll, status, length, payload.
 *
 * A payload is read back for return code 0000h only; the length in the command register means nothing otherwise.
 *
 * @param payload at most `mailbox.payloadBytes` bytes, and not changed by anybody meanwhile
 * @throws BackendError EBUSY `not-sent` when the doorbell is set before we begin; ETIMEDOUT; EIO; EPROTO `unknown` when
 * the device claims more bytes than its mailbox holds, or another opcode than ours is in the command register
 */
export async function runCommand(
  attempt: Attempt,
  mailbox: DrivenMailbox,
  opcode: number,
  payload: Uint8Array,
  deadlineMs: number,
): Promise<CciReply> {
  const { clock, completion } = mailbox;
  const at = (register: number): number => mailbox.offset + register;

  if (await isDoorbellSet(attempt, mailbox)) throw attempt.error('EBUSY', 'the doorbell was set before the command');
  if (payload.length > 0) await attempt.writePayload(at(MAILBOX.payload), payload);
  await attempt.write64(at(MAILBOX.command), encodeCommand(opcode, payload.length), 'mailbox command');
  const ringAtMs = clock.now();
  if (!(ringAtMs < deadlineMs)) throw attempt.error('ETIMEDOUT', 'the deadline passed before the doorbell was rung');

  const limitAtMs = Math.min(ringAtMs + DOORBELL_LIMIT_MS, deadlineMs);
  attempt.limit(limitAtMs);
  attempt.markSent();
  completion?.reset();
  const control = completion === undefined ? CONTROL_DOORBELL : CONTROL_DOORBELL | CONTROL_DOORBELL_INTERRUPT;
  await attempt.write32(at(MAILBOX.control), control, 'mailbox doorbell');
  if (!(await doorbellClears(attempt, mailbox, limitAtMs))) {
    throw attempt.error('ETIMEDOUT', 'the doorbell did not clear in time');
  }

  attempt.limit(clock.now() + READ_BACK_LIMIT_MS);
  const status = decodeStatus(await attempt.read64(at(MAILBOX.status), 'mailbox status'));
  if (status.returnCode !== 0) return { ...status, payload: new Uint8Array(0) };

  const done = decodeCommand(await attempt.read64(at(MAILBOX.command), 'mailbox command'));
  // Seen with a second owner of the mailbox, and with a device that was reset and reads as zeros: never our reply.
  if (done.opcode !== opcode) {
    throw attempt.error('EPROTO', 'the opcode in the mailbox changed: the device was reset or has another owner');
  }
  if (done.payloadLength > mailbox.payloadBytes) {
    throw attempt.error('EPROTO', `a reply of ${done.payloadLength} bytes from a mailbox of ${mailbox.payloadBytes}`);
  }
  if (done.payloadLength === 0) return { ...status, payload: new Uint8Array(0) };

  const reply = await attempt.readPayload(at(MAILBOX.payload), done.payloadLength);
  if (reply.length !== done.payloadLength) throw attempt.error('EPROTO', 'the carrier returned another payload length');
  // A device that vanished or was reset while we read gives ones or zeros for payload; then its registers have changed too.
  const after = decodeCommand(await attempt.read64(at(MAILBOX.command), 'mailbox command'));
  if (after.opcode !== done.opcode || after.payloadLength !== done.payloadLength) {
    throw attempt.error(
      'EPROTO',
      'the mailbox changed while its reply was read: the device was reset or has another owner',
    );
  }
  return { ...status, payload: reply };
}
