import {
  type CodecError,
  encodePayload,
  type Result,
  type TypedRow,
  type TypedSlug,
  type Value,
} from '../../cci/index.ts';
import type { TopologyView } from '../../policy/index.ts';
import { type FilterInput, filterable, filters, vppbWindow } from './filters.ts';
import { seesAll, type View } from './view.ts';

export { visibleCel } from './filters.ts';
export type { View } from './view.ts';

/** A reply as the caller may see it: decoded, and encoded again from that. */
export interface FilteredReply {
  readonly value: Value;
  readonly payload: Uint8Array;
}

/**
 * Cuts a decoded reply down to what the caller may see and encodes what is left. The bytes of the device never pass.
 *
 * @param asked parameters before narrowing
 */
export function filterReply(
  row: TypedRow,
  reply: Value,
  asked: Value,
  view: View,
  topology: TopologyView,
): Result<FilteredReply, CodecError> {
  const value = seesAll(view) ? restoreWindow(row, reply, asked) : applied(row, reply, asked, view, topology);
  const payload = encodePayload(row.response, value as never, 'reply');
  return payload.ok ? { ok: true, value: { value, payload: payload.value } } : payload;
}

function applied(row: TypedRow, reply: Value, asked: Value, view: View, topology: TopologyView): Value {
  const filter = filters[row.slug as TypedSlug];
  if (filter === undefined || filter === 'own') return reply;
  // The table pairs each slug with the filter of its own reply; only the union loses that.
  const apply = filter as (input: FilterInput<TypedSlug>) => Value;
  return apply({ view, topology, asked, reply: reply as never });
}

/** 5200h goes out with start 0 and limit 255 for everyone, so operators get their window cut as well (D11). */
function restoreWindow(row: TypedRow, reply: Value, asked: Value): Value {
  if (row.slug !== 'get-virtual-cxl-switch-info') return reply;
  const blocks = reply.vcs_information_list;
  return Array.isArray(blocks) ? { vcs_information_list: blocks.map((block) => vppbWindow(block, asked)) } : reply;
}

/**
 * Can the reply to this command be made fit for the caller? Asked before anything is sent.
 *
 * @param whole everything at the end of the path belongs to the caller
 */
export function canFilter(row: TypedRow, asked: Value, tenantSeesAll: boolean, whole: boolean): boolean {
  return tenantSeesAll || filterable(row.slug as TypedSlug, row.opcode, whole, asked);
}
