/**
 * Numbers and layouts of the kernel's VFIO interface, as `linux/vfio.h` fixes them. All fields are in the byte order of
 * the machine; only little-endian machines are supported.
 */

/** `_IO(';', 100 + n)`. */
export const VFIO = {
  getApiVersion: 0x3b64,
  checkExtension: 0x3b65,
  setIommu: 0x3b66,
  groupGetStatus: 0x3b67,
  groupSetContainer: 0x3b68,
  groupGetDevice: 0x3b6a,
  deviceGetInfo: 0x3b6b,
  deviceGetRegionInfo: 0x3b6c,
  deviceGetIrqInfo: 0x3b6d,
  deviceSetIrqs: 0x3b6e,
} as const;

export const API_VERSION = 0;

/** Kinds of IOMMU interface, best first. */
export const IOMMU_KINDS = [
  { number: 3, name: 'type 1 v2' },
  { number: 1, name: 'type 1' },
] as const;

/** Group status flags. */
export const GROUP_VIABLE = 1;

/** Region indexes of a PCI device: 0 to 5 are the BARs. */
export const REGION_CONFIG = 7;

/** Region flags. */
export const REGION_READ = 1;
export const REGION_WRITE = 2;
export const REGION_MMAP = 4;
export const REGION_CAPS = 8;

/** Interrupt indexes of a PCI device, the better one first: MSI-X, MSI. */
export const MESSAGE_IRQS = [2, 1] as const;
/** The kernel asks for the device back: it is to be removed or given to another driver. */
export const IRQ_REQUEST = 4;

/** Interrupt flags. */
export const IRQ_EVENTFD = 1;
export const IRQ_NORESIZE = 8;

const SET_IRQS_EVENTFD = 4;
const SET_IRQS_TRIGGER = 32;

const CAPABILITY_SPARSE_MMAP = 1;
/** No more capabilities than this are looked at; a list that is longer loops. */
const CAPABILITIES_MAX = 32;

/** `struct vfio_group_status`, and of the device the same first two fields: argsz u32 @0, flags u32 @4. */
export function encodeSized(bytes: number): Uint8Array {
  const out = Buffer.alloc(bytes);
  out.writeUInt32LE(bytes, 0);
  return out;
}

export const GROUP_STATUS_BYTES = 8;

export function decodeFlags(bytes: Uint8Array): number {
  return view(bytes).getUint32(4, true);
}

/** `struct vfio_device_info`: argsz @0, flags @4, num_regions @8, num_irqs @12, cap_offset @16, pad @20. */
export const DEVICE_INFO_BYTES = 24;

export function decodeDeviceInfo(bytes: Uint8Array): { readonly regions: number; readonly irqs: number } {
  return { regions: view(bytes).getUint32(8, true), irqs: view(bytes).getUint32(12, true) };
}

/** An area of a region that may be mapped, in bytes from the region's start. */
export interface MappableArea {
  readonly offset: number;
  readonly bytes: number;
}

export interface RegionInfo {
  readonly flags: number;
  /** Size the kernel wants for the whole answer, capabilities included. */
  readonly answerBytes: number;
  readonly bytes: number;
  /** Where the region begins in the device's descriptor. */
  readonly position: number;
  /** Parts that may be mapped; undefined when all of it may (if it may at all). */
  readonly areas: readonly MappableArea[] | undefined;
}

/** `struct vfio_region_info`: argsz @0, flags @4, index @8, cap_offset @12, size u64 @16, offset u64 @24. */
export const REGION_INFO_BYTES = 32;

export function encodeRegionInfo(index: number, bytes: number): Uint8Array {
  const out = encodeSized(bytes);
  view(out).setUint32(8, index, true);
  return out;
}

export function decodeRegionInfo(bytes: Uint8Array): RegionInfo {
  const fields = view(bytes);
  const flags = fields.getUint32(4, true);
  return {
    flags,
    answerBytes: fields.getUint32(0, true),
    bytes: Number(fields.getBigUint64(16, true)),
    position: Number(fields.getBigUint64(24, true)),
    areas: (flags & REGION_CAPS) === 0 ? undefined : sparseAreas(bytes, fields.getUint32(12, true)),
  };
}

/**
 * `struct vfio_info_cap_header`: id u16 @0, version u16 @2, next u32 @4 (from the start of the whole answer). Sparse
 * mmap goes on with nr_areas u32 @8, reserved @12, then areas of offset u64, size u64.
 */
function sparseAreas(bytes: Uint8Array, first: number): readonly MappableArea[] | undefined {
  const fields = view(bytes);
  let at = first;
  for (let seen = 0; at !== 0 && at + 8 <= bytes.length && seen < CAPABILITIES_MAX; seen++) {
    if (fields.getUint16(at, true) === CAPABILITY_SPARSE_MMAP && at + 16 <= bytes.length) {
      const count = Math.min(fields.getUint32(at + 8, true), Math.floor((bytes.length - at - 16) / 16));
      return Array.from({ length: count }, (_, index) => ({
        offset: Number(fields.getBigUint64(at + 16 + 16 * index, true)),
        bytes: Number(fields.getBigUint64(at + 24 + 16 * index, true)),
      }));
    }
    at = fields.getUint32(at + 4, true);
  }
  return undefined;
}

/** `struct vfio_irq_info`: argsz @0, flags @4, index @8, count @12. */
export const IRQ_INFO_BYTES = 16;

export function encodeIrqInfo(index: number): Uint8Array {
  const out = encodeSized(IRQ_INFO_BYTES);
  view(out).setUint32(8, index, true);
  return out;
}

export function decodeIrqInfo(bytes: Uint8Array): { readonly flags: number; readonly count: number } {
  return { flags: view(bytes).getUint32(4, true), count: view(bytes).getUint32(12, true) };
}

/**
 * `struct vfio_irq_set`: argsz @0, flags @4, index @8, start @12, count @16, then one i32 for each: the descriptor of an
 * event counter, or -1 for none.
 */
export function encodeSetIrqs(index: number, start: number, counters: readonly number[]): Uint8Array {
  const out = encodeSized(20 + 4 * counters.length);
  const fields = view(out);
  fields.setUint32(4, SET_IRQS_EVENTFD | SET_IRQS_TRIGGER, true);
  fields.setUint32(8, index, true);
  fields.setUint32(12, start, true);
  fields.setUint32(16, counters.length, true);
  for (const [at, fd] of counters.entries()) fields.setInt32(20 + 4 * at, fd, true);
  return out;
}

/** A name for the kernel: its bytes and a zero. */
export function encodeName(name: string): Uint8Array {
  return Buffer.from(`${name}\0`, 'latin1');
}

/** A descriptor for the kernel, by address. */
export function encodeDescriptor(fd: number): Uint8Array {
  const out = Buffer.alloc(4);
  out.writeInt32LE(fd);
  return out;
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
