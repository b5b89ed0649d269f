import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  allowsVfio,
  exists,
  groupMembers,
  HardwareError,
  type HostPaths,
  type PciFunction,
} from '../../devices/index.ts';
import { errnoOf, type NativeCalls } from '../../native/index.ts';
import {
  API_VERSION,
  decodeFlags,
  encodeDescriptor,
  encodeName,
  encodeSized,
  GROUP_STATUS_BYTES,
  GROUP_VIABLE,
  IOMMU_KINDS,
  VFIO,
} from './abi.ts';

/** Descriptors that together are the device; closing them all gives it back. */
export interface VfioDevice {
  readonly fd: number;
  close(): void;
}

/**
 * Opens a function through its IOMMU group and a container of its own (`/dev/vfio/vfio`). The kernel lets one owner
 * have a group. The newer interface, iommufd with `/dev/vfio/devices`, is not used.
 *
 * @throws HardwareError `no-iommu`, `vfio-not-ready`, `permission`, `in-use`, `group-not-viable`, `system-call`
 */
export async function openThroughGroup(native: NativeCalls, paths: HostPaths, found: PciFunction): Promise<VfioDevice> {
  const group = await usableGroup(paths, found);
  const open: number[] = [];
  const close = () => {
    for (const fd of open.splice(0).reverse()) native.close(fd);
  };
  try {
    const container = await openContainer(native, paths);
    open.push(container);
    const groupFd = await openGroup(native, paths, group, found);
    open.push(groupFd);
    const status = encodeSized(GROUP_STATUS_BYTES);
    call(native, groupFd, VFIO.groupGetStatus, status, 'the state of its IOMMU group can not be read');
    if ((decodeFlags(status) & GROUP_VIABLE) === 0) throw await notViable(paths, group, found);
    call(native, groupFd, VFIO.groupSetContainer, encodeDescriptor(container), 'its IOMMU group can not be attached');
    setIommu(native, container);
    const fd = deviceOf(native, groupFd, found);
    open.push(fd);
    return { fd, close };
  } catch (error) {
    close();
    throw error;
  }
}

/** The group, when the function is bound to vfio-pci and in one. */
async function usableGroup(paths: HostPaths, { address, directory, group, driver }: PciFunction): Promise<string> {
  if (group === undefined) {
    const groups = await readdir(join(paths.sys, 'kernel/iommu_groups')).catch(() => []);
    const why =
      groups.length === 0
        ? 'this machine has no IOMMU in use: switch it on in the firmware, and on Intel boot with `intel_iommu=on`'
        : 'the IOMMU of this machine does not cover this function';
    throw new HardwareError('no-iommu', `${address} is in no IOMMU group, so VFIO can't have it: ${why}`);
  }
  if (driver === 'vfio-pci') return group;
  const bind =
    `modprobe vfio-pci; echo vfio-pci > ${directory}/driver_override; ` +
    (driver === undefined ? '' : `echo ${address} > ${directory}/driver/unbind; `) +
    `echo ${address} > ${join(paths.sys, 'bus/pci/drivers_probe')}`;
  const has = driver === undefined ? `${address} has no driver` : `the driver \`${driver}\` has ${address}`;
  throw new HardwareError('vfio-not-ready', `${has}; bind it to vfio-pci with \`${bind}\``);
}

async function openContainer(native: NativeCalls, paths: HostPaths): Promise<number> {
  const file = join(paths.dev, 'vfio/vfio');
  let fd: number;
  try {
    fd = native.open(file, 'read-write');
  } catch (cause) {
    const code = errnoOf(cause);
    if (code === 'ENOENT' || code === 'ENODEV' || code === 'ENXIO') {
      const hasOnlyIommufd = await exists(join(paths.dev, 'iommu'));
      const text = hasOnlyIommufd
        ? `${file} is not there, only ${join(paths.dev, 'iommu')} (iommufd), which this broker does not use: it needs a kernel with VFIO groups`
        : `${file} is not there: load VFIO with \`modprobe vfio-pci\``;
      throw new HardwareError(hasOnlyIommufd ? 'unsupported' : 'vfio-not-ready', text, { cause });
    }
    throw notOpened(file, cause);
  }
  try {
    const version = call(native, fd, VFIO.getApiVersion, 0, 'VFIO does not tell its version');
    if (version === API_VERSION) return fd;
    throw new HardwareError('unsupported', `VFIO has version ${version} here, not ${API_VERSION}`);
  } catch (error) {
    native.close(fd);
    throw error;
  }
}

