import type { CommandAnswer, CommandRequest } from '../../broker/core-api.ts';
import { fromHex, toHex } from '../../cci/index.ts';
import type { CommandAnswerDocument, CommandBody } from './schemas.ts';

/** The core's spelling of a validated body. */
export function commandRequest(body: CommandBody): CommandRequest {
  const via = body.via === undefined ? {} : { via: body.via };
  if ('command' in body) {
    return {
      kind: 'named',
      command: body.command,
      ...(body.params === undefined ? {} : { params: body.params }),
      ...via,
    };
  }
  return {
    kind: 'raw',
    opcode: Number(body.raw.opcode),
    // The schema has checked the digits.
    payload: fromHex(body.raw.payload ?? '') ?? new Uint8Array(0),
    ...via,
  };
}

/** What goes back: bytes as hex, nothing but the members of the contract. */
export function commandDocument(answer: CommandAnswer): CommandAnswerDocument {
  return {
    requestId: answer.requestId,
    class: answer.class,
    returnCode: answer.returnCode,
    returnCodeName: answer.returnCodeName,
    vendorStatus: answer.vendorStatus,
    ...(answer.layers === undefined ? {} : { layers: [...answer.layers] }),
    ...(answer.background === undefined ? {} : { background: { operation: answer.background.operation } }),
    ...(answer.result === undefined ? {} : { result: answer.result }),
    payload: toHex(answer.payload),
  };
}
