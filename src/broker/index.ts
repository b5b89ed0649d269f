export { type ConfigReport, checkConfig, silentLog } from './check-config.ts';
export { type BrokerConfig, loadConfig } from './config/index.ts';
export type * from './core-api.ts';
export { journalDirectory, publishedKeyPath, signingKeyPath } from './journal-open.ts';
export {
  developmentDirectory,
  type RunningBroker,
  StartError,
  type StartOverrides,
  startBroker,
} from './start.ts';
export { nextSteps } from './startup-block.ts';
