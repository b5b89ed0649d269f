export { CoreChannel } from './core-channel.ts';
export {
  type EdgeAccounts,
  type EdgeChild,
  type EdgeEnd,
  EdgeProcess,
  type EdgeProcessSettings,
  EdgeStartError,
} from './edge-process.ts';
export { type CoreMethod, channelBounds, coreMethods, coreRequests } from './requests.ts';
export { type Violation, violations } from './violations.ts';
