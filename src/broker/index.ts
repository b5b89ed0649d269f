export { type BrokerConfig, loadConfig } from './config/index.ts';
export type * from './core-api.ts';
export {
  developmentDirectory,
  journalDirectory,
  type RunningBroker,
  StartError,
  type StartOverrides,
  startBroker,
} from './start.ts';
export { nextSteps } from './startup-block.ts';
