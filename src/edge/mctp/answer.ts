import { type CodecError, type Dialect, encodeMessage, HEADER_SIZE, RC, readUint } from '../../cci/index.ts';
import { MCTP_TYPE, type MctpMessage, trimMessage } from '../../cci/mctp.ts';
import { controlReply } from '../../cci/mctp-control.ts';
import { fromClient } from '../../cci/mctp-dialect.ts';
import type { Asking, Relay } from './relay.ts';

export interface AnswerSettings {
  readonly dialect: Dialect;
  readonly relay: Relay;
  /** What Get Endpoint UUID tells, 16 bytes. */
  readonly uuid: Uint8Array;
}

/**
 * The reply to a request, behind its type byte: there always is one, because a client that hears nothing waits for its
 * whole time-out. Bytes that are no request are refused here; everything else is for the relay to decide.
 */
export async function answerTo(message: MctpMessage, asking: Asking, settings: AnswerSettings): Promise<Uint8Array> {
  const { dialect, relay, uuid } = settings;
  if (message.type === MCTP_TYPE.control) {
    return controlReply(message.body, { uuid, eid: message.destination, allowSetEid: false });
  }
  if (message.type !== MCTP_TYPE.fmApi && message.type !== MCTP_TYPE.cci) {
    // 70h plugs devices in and out, past every policy. Others are unknown here.
    return refusal(message, RC.unsupported, dialect);
  }
  const bytes = trimMessage(message, dialect);
  if (!bytes.ok) return refusal(message, RC.invalidPayloadLength, dialect);
  const request = fromClient(bytes.value, dialect);
  if (!request.ok) return refusal(message, codeOf(request.error), dialect);
  try {
    return request.value.reply(await relay(request.value.message, asking));
  } catch {
    return refusal(message, RC.internalError, dialect);
  }
}

/** A refusal with tag and opcode as far as the request has them. */
export function refusal({ body }: MctpMessage, returnCode: number, dialect: Dialect): Uint8Array {
  const isWhole = body.length >= HEADER_SIZE;
  return encodeMessage(
    {
      category: 'response',
      tag: isWhole ? readUint(body, 1, 1) : 0,
      opcode: isWhole ? readUint(body, 3, 2) : 0,
      background: false,
      returnCode,
      vendorStatus: 0,
      payload: new Uint8Array(0),
    },
    dialect,
  );
}

function codeOf(error: CodecError): number {
  return error.code === 'length' ? RC.invalidPayloadLength : RC.invalidInput;
}
