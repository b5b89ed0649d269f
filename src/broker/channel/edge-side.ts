/** What the edge needs of the channel: the wire, and the table that it holds its own requests against. */
export { readCommandAnswer } from './command-answer.ts';
export {
  ASKS,
  type CoreMethod,
  channelBounds,
  coreMethods,
  coreRequests,
  MOST_NESTED,
  type RequestRow,
  SLOTS,
  slotArguments,
} from './requests.ts';
export { bad, nestsDeeperThan } from './shape.ts';
export * from './wire.ts';
