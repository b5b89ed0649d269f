import { BackendError, type BackendErrorCode } from '../backend.ts';

/** Why a device of this host can't be taken, one word each, and the backend error it is. */
const reasons = {
  /** no such function or node, or no Switch CCI in this machine */
  'not-found': 'EIO',
  /** several Switch CCIs and none named */
  ambiguous: 'EINVAL',
  /** the function named is something else */
  'not-a-switch-cci': 'EINVAL',
  /** koffi can't be loaded */
  'no-native-library': 'EIO',
  /** a kernel driver has the function */
  'driver-bound': 'EBUSY',
  /** another broker holds the lock */
  locked: 'EBUSY',
  /** another owner of the VFIO group or device */
  'in-use': 'EBUSY',
  /** the group holds devices that a host driver has */
  'group-not-viable': 'EBUSY',
  /** no IOMMU, so VFIO can't be used */
  'no-iommu': 'EIO',
  /** VFIO is not there: module not loaded, or the function is not bound to it */
  'vfio-not-ready': 'EIO',
  /** file permissions */
  permission: 'EIO',
  /** the kernel is locked down and forbids this way to the device */
  lockdown: 'EIO',
  /** the device or the kernel offers something else than this transport can use */
  unsupported: 'EPROTO',
  /** the function left while we had it */
  removed: 'EIO',
  /** a system call failed in a way that none of the above explains */
  'system-call': 'EIO',
} as const satisfies { readonly [reason: string]: BackendErrorCode };

export type HardwareReason = keyof typeof reasons;

/**
 * A device of this host that can't be taken. The message says what is the matter and what to do; nothing was sent.
 */
export class HardwareError extends BackendError {
  readonly reason: HardwareReason;

  constructor(reason: HardwareReason, message: string, options?: ErrorOptions) {
    super(reasons[reason], 'not-sent', message, options);
    this.name = 'HardwareError';
    this.reason = reason;
  }
}
