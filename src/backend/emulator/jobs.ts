import { RC } from '../../cci/index.ts';
import { endBind, endUnbind } from './bindings.ts';
import { logsOf } from './events.ts';
import type { FirmwareState } from './firmware-state.ts';
import type { Machine } from './machine.ts';
import { erase, poisoned } from './media.ts';
import type { MediaState } from './media-state.ts';
import type { CciState, DeviceState, Job } from './state.ts';
import { writeStateDump } from './state-dump.ts';

const VERIFICATION_FAILED = 0x000a;
const ROLLED_BACK = 0x000c;
const COLD_RESET_REQUIRED = 0x000d;

/** Does what a background operation was for. @returns its return code */
export function endJob(machine: Machine, cci: CciState, job: Job): number {
  switch (job.kind) {
    case 'bind':
      return endBind(machine, job.vcs, job.vppb, job.port, job.ld);
    case 'unbind':
      return endUnbind(machine, job.vcs, job.vppb);
    case 'sanitize':
      return endSanitize(machine, cci);
    case 'scan':
      return endScan(machine, cci, job.address, job.length);
    case 'media':
      for (const range of job.ranges) clearRange(mediaBehind(machine, cci), range.address, range.length);
      return RC.success;
    case 'populate-log':
      writeStateDump(machine, cci, job.log);
      return RC.success;
    case 'maintenance':
      // A repaired row holds no poison any more.
      mediaBehind(machine, cci)?.poison.delete(job.address - (job.address % 64n));
      return RC.success;
    case 'fw-verify':
      return endVerify(firmwareBehind(machine, cci), job.slot);
    case 'fw-activate':
      return endActivate(firmwareBehind(machine, cci), job.slot);
  }
}

function deviceBehind(machine: Machine, cci: CciState): DeviceState | undefined {
  return machine.state.devices[Number(/^d(\d+)/.exec(cci.path)?.[1] ?? -1)];
}

function mediaBehind(machine: Machine, cci: CciState): MediaState | null {
  const device = deviceBehind(machine, cci);
  if (device === undefined || device.cci === cci) return device?.media ?? null;
  return device.lds.find((ld) => ld.cci === cci)?.media ?? null;
}

function firmwareBehind(machine: Machine, cci: CciState): FirmwareState {
  return deviceBehind(machine, cci)?.firmware ?? machine.state.firmware;
}

/** All user data and the event logs are gone. On an FM-owned LD those of every LD. */
function endSanitize(machine: Machine, cci: CciState): number {
  const device = deviceBehind(machine, cci);
  const whole = device !== undefined && device.cci === cci;
  if (whole && device.media !== null) erase(device.media);
  for (const ld of device?.lds ?? []) {
    if (!whole && ld.cci !== cci) continue;
    ld.memory = null;
    if (ld.media !== null) erase(ld.media);
  }
  for (const log of logsOf(cci)) {
    log.records.length = 0;
    log.overflowCount = 0;
  }
  return RC.success;
}

function endScan(machine: Machine, cci: CciState, address: bigint, length: bigint): number {
  const media = mediaBehind(machine, cci);
  if (media === null) return RC.success;
  const records = poisoned(media, address, length);
  media.scan = { records, next: 0, restart: 0n, restartLength: 0n, stopped: false };
  return RC.success;
}

function clearRange(media: MediaState | null, address: bigint, length: bigint): void {
  for (const line of media === null ? [] : poisoned(media, address, length)) media?.poison.delete(line);
}

/**
 * Stores a transferred image. Its revision is the printable text it begins with. For rehearsal: an image that begins
 * with `BAD` fails verification, one whose text has `ROLLBACK` or `COLD` fails when activated.
 */
function endVerify(firmware: FirmwareState, slot: number): number {
  const { transfer } = firmware;
  firmware.transfer = null;
  if (transfer === null) return VERIFICATION_FAILED;
  const text = printable(transfer.head);
  if (text.startsWith('BAD')) return VERIFICATION_FAILED;
  firmware.slots[slot - 1] = text === '' ? `image-${transfer.bytes}` : text.slice(0, 16);
  firmware.temper[slot - 1] = text.includes('ROLLBACK') ? 'fails' : text.includes('COLD') ? 'needs-cold-reset' : 'good';
  return RC.success;
}

function printable(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) {
    if (byte < 0x20 || byte > 0x7e) break;
    text += String.fromCharCode(byte);
  }
  return text;
}

function endActivate(firmware: FirmwareState, slot: number): number {
  const temper = firmware.temper[slot - 1];
  if (temper === 'fails') return ROLLED_BACK;
  if (temper === 'needs-cold-reset') {
    firmware.staged = slot;
    return COLD_RESET_REQUIRED;
  }
  firmware.active = slot;
  return RC.success;
}
