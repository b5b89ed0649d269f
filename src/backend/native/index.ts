export type { DeviceMemory, NativeBuffer, NativeCalls } from './calls.ts';
export { errnoOf, NativeUnavailableError, SystemCallError } from './errors.ts';
export { loadNative } from './load.ts';
export { endWithParent } from './parent-death.ts';
