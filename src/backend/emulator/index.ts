export { EmulatorControl } from './control.ts';
export { createEmulator, Emulator, type SwitchReply } from './emulator.ts';
export { createEmulatorBackend, EmulatorBackend, type EmulatorBackendOptions } from './emulator-backend.ts';
export type { EmulatorEvent } from './events.ts';
export { type Fault, type FaultRule, faultRuleSchema } from './fault-schema.ts';
export type { CarrierFault } from './faults.ts';
export { type Clock, EmulatorOptions } from './options.ts';
export { SavedStateError } from './save.ts';
export { DEFAULT_MCTP_PORT, type ServedEmulator, type ServeOptions, serveEmulator } from './serve.ts';
export {
  loadTopology,
  parseTopology,
  type Topology,
  TopologyError,
} from './topology.ts';
