export {
  type BrokerConfig,
  type ConfigResult,
  isLoopback,
  loadConfig,
  parseConfig,
  type SwitchSettings,
} from './load.ts';
export { BrokerConfigSchema } from './schema.ts';
