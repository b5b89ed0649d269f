export {
  type Client,
  type ClientOptions,
  type CommandBody,
  type CommandOptions,
  createClient,
  type SubmitOptions,
  type TypedAnswer,
} from './client.ts';
export type {
  ConsoleEnd,
  ConsoleHandlers,
  ConsoleOpened,
  ConsoleSession,
  ConsoleState,
  ConsoleWaiting,
  ConsoleWish,
} from './console.ts';
export type { ConsoleListing, ConsoleRequest, ConsoleSummary } from './console-calls.ts';
export { type DpopKey, type DpopOptions, dpopThumbprint, makeDpopKey } from './dpop.ts';
export {
  BrokerError,
  CciError,
  type ClientErrorCode,
  DeviceError,
  ParameterError,
  ProtocolError,
  ReturnCodeError,
  UnreachableError,
} from './errors.ts';
export type { EventOptions, EventPage, SwitchEvent } from './events.ts';
export type {
  SendOptions,
  Session,
  SessionAnswer,
  SessionCommandOptions,
  SessionOptions,
  SessionState,
} from './session.ts';
export type { MessageStream } from './stream.ts';
export type {
  CommandAnswer,
  Decision,
  LockdownLevel,
  OfferedCommand,
  Operation,
  Posture,
  ProblemDocument,
  Reload,
  Revocation,
  RevocationWish,
  SwitchSummary,
  Taint,
  Topology,
  WhoAmI,
} from './wire.ts';
