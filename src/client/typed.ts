import {
  decodePayload,
  encodePayload,
  type Field,
  type FieldScalar,
  fromHex,
  isSuccess,
  isTyped,
  type Params,
  RC,
  type Reply,
  rowBySlug,
  type TypedRow,
  type TypedSlug,
  toHex,
  toJson,
  type Value,
  type ValueOf,
} from '../cci/index.ts';
import type { CommandBody, TypedAnswer } from './client.ts';
import { DeviceError, ParameterError, ProtocolError } from './errors.ts';
import type { CommandAnswer } from './wire.ts';

/** @throws ParameterError for a slug without a codec */
export function typedRow(slug: string): TypedRow {
  const row = rowBySlug(slug);
  if (row === undefined) throw new ParameterError('', `there is no command \`${slug}\``);
  if (!isTyped(row)) throw new ParameterError('', `\`${slug}\` has no codec: it can only be sent raw`);
  return row;
}

/** The body of a typed command. The parameters are encoded here once, so that a mistake is found before it is sent. */
export function typedBody<S extends TypedSlug>(slug: S, params: Params<S>, via: string | undefined): CommandBody {
  const value: Value = params;
  const encoded = encodePayload(typedRow(slug).request, value as ValueOf<readonly Field[]>);
  if (!encoded.ok) throw new ParameterError(encoded.error.field, encoded.error.message);
  return { command: slug, params: toJson(value as FieldScalar), ...(via === undefined ? {} : { via }) };
}

export function rawBody(opcode: number, payload: Uint8Array, via: string | undefined): CommandBody {
  return { raw: { opcode, payload: toHex(payload) }, ...(via === undefined ? {} : { via }) };
}

export function payloadOf(answer: CommandAnswer): Uint8Array {
  const payload = fromHex(answer.payload);
  if (payload === undefined) throw new ProtocolError('the payload of the answer is not hex');
  return payload;
}

/** The answer with its payload decoded. @throws DeviceError for an error code of the device */
export function typedAnswer<S extends TypedSlug>(slug: S, params: Params<S>, answer: CommandAnswer): TypedAnswer<S> {
  if (!isSuccess(answer.returnCode)) throw new DeviceError(answer);
  const running = answer.returnCode === RC.backgroundStarted;
  return {
    requestId: answer.requestId,
    returnCode: answer.returnCode,
    returnCodeName: answer.returnCodeName,
    result: running ? undefined : decodeReply(slug, params, payloadOf(answer)),
    operation: answer.background?.operation,
    answer,
  };
}

/** @throws ProtocolError for a payload that does not fit */
export function decodeReply<S extends TypedSlug>(slug: S, params: Params<S>, payload: Uint8Array): Reply<S> {
  const layout = typedRow(slug).response;
  const options = { side: 'reply', request: params as Value } as const;
  let decoded = decodePayload(layout, payload, options);
  // Devices of the 2.0 era leave a field off the end of some replies (D09).
  if (!decoded.ok) decoded = decodePayload(layout, payload, { ...options, dialect: 'jackrabbit' });
  if (!decoded.ok) throw new ProtocolError(`the reply to \`${slug}\` does not decode: ${decoded.error.message}`);
  return decoded.value as Reply<S>;
}
