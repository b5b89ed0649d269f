import { type HostPaths, hostPaths, nativeOf } from '../devices/index.ts';
import type { NativeCalls } from '../native/index.ts';
import { ChardevBackend } from './chardev-backend.ts';
import type { ChardevOptions } from './options.ts';

export { ChardevOptions } from './options.ts';
export type { ChardevBackend };

/** What stands below the backend; tests give their own. */
export interface ChardevParts {
  readonly native?: () => Promise<NativeCalls>;
  readonly paths?: HostPaths;
}

/** A Switch CCI behind a kernel driver that offers the CXL mailbox ioctl, such as /dev/cxl/switch0. */
export function createChardevBackend(options: ChardevOptions, parts: ChardevParts = {}): ChardevBackend {
  return new ChardevBackend(options, () => nativeOf(parts.native), parts.paths ?? hostPaths);
}
