export type { ConsoleProgramSettings, ConsoleSettings } from './console-settings.ts';
export { type HttpSettings, needsTls, type TlsPaths } from './http-schema.ts';
export type { SinkSettings } from './journal-schema.ts';
export type { JournalSettings } from './journal-settings.ts';
export type { ListenerBinding, ListenerSettings } from './listener-schema.ts';
export {
  type BrokerConfig,
  type ConfigResult,
  isLoopback,
  loadConfig,
  parseConfig,
  type SwitchSettings,
} from './load.ts';
export { BrokerConfigSchema } from './schema.ts';
