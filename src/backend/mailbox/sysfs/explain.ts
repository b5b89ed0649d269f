import { HardwareError, type HostPaths, readLockdown } from '../../devices/index.ts';
import { errnoOf } from '../../native/index.ts';

/** Why a file of sysfs could not be opened. */
export function explainOpen(file: string, cause: unknown): HardwareError {
  const code = errnoOf(cause);
  if (code === 'EACCES')
    return new HardwareError('permission', `${file} may not be opened: run the broker as root`, { cause });
  if (code === 'EPERM')
    return new HardwareError('lockdown', `the kernel forbids opening ${file} (EPERM). ${USE_VFIO}`, { cause });
  return new HardwareError('system-call', `${file} can't be opened: ${code || String(cause)}`, { cause });
}

/** The kernel gives the first 64 bytes of the configuration space to everybody, the rest to CAP_SYS_ADMIN. */
export function explainConfig(address: string): HardwareError {
  const text =
    `the extended configuration space of ${address} can't be read: that needs CAP_SYS_ADMIN, ` +
    'and a machine with memory-mapped configuration access';
  return new HardwareError('permission', text);
}

/** Why a BAR could not be mapped. */
export async function explainMap(paths: HostPaths, file: string, cause: unknown): Promise<HardwareError> {
  const code = errnoOf(cause);
  if (code === 'EPERM') {
    const level = await readLockdown(paths);
    const why =
      level === 'integrity' || level === 'confidentiality'
        ? `the kernel is locked down (${level}) and forbids mapping device memory through sysfs`
        : 'the kernel or a security module forbids mapping device memory through sysfs (EPERM)';
    return new HardwareError('lockdown', `${file} can't be mapped: ${why}. ${USE_VFIO}`, { cause });
  }
  if (code === 'EINVAL') {
    const text =
      `${file} can't be mapped: another owner, such as a VFIO user or a kernel driver, has claimed this memory for ` +
      'itself, or the file is shorter than the BAR';
    return new HardwareError('in-use', text, { cause });
  }
  if (code === 'EACCES')
    return new HardwareError('permission', `${file} may not be mapped: run the broker as root`, { cause });
  return new HardwareError('system-call', `${file} can't be mapped: ${code || String(cause)}`, { cause });
}

const USE_VFIO =
  'VFIO works under lockdown: with an IOMMU, bind the function to vfio-pci and use the backend `vfio`; ' +
  '`cci devices` says what to run';
