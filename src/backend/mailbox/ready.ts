import type { Attempt } from './attempt.ts';
import { type MailboxClock, sleep } from './clock.ts';
import { type DeviceStatus, decodeDeviceStatus } from './registers.ts';

/** Pause between two looks, in milliseconds (the Linux CXL driver's). */
const READY_POLL_MS = 100;

/**
 * Waits until the device says that its mailbox is ready: firmware may still be starting. A device without the register
 * is taken as ready.
 *
 * @param offset of the memory device status register in the register block, in bytes
 * @throws BackendError ETIMEDOUT when it is not ready at `limitAtMs`, which also says what the device reports
 */
export async function mailboxReady(
  attempt: Attempt,
  offset: number,
  clock: MailboxClock,
  limitAtMs: number,
): Promise<void> {
  for (;;) {
    const leftMs = limitAtMs - clock.now();
    const status = decodeDeviceStatus(await attempt.read64(offset, 'device status'));
    if (status.isReady) return;
    if (leftMs <= 0) throw attempt.error('ETIMEDOUT', `the mailbox did not become ready${told(status)}`);
    await sleep(clock, Math.min(READY_POLL_MS, leftMs));
  }
}

function told({ isFatal, isHalted }: DeviceStatus): string {
  if (isFatal) return ': the device reports a fatal error';
  return isHalted ? ": the device's firmware has halted" : '';
}
