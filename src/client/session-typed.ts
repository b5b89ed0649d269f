import {
  type CciMessage,
  decodeRoutedReply,
  encodePayload,
  encodeRoute,
  type Field,
  isSuccess,
  type Params,
  parseVia,
  RC,
  type RoutedCommand,
  returnCodeName,
  type TypedSlug,
  type Value,
  type ValueOf,
} from '../cci/index.ts';
import { ParameterError, ProtocolError, ReturnCodeError } from './errors.ts';
import type { SessionAnswer } from './session.ts';
import { decodeReply, typedRow } from './typed.ts';

/** A typed command as opcode and payload of the switch, tunnels around it. */
export function routedRequest<S extends TypedSlug>(
  slug: S,
  params: Params<S>,
  via: string | undefined,
): { readonly opcode: number; readonly payload: Uint8Array; readonly command: RoutedCommand } {
  const row = typedRow(slug);
  const hops = via === undefined ? [] : parseVia(via);
  if (hops === undefined) throw new ParameterError('via', 'is `port:N`, `port:N/ld:N` or `port:N/ldpool`');
  const value: Value = params;
  const payload = encodePayload(row.request, value as ValueOf<readonly Field[]>);
  if (!payload.ok) throw new ParameterError(payload.error.field, payload.error.message);
  const command = { hops, tags: hops.map(() => 0), opcode: row.opcode, payload: payload.value };
  return { ...encodeRoute(command), command };
}

/** The reply of the command at the end of its path. @throws ReturnCodeError where it, or a tunnel in front, failed */
export function readRoutedReply<S extends TypedSlug>(
  slug: S,
  params: Params<S>,
  command: RoutedCommand,
  message: CciMessage,
): SessionAnswer<S> {
  const routed = decodeRoutedReply(command, message);
  if (!routed.ok) throw new ProtocolError(`the reply to \`${slug}\` cannot be read: ${routed.error.message}`);
  const last = routed.value.layers.at(-1);
  const returnCode = last?.returnCode ?? RC.internalError;
  if (!isSuccess(returnCode)) throw new ReturnCodeError(returnCode, returnCodeName(returnCode));
  if (returnCode === RC.backgroundStarted) return { returnCode, result: undefined };
  return { returnCode, result: decodeReply(slug, params, routed.value.payload) };
}
