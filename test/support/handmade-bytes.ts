import type { DeviceReply } from '../../src/broker/device.ts';
import {
  builtinCommands,
  type CommandTable,
  encodePayload,
  fromJson,
  isTyped,
  type RoutedCommand,
  type RoutedReply,
  type TypedRow,
} from '../../src/cci/index.ts';

// Bytes of commands and replies, from their fields.

/** The reply to a command, by default success on each layer and no payload. */
export function replied(
  { hops }: Pick<RoutedCommand, 'hops'>,
  payload: Uint8Array = new Uint8Array(0),
  returnCode = 0,
): Extract<DeviceReply, { kind: 'reply' }> {
  return { kind: 'reply', reply: routedReply(hops.length, payload, returnCode) };
}

export function routedReply(depth: number, payload: Uint8Array = new Uint8Array(0), returnCode = 0): RoutedReply {
  const passed = { returnCode: 0, vendorStatus: 0, background: false };
  return { layers: [...Array.from({ length: depth }, () => passed), { ...passed, returnCode }], payload };
}

export function rowOf(slug: string, commands: CommandTable = builtinCommands): TypedRow {
  const row = commands.rowBySlug(slug);
  if (row === undefined || !isTyped(row)) throw new Error(`no layout: ${slug}`);
  return row;
}

/** Bytes of a reply, from its fields. */
export function replyBytes(slug: string, value: object): Uint8Array {
  const bytes = encodePayload(rowOf(slug).response, value as never, 'reply');
  if (!bytes.ok) throw new Error(JSON.stringify(bytes.error));
  return bytes.value;
}

/** Bytes of a command, from its parameters as JSON. */
export function commandBytes(slug: string, params: unknown = {}): Uint8Array {
  const row = rowOf(slug);
  const value = fromJson(row.request, params);
  if (!value.ok) throw new Error(JSON.stringify(value.error));
  const bytes = encodePayload(row.request, value.value);
  if (!bytes.ok) throw new Error(JSON.stringify(bytes.error));
  return bytes.value;
}
