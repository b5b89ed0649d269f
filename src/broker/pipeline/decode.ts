import {
  type CodecError,
  type CommandTable,
  codecError,
  decodePayload,
  decodeRequestMessage,
  decodeRoute,
  encodePayload,
  encodeRoute,
  err,
  fromJson,
  hex16,
  isTyped,
  maxRoutedPayload,
  ok,
  parseVia,
  RC,
  type Result,
  type RoutedCommand,
  type TypedRow,
  type Value,
} from '../../cci/index.ts';
import type { CommandRequest } from '../core-api.ts';
import type { Decoded, Refusal } from './context.ts';

/**
 * Stage 3: every spelling of a command becomes one form, with its path followed to the bottom of every tunnel. All
 * spellings go through the same bytes, so that none of them can say something the others cannot.
 *
 * @param commands those of the policy in force
 */
export function decode(switchName: string, request: CommandRequest, commands: CommandTable): Result<Decoded, Refusal> {
  switch (request.kind) {
    case 'named':
      return decodeNamed(switchName, request, commands);
    case 'raw':
      return decodeRaw(switchName, request, commands);
    case 'message':
      return decodeMessage(switchName, request.bytes, commands);
  }
}

function decodeNamed(
  switchName: string,
  request: Extract<CommandRequest, { kind: 'named' }>,
  commands: CommandTable,
): Result<Decoded, Refusal> {
  const row = commands.rowBySlug(request.command);
  if (row === undefined) return badParameter('command', `there is no command \`${printable(request.command)}\``);
  if (!isTyped(row)) {
    return badParameter(
      'command',
      `\`${row.slug}\` has no verified layout: it can only be sent raw, as ${hex16(row.opcode)}`,
    );
  }
  const params = fromJson(row.request, request.params);
  if (!params.ok) return badParameter(params.error.field, `\`${params.error.field}\` ${params.error.message}`);
  const payload = encodePayload(row.request, params.value as never);
  if (!payload.ok) return badParameter(payload.error.field, `\`${payload.error.field}\` ${payload.error.message}`);
  const routed = route(request.via, row.opcode, payload.value);
  return routed.ok ? ok(decoded(switchName, commands, routed.value, 'typed', undefined)) : routed;
}

function decodeRaw(
  switchName: string,
  request: Extract<CommandRequest, { kind: 'raw' }>,
  commands: CommandTable,
): Result<Decoded, Refusal> {
  if (!Number.isInteger(request.opcode) || request.opcode < 0 || request.opcode > 0xffff) {
    return badParameter('opcode', '`opcode` is a number of 16 bits');
  }
  const routed = route(request.via, request.opcode, request.payload);
  return routed.ok ? ok(decoded(switchName, commands, routed.value, 'raw', undefined)) : routed;
}

function decodeMessage(switchName: string, bytes: Uint8Array, commands: CommandTable): Result<Decoded, Refusal> {
  const message = decodeRequestMessage(bytes);
  if (!message.ok) return err(structural(message.error));
  const routed = decodeRoute(message.value.opcode, message.value.payload);
  if (!routed.ok) return err(structural(routed.error));
  const row = typedRow(routed.value.opcode, commands);
  const outer = { tag: message.value.tag, outerOpcode: message.value.opcode };
  return ok(decoded(switchName, commands, routed.value, row === undefined ? 'raw' : 'typed', outer));
}

/** Puts the tunnels of `via` around the command and takes everything apart again. */
function route(via: string | undefined, opcode: number, payload: Uint8Array): Result<RoutedCommand, Refusal> {
  const hops = via === undefined || via === '' ? [] : parseVia(via);
  if (hops === undefined) {
    return badParameter('via', '`via` is `port:N`, `port:N/ld:N` or `port:N/ldpool`, ids 0 to 255 in decimal');
  }
  const most = maxRoutedPayload(hops.length);
  if (payload.length > most) {
    return err(structural(codecError('length', '', `a payload has at most ${most} bytes there`)));
  }
  const outer = encodeRoute({ hops, tags: hops.map(nextTag), opcode, payload });
  const routed = decodeRoute(outer.opcode, outer.payload);
  return routed.ok ? routed : err(structural(routed.error));
}

let tags = 0;
/** Inner tags run through all values, so that a stale reply is not taken for the right one. */
function nextTag(): number {
  tags = (tags + 1) & 0xff;
  return tags;
}

function decoded(
  switchName: string,
  commands: CommandTable,
  command: RoutedCommand,
  submittedAs: 'typed' | 'raw',
  message: Decoded['message'],
): Decoded {
  return {
    submission: { switch: switchName, submittedAs, command },
    commands,
    asked: askedFor(command, commands),
    message,
  };
}

function askedFor(command: RoutedCommand, commands: CommandTable): Value | undefined {
  const row = typedRow(command.opcode, commands);
  if (row === undefined) return undefined;
  const value = decodePayload(row.request, command.payload, { side: 'request' });
  return value.ok ? (value.value as Value) : undefined;
}

/** The row of an opcode where it has layouts. */
export function typedRow(opcode: number, commands: CommandTable): TypedRow | undefined {
  const row = commands.rowByOpcode(opcode);
  return row !== undefined && isTyped(row) ? row : undefined;
}

function structural(error: CodecError): Refusal {
  return error.code === 'length'
    ? { code: 'ENOMEM', detail: `wrong length: ${error.message}`, returnCode: RC.invalidPayloadLength }
    : { code: 'EINVAL', detail: `malformed command: ${error.field} ${error.message}`, returnCode: RC.invalidInput };
}

function badParameter(field: string, detail: string): Result<never, Refusal> {
  return err({ code: 'EPARAM', detail, field, returnCode: RC.invalidInput });
}

function printable(text: string): string {
  return text.slice(0, 64).replace(/[^\x20-\x7e]/g, '?');
}
