import { fileURLToPath } from 'node:url';
import type { ChardevOptions } from '../chardev/index.ts';
import type { SysfsOptions, VfioOptions } from '../mailbox/index.ts';
import { WorkerBackend } from './worker-backend.ts';

export { WorkerBackend, type WorkerBackendOptions, type WorkerLimits } from './worker-backend.ts';

/** A device whose accesses can block or fault, and how it is reached. */
export type WorkerDevice =
  | ({ readonly kind: 'vfio' } & VfioOptions)
  | ({ readonly kind: 'sysfs' } & SysfsOptions)
  | ({ readonly kind: 'chardev' } & ChardevOptions);

/**
 * A device of this host, driven by a process of its own: polling does not hold up this one, and a bus error, a crash or
 * a hang ends that process and not this one. `open` starts it.
 */
export function createWorkerBackend({ kind, ...options }: WorkerDevice): WorkerBackend {
  const name = import.meta.url.endsWith('.ts') ? './main.ts' : './main.js';
  return new WorkerBackend({ kind, options, main: fileURLToPath(new URL(name, import.meta.url)) });
}
