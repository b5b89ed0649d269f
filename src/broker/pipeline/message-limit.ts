import { CEL_UUID, encodePayload, type ListField, type TypedRow, type Value } from '../../cci/index.ts';
import type { Decided } from './context.ts';

/** Bytes in front of a payload in a message: message type and CCI header; and around each inner one: header and sizes. */
const MESSAGE_OVERHEAD = 13;
const LAYER_OVERHEAD = 16;
const OPCODE_GET_LOG = 0x0401;

/**
 * Bytes that the innermost reply payload may have under the response message limit that the tenant set (0004h);
 * undefined while he never did. As on a device the whole message must fit, the replies around a tunnelled one included.
 */
export function budgetOf({ runtime, principal, decision }: Decided): number | undefined {
  const limit = runtime.events.limit(principal.tenant);
  if (limit === undefined) return undefined;
  return 2 ** limit - MESSAGE_OVERHEAD - LAYER_OVERHEAD * decision.command.hops.length;
}

/** A reply payload, decoded where its command has a codec. */
export interface Sized {
  readonly payload: Uint8Array;
  readonly value?: Value;
}

/**
 * The reply as it may be sent: lists lose what does not fit from their end, and whoever asked goes on from there.
 * Undefined where it cannot be made to fit, or where the caller's own log ends before what he asked for: a device answers
 * Invalid Input then.
 */
export function withinLimit(row: TypedRow | undefined, decided: Decided, reply: Sized): Sized | undefined {
  if (row !== undefined && !isWholeWindow(row, decided, reply)) return undefined;
  const budget = budgetOf(decided);
  if (budget === undefined || reply.payload.length <= budget) return reply;
  const list = row?.response.fields.findLast((field): field is ListField => field.kind === 'list');
  if (row === undefined || list === undefined || reply.value === undefined) return undefined;
  const entries = reply.value[list.name];
  if (!Array.isArray(entries)) return undefined;
  let [fits, tooMany] = [0, entries.length];
  let best: Sized | undefined;
  while (fits + 1 < tooMany) {
    const count = Math.floor((fits + tooMany) / 2);
    const cut = { ...reply.value, [list.name]: entries.slice(0, count) };
    const payload = encodePayload(row.response, cut as never, 'reply');
    if (payload.ok && payload.value.length <= budget) {
      fits = count;
      best = { payload: payload.value, value: cut };
    } else tooMany = count;
  }
  return best;
}

/** A log has the length that is told for it; asking beyond is an error, not a shorter answer. */
function isWholeWindow(row: TypedRow, { decoded }: Decided, { value }: Sized): boolean {
  if (row.opcode !== OPCODE_GET_LOG || decoded.asked?.log_identifier !== CEL_UUID) return true;
  const data = value?.log_data;
  return data instanceof Uint8Array && data.length === Number(decoded.asked.length);
}
