import { type HostPaths, hostPaths, nativeOf } from '../../devices/index.ts';
import type { NativeCalls } from '../../native/index.ts';
import { FunctionRegisterIo } from '../function-register-io.ts';
import { MailboxBackend } from '../mailbox-backend.ts';
import { claimThroughSysfs } from './claim.ts';
import type { SysfsOptions } from './options.ts';

export { SysfsOptions } from './options.ts';

/** What stands below the transport; tests give their own. */
export interface SysfsParts {
  readonly native?: () => Promise<NativeCalls>;
  readonly paths?: HostPaths;
}

/**
 * A Switch CCI of this host through its BAR file in sysfs. For machines without an IOMMU: the lock is advisory, and a
 * kernel that is locked down forbids it. `open` needs root.
 */
export function createSysfsBackend(options: SysfsOptions, parts: SysfsParts = {}): MailboxBackend {
  const claim = async () => claimThroughSysfs(await nativeOf(parts.native), parts.paths ?? hostPaths, options.address);
  return new MailboxBackend(new FunctionRegisterIo(claim));
}
