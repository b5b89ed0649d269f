export {
  type Client,
  type ClientOptions,
  type CommandBody,
  type CommandOptions,
  createClient,
  type TypedAnswer,
} from './client.ts';
export {
  BrokerError,
  CciError,
  type ClientErrorCode,
  DeviceError,
  ParameterError,
  ProtocolError,
  UnreachableError,
} from './errors.ts';
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
  SwitchSummary,
  Taint,
  WhoAmI,
} from './wire.ts';
