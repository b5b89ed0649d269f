import type { DeviceReport, FoundSwitch } from './scan.ts';

/** One way to a device: whether it is open, why not, and what to run as root to open it. */
export interface Way {
  readonly transport: 'vfio' | 'sysfs' | 'chardev';
  readonly state: 'ready' | 'after-commands' | 'closed';
  /** A sentence. */
  readonly why: string;
  /** For a root shell, in order; empty unless `after-commands`. */
  readonly commands: readonly string[];
  /** The `backend` part of the configuration. */
  readonly backend: string;
}

/** The ways to one Switch CCI, the better one first. */
export function waysTo(found: FoundSwitch, report: DeviceReport): readonly Way[] {
  return [vfio(found, report), sysfs(found, report)];
}

/** The way through a node of a kernel driver. */
export function wayThrough(node: string): Way {
  return {
    transport: 'chardev',
    state: 'ready',
    why: "a kernel driver offers it; the driver's own rules apply below the broker's",
    commands: [],
    backend: `{kind: chardev, path: ${node}}`,
  };
}

function vfio(found: FoundSwitch, report: DeviceReport): Way {
  const { address, driver, group } = found;
  const way = { transport: 'vfio', commands: [], backend: `{kind: vfio, address: "${address}"}` } as const;
  if (group === undefined) {
    const why =
      report.iommuGroups === 0
        ? 'there is no IOMMU in use: switch it on in the firmware, and on Intel boot with `intel_iommu=on`'
        : 'the IOMMU does not cover this function';
    return { ...way, state: 'closed', why };
  }
  const inTheWay = group.others.filter((member) => member.isInTheWay);
  if (driver === 'vfio-pci' && inTheWay.length === 0) {
    return { ...way, state: 'ready', why: 'exclusive, and open under any lockdown level' };
  }
  const commands = [
    ...inTheWay.map((member) => unbind(member.address)),
    ...(driver === 'vfio-pci' ? [] : bindToVfio(address, driver, report.vfio.isLoaded)),
  ];
  const memory = inTheWay.filter(({ isMemory }) => isMemory).map((member) => member.address);
  const warning =
    memory.length === 0
      ? ''
      : `; unbinding takes the memory behind ${memory.join(', ')} from this host, which must not be using it`;
  const why =
    inTheWay.length === 0
      ? `IOMMU group ${group.name} can be handed over`
      : `IOMMU group ${group.name} is not viable while ${inTheWay.map(named).join(', ')} ` +
        `${inTheWay.length === 1 ? 'has its' : 'have their'} driver${warning}`;
  return { ...way, state: 'after-commands', why, commands };
}

function sysfs(found: FoundSwitch, { lockdown }: DeviceReport): Way {
  const { address, driver } = found;
  const way = { transport: 'sysfs', commands: [], backend: `{kind: sysfs, address: "${address}"}` } as const;
  if (lockdown === 'integrity' || lockdown === 'confidentiality') {
    const why = `the kernel is locked down (${lockdown}) and forbids mapping device memory; it stays so until the next boot`;
    return { ...way, state: 'closed', why };
  }
  const why = 'for root only, without exclusion: any program of root can drive the same mailbox';
  if (driver === undefined) return { ...way, state: 'ready', why };
  return {
    ...way,
    state: 'after-commands',
    why: `the driver ${driver} has it; then ${why}`,
    commands: [unbind(address)],
  };
}

function bindToVfio(address: string, driver: string | undefined, isLoaded: boolean): readonly string[] {
  return [
    ...(isLoaded ? [] : ['modprobe vfio-pci']),
    `echo vfio-pci > /sys/bus/pci/devices/${address}/driver_override`,
    ...(driver === undefined ? [] : [unbind(address)]),
    `echo ${address} > /sys/bus/pci/drivers_probe`,
  ];
}

function unbind(address: string): string {
  return `echo ${address} > /sys/bus/pci/devices/${address}/driver/unbind`;
}

function named({ address, driver }: { readonly address: string; readonly driver: string | undefined }): string {
  return `${address} (${driver})`;
}