async function openGroup(native: NativeCalls, paths: HostPaths, group: string, found: PciFunction): Promise<number> {
  const file = join(paths.dev, 'vfio', group);
  try {
    return native.open(file, 'read-write');
  } catch (cause) {
    const code = errnoOf(cause);
    if (code === 'EBUSY') {
      const text = `another process has ${file}, the IOMMU group of ${found.address}: a group has one owner`;
      throw new HardwareError('in-use', text, { cause });
    }
    if (code !== 'ENOENT') throw notOpened(file, cause);
    const isNoIommu = await exists(join(paths.dev, `vfio/noiommu-${group}`));
    const text = isNoIommu
      ? `the group of ${found.address} has no IOMMU behind it (${join(paths.dev, `vfio/noiommu-${group}`)}): that gives no isolation and is not used`
      : `${file} is not there, though ${found.address} is bound to vfio-pci: is /dev complete in this container?`;
    throw new HardwareError(isNoIommu ? 'no-iommu' : 'vfio-not-ready', text, { cause });
  }
}

/** Names every member that stands in the way and what frees it. */
async function notViable(paths: HostPaths, group: string, found: PciFunction): Promise<HardwareError> {
  const members = await groupMembers(paths, group).catch(() => []);
  const inTheWay = members.filter((member) => member.address !== found.address && !allowsVfio(member));
  const named = inTheWay.map(
    ({ address, driver, directory }) =>
      `${address} (driver ${driver}; \`echo ${address} > ${directory}/driver/unbind\`)`,
  );
  const list = named.length === 0 ? 'one of its members has a driver' : named.join(', ');
  return new HardwareError(
    'group-not-viable',
    `IOMMU group ${group} of ${found.address} holds devices that this host uses: ${list}. ` +
      'The group can be handed over only as a whole; unbinding a memory device takes its memory from the host',
  );
}

function setIommu(native: NativeCalls, container: number): void {
  const kind = IOMMU_KINDS.find(({ number }) => {
    try {
      return native.ioctl(container, VFIO.checkExtension, number) > 0;
    } catch {
      return false;
    }
  });
  if (kind === undefined) {
    throw new HardwareError(
      'no-iommu',
      'VFIO offers no type 1 IOMMU here: `modprobe vfio_iommu_type1`, or another machine',
    );
  }
  call(native, container, VFIO.setIommu, kind.number, 'the IOMMU can not be set up for the container');
}

function deviceOf(native: NativeCalls, group: number, { address }: PciFunction): number {
  try {
    return native.ioctl(group, VFIO.groupGetDevice, encodeName(address));
  } catch (cause) {
    const code = errnoOf(cause);
    if (code === 'EBUSY') throw new HardwareError('in-use', `another process has ${address} open`, { cause });
    if (code === 'EPERM' || code === 'EACCES') {
      throw new HardwareError('permission', `the kernel does not give ${address} to this process: ${code}`, { cause });
    }
    throw new HardwareError('system-call', `${address} can't be opened through VFIO: ${code || String(cause)}`, {
      cause,
    });
  }
}

function call(native: NativeCalls, fd: number, request: number, argument: number | Uint8Array, what: string): number {
  try {
    return native.ioctl(fd, request, argument);
  } catch (cause) {
    const code = errnoOf(cause);
    const reason = code === 'EBUSY' ? 'in-use' : code === 'EPERM' || code === 'EACCES' ? 'permission' : 'system-call';
    throw new HardwareError(reason, `${what}: ${code || String(cause)}`, { cause });
  }
}

function notOpened(file: string, cause: unknown): HardwareError {
  const code = errnoOf(cause);
  if (code === 'EACCES' || code === 'EPERM') {
    const text = `${file} may not be opened: run the broker as root, or give its user the file`;
    return new HardwareError('permission', text, { cause });
  }
  if (code === 'EBUSY') return new HardwareError('in-use', `another process has ${file}`, { cause });
  return new HardwareError('system-call', `${file} can't be opened: ${code || String(cause)}`, { cause });
}
