export {
  equalBytes,
  fromHex,
  readUint,
  readUint64,
  toHex,
  uuidBytes,
  uuidText,
  writeUint,
  writeUint64,
} from './bytes.ts';
export type {
  CommandRow,
  Component,
  Params,
  Reply,
  Review,
  Scope,
  SizeRange,
  Slug,
  Support,
  Touches,
  TypedRow,
  TypedSlug,
  VendorTerms,
} from './catalogue/index.ts';
export { catalogue, isTyped, rowByOpcode, rowBySlug } from './catalogue/index.ts';
export * as structs from './catalogue/structs.ts';
export {
  CEL_ENTRY_SIZE,
  CEL_UUID,
  type CelEntry,
  decodeCel,
  effectBits,
  encodeCel,
  VENDOR_DEBUG_LOG_UUID,
} from './cel.ts';
export { type CodecError, type CodecErrorCode, codecError } from './codec-error.ts';
export {
  builtinCommands,
  type CommandTable,
  extendCommands,
  isVendorRow,
  sameRow,
  VENDOR_FIRST,
  type VendorRow,
} from './command-table.ts';
export { type Form, type FormPath, formOf, type SayProblem } from './command-table-form.ts';
export { readVendorRow } from './command-table-row.ts';
export { type DecodeOptions, decodePayload } from './decode.ts';
export type { Dialect } from './dialect.ts';
export { encodePayload, joinBytes } from './encode.ts';
export {
  type EnumName,
  type EnumRef,
  enumCode,
  enumNames,
  enums,
  enumText,
  type NamedCodes,
} from './enums.ts';
export {
  decodeEventRecord,
  EVENT_RECORD_SIZE,
  type EventBody,
  type EventData,
  type EventHeader,
  type EventRecord,
  type EventSubjects,
  type EventType,
  type EventTypeName,
  encodeEventRecord,
  eventSubjects,
  eventTypeNames,
  eventTypes,
  eventUuid,
  NO_EVENT_LD,
  plainEventHeader,
} from './events.ts';
export { fromJson } from './from-json.ts';
export {
  type CciMessage,
  decodeRequestMessage,
  decodeResponseMessage,
  encodeMessage,
  HEADER_SIZE,
  MAX_MESSAGE_PAYLOAD,
} from './header.ts';
export {
  hex16,
  type LdId,
  ldId,
  NO_LD,
  type Opcode,
  opcode,
  type PortId,
  portId,
  type VcsId,
  type VppbId,
  vcsId,
  vppbId,
} from './ids.ts';
export { type Json, MASK, toJson, toJsonMasked } from './json.ts';
export { type JsonSchema, jsonSchemaOf } from './json-schema.ts';
export * from './layout.ts';
export { layoutProblems } from './layout-check.ts';
export { type OwnedKind, type ReplyPlan, type ReplyRule, replyPlan } from './reply-owners.ts';
export { err, ok, type Result } from './result.ts';
export { isSuccess, RC, returnCodeName, returnCodes } from './return-codes.ts';
export {
  decodeRoute,
  decodeRoutedReply,
  encodeRoute,
  encodeRoutedReply,
  formatVia,
  type Hop,
  hopsProblem,
  type LayerReply,
  MAX_HOPS,
  maxRoutedPayload,
  parseVia,
  type RoutedCommand,
  type RoutedReply,
  TUNNEL_OPCODE,
  type TunnelError,
} from './tunnel.ts';
