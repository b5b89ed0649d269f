/** Configuration space of a PPB or an LD behind 5103h and 5301h: 1024 dwords, sparse. */

export interface ConfigControl {
  readonly register_number: number;
  readonly extended_register_number: number;
  readonly first_dword_byte_enable: number;
  readonly transaction_type: string | number;
}

/** Whose space it is decides the registers that cannot be written. */
export type ConfigOwner =
  | { readonly kind: 'ppb' }
  | { readonly kind: 'endpoint'; readonly vendorId: number; readonly deviceId: number };

const SWITCH_VENDOR = 0x1e98;
const SWITCH_PORT_DEVICE = 0x0002;
/** Class codes with revision 1: PCI bridge, CXL memory device. */
const BRIDGE_CLASS = 0x06040001;
const MEMORY_CLASS = 0x05021001;
/** Header type 1 (bridge), byte 2 of dword 3. */
const BRIDGE_HEADER = 0x00010000;

/** Registers of the identity: dword 0 vendor and device, 2 class and revision, 3 header type. */
function fixed(owner: ConfigOwner, dword: number): number | undefined {
  if (dword === 0) {
    return owner.kind === 'ppb'
      ? SWITCH_PORT_DEVICE * 0x10000 + SWITCH_VENDOR
      : owner.deviceId * 0x10000 + owner.vendorId;
  }
  if (dword === 2) return owner.kind === 'ppb' ? BRIDGE_CLASS : MEMORY_CLASS;
  if (dword === 3) return owner.kind === 'ppb' ? BRIDGE_HEADER : 0;
  return undefined;
}

/**
 * One configuration request. The register number counts dwords: bits 7:0, then the extended number (D19). A write
 * changes the bytes that are enabled and leaves the identity alone, as hardware does.
 *
 * @returns what the register held before for a read, 0 for a write
 */
export function accessConfig(
  space: Map<number, number>,
  owner: ConfigOwner,
  control: ConfigControl,
  data: number,
): number {
  const dword = control.register_number + control.extended_register_number * 256;
  const identity = fixed(owner, dword);
  const held = identity ?? space.get(dword) ?? 0;
  const mask = byteMask(control.first_dword_byte_enable);
  if (control.transaction_type !== 'write') return (held & mask) >>> 0;
  if (identity === undefined) {
    const next = ((held & ~mask) | (data & mask)) >>> 0;
    if (next === 0) space.delete(dword);
    else space.set(dword, next);
  }
  return 0;
}

function byteMask(enables: number): number {
  let mask = 0;
  for (let i = 0; i < 4; i++) if ((enables >> i) & 1) mask |= 0xff << (8 * i);
  return mask >>> 0;
}
