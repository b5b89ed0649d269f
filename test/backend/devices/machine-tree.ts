import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parse } from 'yaml';
import { type HostPaths, hostPathsBelow } from '../../../src/backend/devices/index.ts';

/** What a machine shows of itself in /sys, /dev and /proc; files of these stand in `machines/`. */
export interface Machine {
  readonly about?: string;
  readonly functions?: readonly MachineFunction[];
  /** Level in brackets; no such file when absent. */
  readonly lockdown?: string;
  /** Modules that are loaded. */
  readonly modules?: readonly string[];
  /** Paths below /dev. */
  readonly dev?: readonly string[];
  /** Folders below /sys that can't be entered. */
  readonly closed?: readonly string[];
}

export interface MachineFunction {
  readonly address: string;
  readonly class: string;
  readonly vendor?: string;
  readonly device?: string;
  readonly driver?: string;
  readonly group?: number;
  readonly enable?: string;
  /** Size of BAR 0 in bytes, default one page; 0 for a BAR without a place. */
  readonly bar?: number;
  /** Third column of `resource`. */
  readonly flags?: string;
  /** Content of the config file, which real ones compute. */
  readonly config?: Uint8Array;
}

/** The Switch CCI that QEMU emulates, alone in a group. */
export const QEMU_CCI: MachineFunction = {
  address: '0000:0d:00.1',
  class: '0x0c0b00',
  vendor: '0x19e5',
  device: '0xa123',
  group: 4,
};

export interface MachineTree {
  readonly root: string;
  readonly paths: HostPaths;
  remove(): void;
}

export function readMachine(name: string): Machine {
  return parse(readFileSync(join(import.meta.dirname, 'machines', `${name}.yaml`), 'utf8')) as Machine;
}

/** Lays out a machine in a temporary folder. */
export function layOut(machine: Machine): MachineTree {
  const root = mkdtempSync(join(tmpdir(), 'machine-'));
  const paths = hostPathsBelow(root);
  mkdirSync(join(paths.sys, 'bus/pci/devices'), { recursive: true });
  put(join(paths.proc, 'sys/kernel/random/boot_id'), '8a7c1f7e-0000-4000-8000-0123456789ab\n');
  for (const one of machine.functions ?? []) layOutFunction(paths, one);
  if (machine.lockdown !== undefined) {
    const words = ['none', 'integrity', 'confidentiality'].map((one) => (one === machine.lockdown ? `[${one}]` : one));
    put(join(paths.sys, 'kernel/security/lockdown'), `${words.join(' ')}\n`);
  }
  for (const name of machine.modules ?? []) mkdirSync(join(paths.sys, 'module', name), { recursive: true });
  for (const name of machine.dev ?? []) put(join(paths.dev, name), '');
  // A file where a folder should be: root may enter any folder.
  for (const name of machine.closed ?? []) {
    rmSync(join(paths.sys, name), { recursive: true, force: true });
    put(join(paths.sys, name), '');
  }
  return { root, paths, remove: () => rmSync(root, { recursive: true, force: true }) };
}

function layOutFunction(paths: HostPaths, one: MachineFunction): void {
  const directory = join(paths.sys, 'bus/pci/devices', one.address);
  put(join(directory, 'class'), `${one.class}\n`);
  put(join(directory, 'vendor'), `${one.vendor ?? '0x8086'}\n`);
  put(join(directory, 'device'), `${one.device ?? '0x0d93'}\n`);
  put(join(directory, 'enable'), `${one.enable ?? '1'}\n`);
  put(join(directory, 'config'), one.config ?? new Uint8Array(4096));
  const bar = one.bar ?? 4096;
  put(join(directory, 'resource'), `0x00000000fe210000 0x00000000fe210fff ${one.flags ?? '0x0000000000140204'}\n`);
  if (bar > 0) put(join(directory, 'resource0'), new Uint8Array(bar));
  if (one.driver !== undefined) link(paths, directory, 'driver', `bus/pci/drivers/${one.driver}`);
  if (one.group === undefined) return;
  const group = `kernel/iommu_groups/${one.group}`;
  link(paths, directory, 'iommu_group', group);
  put(join(paths.sys, group, 'devices', one.address), '');
}

function link(paths: HostPaths, directory: string, name: string, target: string): void {
  mkdirSync(join(paths.sys, target), { recursive: true });
  symlinkSync(join(paths.sys, target), join(directory, name));
}

function put(path: string, content: string | Uint8Array): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}
