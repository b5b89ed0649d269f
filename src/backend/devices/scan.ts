import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf } from '../native/index.ts';
import type { HostPaths } from './host-paths.ts';
import { exists, type KernelLockdownState, readLockdown } from './kernel.ts';
import {
  allowsVfio,
  groupMembers,
  isPciAddress,
  isSwitchCci,
  type PciFunction,
  readPciFunction,
} from './pci-function.ts';

/** Base class 05h, sub-class 02h: CXL memory devices. */
const CLASS_CXL_MEMORY = 0x0502;

/** A function in the same IOMMU group. */
export interface GroupMember {
  readonly address: string;
  readonly classCode: number | undefined;
  readonly driver: string | undefined;
  /** It keeps the group from being handed over. */
  readonly isInTheWay: boolean;
  readonly isMemory: boolean;
}

/** One Switch CCI of the machine. */
export interface FoundSwitch {
  readonly address: string;
  readonly vendor: number | undefined;
  readonly device: number | undefined;
  readonly driver: string | undefined;
  /** Whether the kernel has it switched on; undefined when that can't be read. */
  readonly isEnabled: boolean | undefined;
  readonly group:
    | {
        readonly name: string;
        /** No member but itself has a driver that keeps the group from VFIO. */
        readonly isViable: boolean;
        /** Every other member. */
        readonly others: readonly GroupMember[];
      }
    | undefined;
}

/** What a machine has of Switch CCIs, and of what is needed to drive them. */
export interface DeviceReport {
  /** Why the PCI functions can't be looked at: an errno; undefined when they can. */
  readonly unreadable: string | undefined;
  /** PCI functions that can't be looked at one by one. */
  readonly unreadableFunctions: number;
  readonly switches: readonly FoundSwitch[];
  /** Character devices of a kernel driver, such as /dev/cxl/switch0. */
  readonly nodes: readonly string[];
  readonly lockdown: KernelLockdownState;
  readonly iommuGroups: number;
  readonly vfio: {
    /** The module is loaded, or built in. */
    readonly isLoaded: boolean;
    /** The container that this broker uses (/dev/vfio/vfio). */
    readonly hasContainer: boolean;
    /** The newer interface (/dev/iommu), which it does not use. */
    readonly hasIommufd: boolean;
  };
}

/** Looks; changes nothing and opens no device. Never rejects. */
export async function scanDevices(paths: HostPaths): Promise<DeviceReport> {
  const { functions, unreadable, unreadableFunctions } = await listFunctions(paths);
  const switches = await Promise.all(functions.filter(isSwitchCci).map((one) => describe(paths, one)));
  return {
    unreadable,
    unreadableFunctions,
    switches,
    nodes: await switchNodes(paths),
    lockdown: await readLockdown(paths),
    iommuGroups: (await readdir(join(paths.sys, 'kernel/iommu_groups')).catch(() => [])).length,
    vfio: {
      isLoaded: await exists(join(paths.sys, 'bus/pci/drivers/vfio-pci')),
      hasContainer: await exists(join(paths.dev, 'vfio/vfio')),
      hasIommufd: await exists(join(paths.dev, 'iommu')),
    },
  };
}

async function listFunctions(paths: HostPaths) {
  let names: readonly string[];
  try {
    names = (await readdir(join(paths.sys, 'bus/pci/devices'))).filter(isPciAddress).sort();
  } catch (error) {
    return { functions: [], unreadable: errnoOf(error) || 'error', unreadableFunctions: 0 };
  }
  const read = await Promise.all(names.map((name) => readPciFunction(paths, name).catch(() => undefined)));
  const functions = read.filter((one) => one !== undefined);
  return { functions, unreadable: undefined, unreadableFunctions: read.length - functions.length };
}

async function describe(paths: HostPaths, one: PciFunction): Promise<FoundSwitch> {
  const { address, vendor, device, driver, group, directory } = one;
  const enable = (await readFile(join(directory, 'enable'), 'latin1').catch(() => '')).trim();
  const isEnabled = /^\d+$/.test(enable) ? enable !== '0' : undefined;
  const found = { address, vendor, device, driver, isEnabled };
  if (group === undefined) return { ...found, group: undefined };
  const members = await groupMembers(paths, group).catch(() => []);
  const others = members.filter((member) => member.address !== address).map(memberOf);
  return { ...found, group: { name: group, isViable: others.every(({ isInTheWay }) => !isInTheWay), others } };
}

function memberOf(member: PciFunction): GroupMember {
  const { address, classCode, driver } = member;
  const isMemory = classCode !== undefined && classCode >>> 8 === CLASS_CXL_MEMORY;
  return { address, classCode, driver, isInTheWay: !allowsVfio(member), isMemory };
}

async function switchNodes(paths: HostPaths): Promise<readonly string[]> {
  const names = await readdir(join(paths.dev, 'cxl')).catch(() => []);
  return names
    .filter((name) => /^switch\d+$/.test(name))
    .sort()
    .map((name) => `/dev/cxl/${name}`);
}
