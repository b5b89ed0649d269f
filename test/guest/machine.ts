import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** Folder of scripts/install-guest.sh. */
export const guestCache =
  process.env.SWITCH_CCI_GUEST_CACHE ??
  join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'switch-cci-broker/guest');

/** Every limit in time is this many times as long: for machines that are busy with other things. */
export const patience = Number(process.env.GUEST_PATIENCE ?? 1);

export interface MachineOptions {
  /** `installed`: this machine's own, 10 or newer. `fetched`: 11.1 from the cache, whose 5102h changes state. */
  readonly qemu: 'installed' | 'fetched';
  /** An emulated IOMMU, which VFIO needs. */
  readonly iommu?: boolean;
  /** More words for the kernel's command line. */
  readonly kernel?: readonly string[];
}

export interface MachinePaths {
  readonly root: string;
  readonly agent: string;
  readonly monitor: string;
  readonly trace: string;
}

/** The program and its arguments. The machine has the switch, a console and a port to the agent, and no network. */
export function commandLine(options: MachineOptions, paths: MachinePaths): readonly [string, readonly string[]] {
  const program = options.qemu === 'installed' ? 'qemu-system-x86_64' : join(guestCache, 'qemu-system');
  const { iommu = false, kernel = [] } = options;
  // Without the check: an emulated timer on a busy host fails it, and the kernel gives up.
  const words = [
    'console=ttyS0',
    'panic=-1',
    'loglevel=4',
    'no_timer_check',
    ...(iommu ? ['intel_iommu=on'] : []),
    ...kernel,
  ];
  // Everything beside the switch says `bus=pcie.0`, or QEMU would put it on the CXL bus.
  const text = `
    -accel tcg,thread=multi -cpu max -smp 2 -m 1280M,maxmem=8G,slots=4
    -M q35,cxl=on,cxl-fmw.0.targets.0=cxl.1,cxl-fmw.0.size=4G
    -nodefaults -no-user-config -display none -no-reboot
    -chardev stdio,id=console,signal=off -serial chardev:console
    ${iommu ? '-device intel-iommu,intremap=on' : ''}
    -object memory-backend-ram,id=vmem0,size=256M,share=on
    -object memory-backend-ram,id=vmem1,size=256M,share=on
    -device pxb-cxl,bus_nr=12,bus=pcie.0,id=cxl.1
    -device cxl-rp,port=0,bus=cxl.1,id=rp0,chassis=0,slot=2
    -device cxl-upstream,bus=rp0,addr=0.0,multifunction=on,id=us0,port=0,sn=0x1122334455667788
    -device cxl-switch-mailbox-cci,bus=rp0,addr=0.1,target=us0
    -device cxl-downstream,port=1,bus=us0,id=dsp1,chassis=0,slot=5
    -device cxl-downstream,port=2,bus=us0,id=dsp2,chassis=0,slot=6
    -device cxl-downstream,port=3,bus=us0,id=dsp3,chassis=0,slot=7
    -device cxl-type3,bus=dsp1,volatile-memdev=vmem0,id=mem0,sn=0xc0ffee01
    -device cxl-type3,bus=dsp2,volatile-memdev=vmem1,id=mem1,sn=0xc0ffee02
    -device virtio-serial-pci,bus=pcie.0
    -chardev socket,id=agent,path=${paths.agent},server=on,wait=off
    -device virtserialport,chardev=agent,name=switch-cci-guest
    -qmp unix:${paths.monitor},server=on,wait=off
    -D ${paths.trace}`;
  const more = ['-kernel', join(guestCache, 'kernel/vmlinuz'), '-initrd', paths.root, '-append', words.join(' ')];
  return [program, [...text.split(/\s+/).filter((word) => word !== ''), ...more]];
}

/** What is missing for a boot, in a sentence; nothing when all is there. */
export function missingParts(): string | undefined {
  const wanted = ['kernel/vmlinuz', 'kernel/modules', 'busybox', 'qemu-system', 'complete'];
  const missing = wanted.filter((part) => !existsSync(join(guestCache, part)));
  if (missing.length > 0) return `no ${missing.join(', ')} in ${guestCache}: run scripts/install-guest.sh`;
  try {
    const devices = execFileSync('qemu-system-x86_64', ['-device', 'help'], { encoding: 'utf8' });
    if (devices.includes('"cxl-switch-mailbox-cci"')) return undefined;
  } catch {
    // Said below.
  }
  return 'no qemu-system-x86_64 with cxl-switch-mailbox-cci: run scripts/install-qemu.sh';
}

/** `kernel 6.12..., QEMU 11.1...` */
export function installedParts(): string {
  return readFileSync(join(guestCache, 'complete'), 'utf8').trim().replace('\n', ', ');
}
