import { readdir, readFile, readlink } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { errnoOf } from '../native/index.ts';
import { HardwareError } from './hardware-error.ts';
import type { HostPaths } from './host-paths.ts';
import { PCI_ADDRESS } from './pci-address.ts';

/** Base class 0Ch, sub-class 0Bh: CXL Fabric Management Host Interface, which is the Switch CCI. */
const CLASS_SWITCH_CCI = 0x0c0b;
/** Base class 06h: bridges. Those without a driver, or with the port driver, do no harm in an IOMMU group. */
const BASE_CLASS_BRIDGE = 0x06;

const addressPattern = new RegExp(PCI_ADDRESS);

export function isPciAddress(name: string): boolean {
  return addressPattern.test(name);
}

/** One PCI function as the kernel shows it. What can't be read is undefined. */
export interface PciFunction {
  readonly address: string;
  readonly directory: string;
  readonly vendor: number | undefined;
  readonly device: number | undefined;
  /** Base class, sub-class, interface: 24 bits. */
  readonly classCode: number | undefined;
  /** Name of the driver that has it. */
  readonly driver: string | undefined;
  /** Name of its IOMMU group, a number. */
  readonly group: string | undefined;
}

/** @throws an error of `node:fs` when there is no such function or it can't be looked at */
export async function readPciFunction(paths: HostPaths, address: string): Promise<PciFunction> {
  const directory = join(paths.sys, 'bus/pci/devices', address);
  const hex = async (name: string) => parseHex(await readFile(join(directory, name), 'latin1'));
  const classCode = await hex('class');
  return {
    address,
    directory,
    classCode,
    vendor: await hex('vendor').catch(() => undefined),
    device: await hex('device').catch(() => undefined),
    driver: await linkName(join(directory, 'driver')),
    group: await linkName(join(directory, 'iommu_group')),
  };
}

export function isSwitchCci({ classCode }: PciFunction): boolean {
  return classCode !== undefined && classCode >>> 8 === CLASS_SWITCH_CCI;
}

/**
 * Whether VFIO may have the group while this member is as it is: the kernel counts a member as free when it has no
 * driver, a VFIO driver, or is a bridge with the port driver.
 */
export function allowsVfio({ driver, classCode }: PciFunction): boolean {
  if (driver === undefined || driver === 'vfio-pci' || driver === 'pci-stub') return true;
  return driver === 'pcieport' && (classCode ?? 0) >>> 16 === BASE_CLASS_BRIDGE;
}

/** Every function of an IOMMU group, in the order of their addresses. */
export async function groupMembers(paths: HostPaths, group: string): Promise<readonly PciFunction[]> {
  const names = await readdir(join(paths.sys, 'kernel/iommu_groups', group, 'devices'));
  return Promise.all(
    names
      .filter(isPciAddress)
      .sort()
      .map((name) => readPciFunction(paths, name)),
  );
}

/** Every Switch CCI of this machine. @throws an error of `node:fs` when the list can't be read */
export async function listSwitchCcis(paths: HostPaths): Promise<readonly PciFunction[]> {
  const names = await readdir(join(paths.sys, 'bus/pci/devices'));
  const addresses = names.filter(isPciAddress).sort();
  const all = await Promise.all(addresses.map((one) => readPciFunction(paths, one).catch(() => undefined)));
  return all.filter((one) => one !== undefined).filter(isSwitchCci);
}

/**
 * The Switch CCI at the address, or the only one of the machine.
 *
 * @throws HardwareError `not-found`, `ambiguous`, `not-a-switch-cci`, `permission`
 */
export async function findSwitchCci(paths: HostPaths, address: string | undefined): Promise<PciFunction> {
  if (address === undefined) return onlySwitchCci(paths);
  const found = await readPciFunction(paths, address).catch((cause: unknown) => {
    throw unreadable(
      cause,
      `there is no PCI function ${address}; \`cci devices\` lists the Switch CCIs of this machine`,
    );
  });
  if (isSwitchCci(found)) return found;
  const code = (found.classCode ?? 0).toString(16).padStart(6, '0');
  throw new HardwareError('not-a-switch-cci', `${address} is no Switch CCI: its class is ${code}, not 0c0bxx`);
}

async function onlySwitchCci(paths: HostPaths): Promise<PciFunction> {
  const all = await listSwitchCcis(paths).catch((cause: unknown) => {
    throw unreadable(cause, 'the PCI functions of this machine are not shown in sysfs');
  });
  const [only, ...others] = all;
  if (only === undefined) {
    throw new HardwareError('not-found', 'this machine has no Switch CCI (no PCI function of class 0c0b)');
  }
  if (others.length === 0) return only;
  const names = all.map(({ address }) => address).join(', ');
  throw new HardwareError('ambiguous', `this machine has several Switch CCIs (${names}): name one with \`address\``);
}

function unreadable(cause: unknown, otherwise: string): HardwareError {
  const code = errnoOf(cause);
  if (code !== 'EACCES' && code !== 'EPERM') return new HardwareError('not-found', otherwise, { cause });
  return new HardwareError('permission', 'the PCI functions of this machine may not be looked at', { cause });
}

async function linkName(path: string): Promise<string | undefined> {
  return readlink(path).then(
    (target) => basename(target),
    () => undefined,
  );
}

function parseHex(text: string): number | undefined {
  const found = /^0x([0-9a-fA-F]{1,8})\s*$/.exec(text)?.[1];
  return found === undefined ? undefined : Number.parseInt(found, 16);
}
