export { activeAnywhere, activeFor, isAcknowledged } from './active.ts';
export { hostFileSystem, type OpenFile, replaceFile, type StateFileSystem } from './atomic-file.ts';
export { type TaintBit, taintBit, taintBits, taintLetters, taintMask } from './bits.ts';
export { HOST_BOOT_ID_PATH, hostBootId } from './boot.ts';
export { PostureError, type PostureErrorCode } from './errors.ts';
export { type KernelTaintPaths, kernelTaintPaths, type MirrorOutcome } from './kernel-taint.ts';
export {
  effectiveLevel,
  isHigher,
  KERNEL_LOCKDOWN_PATH,
  type KernelLockdown,
  parseLockdown,
  readKernelLevel,
} from './lockdown.ts';
export { type PostureConfig, PostureRegister, type TaintRaising } from './posture.ts';
export * from './types.ts';
