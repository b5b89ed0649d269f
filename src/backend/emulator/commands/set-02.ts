import { RC } from '../../../cci/index.ts';
import { startBackground } from '../background.ts';
import { type Command, type Context, command, done, finished, refused } from '../command.ts';
import { FIRMWARE_SLOTS, type FirmwareState } from '../firmware-state.ts';

const IN_PROGRESS = 0x0008;
const OUT_OF_ORDER = 0x0009;
const INVALID_SLOT = 0x000b;
/** Offsets count blocks of this many bytes. */
const BLOCK = 128;
/** A transfer that stands still this long is dropped. */
const STALL_MS = 30_000;
const HEAD = 64;

/** Command set 02h: Firmware Update. One firmware per component; all CCIs of a device share it. */
export const set02: readonly Command[] = [
  command('get-fw-info', (context) => {
    const firmware = firmwareOf(context);
    const revision = (slot: number): string => firmware.slots[slot - 1] ?? '';
    return done({
      fw_slots_supported: FIRMWARE_SLOTS,
      fw_slot_info: { active_slot: firmware.active, staged_slot: firmware.staged },
      fw_activation_capabilities: true,
      slot_1_fw_revision: revision(1),
      slot_2_fw_revision: revision(2),
      slot_3_fw_revision: revision(3),
      slot_4_fw_revision: revision(4),
    });
  }),

  command('transfer-fw', (context, { action, slot, offset, data }) => {
    const { machine, target } = context;
    const firmware = firmwareOf(context);
    let { transfer } = firmware;
    if (transfer !== null && machine.nowMs - transfer.lastPartMs > STALL_MS) {
      transfer = null;
      firmware.transfer = null;
    }
    if (transfer !== null && transfer.cci !== target.cci.path) return refused(IN_PROGRESS);
    if (action === 'abort') {
      if (transfer === null) return refused(RC.invalidInput);
      firmware.transfer = null;
      return finished();
    }
    if (action === 'full' || action === 'initiate') {
      if (transfer !== null) return refused(IN_PROGRESS);
      if (offset !== 0) return refused(OUT_OF_ORDER);
    } else if (transfer === null || offset * BLOCK !== transfer.bytes) return refused(OUT_OF_ORDER);
    const last = action === 'full' || action === 'end';
    if (last && !usable(firmware, slot)) return refused(INVALID_SLOT);
    if (last && target.cci.background !== null) return refused(RC.busy);
    const next = transfer ?? { cci: target.cci.path, slot: 0, bytes: 0, head: new Uint8Array(0), lastPartMs: 0 };
    if (next.head.length === 0) next.head = data.slice(0, HEAD);
    next.bytes += data.length;
    next.lastPartMs = machine.nowMs;
    firmware.transfer = next;
    if (!last) return finished();
    next.slot = slot;
    const job = { kind: 'fw-verify', slot } as const;
    return refused(startBackground(machine, target.cci, 0x0201, machine.options.timing.firmwareMs, job));
  }),

  command('activate-fw', (context, { action, slot }) => {
    const { machine, target } = context;
    const firmware = firmwareOf(context);
    if (firmware.transfer !== null && firmware.transfer.cci !== target.cci.path) return refused(IN_PROGRESS);
    if (slot < 1 || slot > FIRMWARE_SLOTS || (firmware.slots[slot - 1] ?? '') === '') return refused(INVALID_SLOT);
    if (action === 'next-cold-reset') {
      firmware.staged = slot;
      return finished();
    }
    const job = { kind: 'fw-activate', slot } as const;
    return refused(startBackground(machine, target.cci, 0x0202, machine.options.timing.firmwareMs, job));
  }),
];

function usable(firmware: FirmwareState, slot: number): boolean {
  return slot >= 1 && slot <= FIRMWARE_SLOTS && slot !== firmware.active;
}

function firmwareOf(context: Context): FirmwareState {
  return context.target.device?.firmware ?? context.machine.state.firmware;
}
