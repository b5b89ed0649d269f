import type { Guest } from './guest.ts';

/** PCI address of the Switch CCI in the guest, found by its class. */
export function cciAddress(guest: Guest): Promise<string> {
  return guest.sh("grep -l 0x0c0b00 /sys/bus/pci/devices/*/class | sed 's|/class||; s|.*/||'");
}

/** Physical address of BAR 0. */
export async function barBase(guest: Guest, address: string): Promise<bigint> {
  return BigInt((await guest.sh(`head -n 1 /sys/bus/pci/devices/${address}/resource`)).split(' ')[0] ?? '');
}

/** Gives the function to VFIO by running what `cci devices` tells operators to run. @returns what it said */
export async function handOverToVfio(guest: Guest): Promise<string> {
  const said = await guest.sh('node bin/cci.js devices');
  const vfio = said.slice(said.indexOf('vfio:'), said.indexOf('sysfs:'));
  const commands = vfio.match(/^ {6}(?:modprobe|echo) .*$/gm) ?? [];
  await guest.sh(['set -e', ...commands].join('\n'));
  return said;
}

/** As `handOverToVfio` without asking, which costs seconds. */
export async function bindToVfio(guest: Guest, address: string): Promise<void> {
  await guest.sh(
    `modprobe vfio-pci
    echo vfio-pci >/sys/bus/pci/devices/${address}/driver_override
    echo ${address} >/sys/bus/pci/drivers_probe`,
  );
}

/** Level of the kernel's own lockdown. */
export async function kernelLockdown(guest: Guest): Promise<string> {
  return /\[(\w+)\]/.exec(await guest.read('/sys/kernel/security/lockdown'))?.[1] ?? '';
}
