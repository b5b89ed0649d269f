import { release } from 'node:os';
import { HardwareError } from '../../devices/index.ts';
import { type DeviceMemory, errnoOf, type NativeCalls } from '../../native/index.ts';
import type { FunctionConfig } from '../register-locator.ts';
import {
  decodeRegionInfo,
  encodeRegionInfo,
  REGION_CONFIG,
  REGION_INFO_BYTES,
  REGION_MMAP,
  REGION_READ,
  REGION_WRITE,
  type RegionInfo,
  VFIO,
} from './abi.ts';
import { FileMemory } from './file-memory.ts';

const PAGE_BYTES = 4096;
/** Longest answer about a region that is asked for again with its capabilities. */
const ANSWER_BYTES_MAX = 65_536;

/** @throws HardwareError when the device has no such region */
export function regionOf(native: NativeCalls, fd: number, index: number): RegionInfo {
  const ask = (bytes: number): RegionInfo => {
    const answer = encodeRegionInfo(index, bytes);
    try {
      native.ioctl(fd, VFIO.deviceGetRegionInfo, answer);
    } catch (cause) {
      throw new HardwareError('system-call', `VFIO does not tell region ${index}: ${errnoOf(cause)}`, { cause });
    }
    return decodeRegionInfo(answer);
  };
  const first = ask(REGION_INFO_BYTES);
  if (first.answerBytes <= REGION_INFO_BYTES) return first;
  // The kernel says how long its answer is when it has more to say, such as the parts that may be mapped.
  return ask(Math.min(first.answerBytes, ANSWER_BYTES_MAX));
}

/** Configuration space of the function through VFIO. */
export interface VfioConfig extends FunctionConfig {
  read32(offset: number): number;
  write16(offset: number, value: number): void;
}

export function configSpace(native: NativeCalls, fd: number): VfioConfig {
  const region = regionOf(native, fd, REGION_CONFIG);
  return {
    read32(offset) {
      if (offset + 4 > region.bytes) return 0xffff_ffff;
      const bytes = native.read(fd, region.position + offset, 4);
      if (bytes.length !== 4) throw new HardwareError('removed', 'the configuration space can not be read any more');
      return Buffer.from(bytes).readUInt32LE();
    },
    write16(offset, value) {
      native.write(fd, region.position + offset, Uint8Array.of(value & 0xff, value >>> 8));
    },
  };
}

export interface MappedBlock {
  readonly memory: DeviceMemory;
  /** Where the register block begins in `memory`. */
  readonly offset: number;
  readonly isMapped: boolean;
}

/**
 * The part of a BAR from `offset` on: mapped where the kernel allows it, otherwise by one `pread` or `pwrite` for each
 * access.
 *
 * @throws HardwareError
 */
export function registersIn(native: NativeCalls, fd: number, region: RegionInfo, offset: number): MappedBlock {
  const wanted = REGION_READ | REGION_WRITE;
  if (region.bytes === 0 || (region.flags & wanted) !== wanted || offset >= region.bytes) {
    throw new HardwareError('unsupported', 'the BAR that holds the device registers is not there, or too small');
  }
  const start = offset - (offset % PAGE_BYTES);
  const end = mappableEnd(region, start, offset);
  if (end !== undefined) {
    try {
      const memory = native.map(fd, region.position + start, end - start);
      return { memory, offset: offset - start, isMapped: true };
    } catch (cause) {
      // EINVAL: the kernel can't map this region after all. Anything else has to be known.
      if (errnoOf(cause) !== 'EINVAL') throw notMapped(cause);
    }
  }
  if (!takes8Bytes(release())) {
    const text =
      'the BAR can not be mapped, and before Linux 6.12 VFIO splits an 8-byte store into two, which breaks the mailbox';
    throw new HardwareError('unsupported', text);
  }
  const bytes = region.bytes - offset;
  return { memory: new FileMemory(native, fd, region.position + offset, bytes), offset: 0, isMapped: false };
}

/** Where the mappable part that holds `offset` ends; undefined when that place can't be mapped. */
function mappableEnd(region: RegionInfo, start: number, offset: number): number | undefined {
  if ((region.flags & REGION_MMAP) === 0) return undefined;
  if (region.areas === undefined) return region.bytes;
  const area = region.areas.find((one) => one.offset <= start && one.offset + one.bytes > offset);
  return area === undefined ? undefined : Math.min(area.offset + area.bytes, region.bytes);
}

/** From which kernel on an 8-byte write to a device descriptor is known to be one store on the bus. */
export function takes8Bytes(kernel: string): boolean {
  const [major = 0, minor = 0] = kernel.split('.').map(Number);
  return major > 6 || (major === 6 && minor >= 12);
}

function notMapped(cause: unknown): HardwareError {
  const code = errnoOf(cause);
  const text = `the BAR can not be mapped through VFIO: ${code || String(cause)}`;
  return new HardwareError(code === 'EPERM' || code === 'EACCES' ? 'permission' : 'system-call', text, { cause });
}
