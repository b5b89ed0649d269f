import { endWithParent } from '../native/index.ts';
import { hostBackend } from './host.ts';

/**
 * The program of a device worker, started by `WorkerProcess` and of no use to people. It knows three backends, and
 * neither policies nor tokens: what it is given is which of them to make, its options, and commands.
 */

// Before the device is touched. A channel that closes ends the worker as well, but only once its event loop turns.
await endWithParent();

hostBackend({
  vfio: async (options) => (await import('../mailbox/vfio/index.ts')).createVfioBackend(options as object),
  sysfs: async (options) => (await import('../mailbox/sysfs/index.ts')).createSysfsBackend(options as object),
  chardev: async (options) =>
    (await import('../chardev/index.ts')).createChardevBackend(options as { readonly path: string }),
});
