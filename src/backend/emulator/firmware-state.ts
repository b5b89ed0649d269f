/** Firmware of a component: the switch has one, and a device has one that all its CCIs share. */
export interface FirmwareState {
  /** Revision texts of slots 1 to 4, empty where nothing is stored. */
  readonly slots: string[];
  active: number;
  /** Slot of the next cold reset, 0 for none. */
  staged: number;
  transfer: FirmwareTransfer | null;
  /** What a slot's image does when activated. */
  readonly temper: ('good' | 'fails' | 'needs-cold-reset')[];
}

export interface FirmwareTransfer {
  /** Path of the CCI that opened it. */
  readonly cci: string;
  slot: number;
  /** Bytes received. */
  bytes: number;
  /** First bytes of the image: its revision text. */
  head: Uint8Array;
  lastPartMs: number;
}

export const FIRMWARE_SLOTS = 4;

export function newFirmware(revision: string): FirmwareState {
  return {
    slots: [revision, '', '', ''],
    active: 1,
    staged: 0,
    transfer: null,
    temper: ['good', 'good', 'good', 'good'],
  };
}
