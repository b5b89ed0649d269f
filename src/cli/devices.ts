import {
  type DeviceReport,
  type FoundSwitch,
  type HostPaths,
  hostPaths,
  scanDevices,
  type Way,
  waysTo,
  wayThrough,
} from '../backend/devices/index.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import type { Io } from './io.ts';
import { safe, safeJson } from './safe-text.ts';

export interface DevicesFlags {
  readonly json?: boolean;
}

/** What the kernel's lockdown means for reaching a device, by level. */
const lockdownSentences: { readonly [level in DeviceReport['lockdown']]: string } = {
  none: 'the kernel is not locked down',
  integrity: 'the kernel is locked down (integrity): a device can be reached through vfio or a kernel driver only',
  confidentiality:
    'the kernel is locked down (confidentiality): a device can be reached through vfio or a kernel driver only',
  'not-shown': 'the kernel does not show its lockdown level; the broker takes that as integrity unless told otherwise',
};

/**
 * `cci devices`: the Switch CCIs of this machine, who has them, and what to run to hand one over. Looks only. Ends with
 * 1 when the machine can't be looked at.
 */
export async function devices(io: Io, flags: DevicesFlags, paths: HostPaths = hostPaths): Promise<ExitCode> {
  const report = await scanDevices(paths);
  const found = report.switches.map((one) => ({ found: one, ways: waysTo(one, report) }));
  const nodes = report.nodes.map((node) => ({ node, way: wayThrough(node) }));
  if (flags.json === true) {
    io.out(`${safeJson({ ...report, switches: found.map(({ found: one, ways }) => ({ ...one, ways })), nodes })}\n`);
  } else {
    const parts = [
      ...found.map(({ found: one, ways }) => [head(one), group(one), ...ways.flatMap(told)]),
      ...nodes.map(({ node, way }) => [`Switch CCI behind ${node}`, ...told(way)]),
      machine(report),
    ];
    io.out(`${parts.map((lines) => lines.map(safe).join('\n')).join('\n\n')}\n`);
  }
  return report.unreadable === undefined ? EXIT.done : EXIT.failed;
}

function head({ address, vendor, device, driver }: FoundSwitch): string {
  const who = driver === undefined ? 'no driver has it' : `the driver ${driver} has it`;
  return `Switch CCI at ${address} (${hex(vendor)}:${hex(device)}): ${who}`;
}

function group({ group: one }: FoundSwitch): string {
  if (one === undefined) return '  it is in no IOMMU group';
  if (one.others.length === 0) return `  it is alone in IOMMU group ${one.name}`;
  const members = one.others.map(({ address, driver }) => `${address} (${driver ?? 'no driver'})`);
  return `  it shares IOMMU group ${one.name} with ${members.join(', ')}`;
}

function told({ transport, state, why, commands, backend }: Way): readonly string[] {
  if (state === 'closed') return [`  ${transport}: not possible: ${why}`];
  const lines = [`  ${transport}: ${state === 'ready' ? 'ready' : 'not yet'}: ${why}`];
  if (commands.length > 0) lines.push('    run as root:', ...commands.map((command) => `      ${command}`));
  return [...lines, `    in the configuration: backend: ${backend}`];
}

function machine(report: DeviceReport): readonly string[] {
  const { unreadable, unreadableFunctions, switches, nodes, vfio, iommuGroups, lockdown } = report;
  const lines: string[] = [];
  if (unreadable !== undefined)
    lines.push(`the PCI functions of this machine can't be looked at (${unreadable}): is /sys mounted?`);
  if (unreadableFunctions > 0)
    lines.push(`${count(unreadableFunctions, 'PCI function')} can't be looked at: try as root`);
  if (unreadable === undefined && switches.length + nodes.length === 0) {
    lines.push('this machine has no Switch CCI: no PCI function of class 0c0b and no /dev/cxl/switch*');
    lines.push('`cci serve` without a configuration serves an emulated one');
  }
  lines.push(lockdownSentences[lockdown]);
  lines.push(iommuGroups === 0 ? 'no IOMMU is in use' : `an IOMMU is in use (${count(iommuGroups, 'group')})`);
  lines.push(vfio.isLoaded ? 'vfio-pci is loaded' : 'vfio-pci is not loaded');
  if (vfio.isLoaded && !vfio.hasContainer) {
    const instead = vfio.hasIommufd ? ', only /dev/iommu, which the broker does not use' : '';
    lines.push(`there is no /dev/vfio/vfio${instead}`);
  }
  return lines;
}

function hex(value: number | undefined): string {
  return value === undefined ? '????' : value.toString(16).padStart(4, '0');
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
