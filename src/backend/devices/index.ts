export { type Way, waysTo, wayThrough } from './advice.ts';
export { HardwareError, type HardwareReason } from './hardware-error.ts';
export { type HostPaths, hostPaths, hostPathsBelow } from './host-paths.ts';
export { exists, readBootId, readLockdown } from './kernel.ts';
export { nativeOf } from './native-of.ts';
export { PCI_ADDRESS } from './pci-address.ts';
export {
  allowsVfio,
  findSwitchCci,
  groupMembers,
  isPciAddress,
  listSwitchCcis,
  type PciFunction,
  readPciFunction,
} from './pci-function.ts';
export { type DeviceReport, type FoundSwitch, type GroupMember, scanDevices } from './scan.ts';
