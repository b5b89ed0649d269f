import { type HostPaths, hostPaths, nativeOf } from '../../devices/index.ts';
import type { NativeCalls } from '../../native/index.ts';
import { FunctionRegisterIo } from '../function-register-io.ts';
import { MailboxBackend } from '../mailbox-backend.ts';
import { claimThroughVfio } from './claim.ts';
import type { VfioOptions } from './options.ts';

export { VfioOptions } from './options.ts';

/** What stands below the transport; tests give their own. */
export interface VfioParts {
  readonly native?: () => Promise<NativeCalls>;
  readonly paths?: HostPaths;
}

/**
 * A Switch CCI of this host that is bound to vfio-pci. Exclusive, and allowed under any lockdown level of the kernel.
 */
export function createVfioBackend(options: VfioOptions, parts: VfioParts = {}): MailboxBackend {
  const claim = async () => claimThroughVfio(await nativeOf(parts.native), parts.paths ?? hostPaths, options);
  return new MailboxBackend(new FunctionRegisterIo(claim));
}
