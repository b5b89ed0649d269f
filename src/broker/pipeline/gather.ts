import {
  decodePayload,
  encodePayload,
  err,
  isSuccess,
  ok,
  type Result,
  type RoutedReply,
  type Value,
} from '../../cci/index.ts';
import type { Decision } from '../../policy/index.ts';
import type { Decided } from './context.ts';
import { typedRow } from './decode.ts';

const OPCODE_LIST_TAGS = 0x5608;

/**
 * A list of tags that did not fit one reply is read to its end, because the caller's part of it may lie anywhere.
 * Everything else is as the device answered.
 */
export async function gather(
  { runtime, decoded }: Decided,
  { command, facts }: Decision,
  reply: RoutedReply,
): Promise<Result<RoutedReply, string>> {
  const [port] = command.hops;
  const row = typedRow(command.opcode, decoded.commands);
  if (command.opcode !== OPCODE_LIST_TAGS || facts.class === 'raw' || row === undefined || port?.kind !== 'port')
    return ok(reply);
  if (
    reply.layers.length !== command.hops.length + 1 ||
    reply.layers.some(({ returnCode }) => !isSuccess(returnCode))
  ) {
    return ok(reply);
  }
  const first = decodePayload(row.response, reply.payload, { side: 'reply' });
  if (!first.ok) return ok(reply);
  const { total_number_of_tags: total, tag_information_list: listed } = first.value as Value;
  if (!Array.isArray(listed) || listed.length >= Number(total)) return ok(reply);
  const all = await runtime.topology.readTagList(command.hops);
  if (!all.ok) return err(all.text);
  const payload = encodePayload(row.response, all.value as never, 'reply');
  return payload.ok ? ok({ ...reply, payload: payload.value }) : err(payload.error.message);
}
