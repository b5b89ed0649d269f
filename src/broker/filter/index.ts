import {
  CEL_UUID,
  type CodecError,
  encodePayload,
  type Result,
  replyPlan,
  type TypedRow,
  type TypedSlug,
  uuidText,
  type Value,
} from '../../cci/index.ts';
import { FABRIC_TENANT, type TopologyView } from '../../policy/index.ts';
import { type FilterInput, filters, vppbWindow } from './filters.ts';
import { applyRules } from './rules.ts';
import { isOfOthers, ownerOfTag, seesAll, type View } from './view.ts';

export { visibleCel } from './filters.ts';
export { Pseudonyms, pseudonymSecret } from './pseudonyms.ts';
export { isOfOthers, ownsEnd, ownsLdOf, ownsVcs, seesPort, type View } from './view.ts';

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
  const value = seesAll(view)
    ? withPseudonyms(row, restoreWindow(row, reply, asked), view, topology)
    : applied(row, reply, asked, view, topology);
  const payload = encodePayload(row.response, value as never, 'reply');
  return payload.ok ? { ok: true, value: { value, payload: payload.value } } : payload;
}

function applied(row: TypedRow, reply: Value, asked: Value, view: View, topology: TopologyView): Value {
  // A vendor's slug is anybody's word: it is never looked up among ours.
  if (row.vendor !== undefined) return reply;
  const plan = replyPlan(row);
  if (plan.kind === 'rules') return applyRules(plan.rules, reply, { view, topology, asked });
  if (plan.kind !== 'special') return reply;
  // The table pairs each slug with the filter of its own reply; only the union loses that.
  const apply = filters[row.slug as TypedSlug] as ((input: FilterInput<TypedSlug>) => Value) | undefined;
  if (apply === undefined) throw new TypeError(`${row.slug} has no filter`);
  return apply({ view, topology, asked, reply: reply as never });
}

/**
 * 5200h goes out with start 0 and limit 255 for everyone, so operators get their window cut as well (D11); 5608h for the
 * whole list of tags.
 */
function restoreWindow(row: TypedRow, reply: Value, asked: Value): Value {
  if (row.slug === 'get-virtual-cxl-switch-info') {
    const blocks = reply.vcs_information_list;
    return Array.isArray(blocks) ? { vcs_information_list: blocks.map((block) => vppbWindow(block, asked)) } : reply;
  }
  const tags = reply.tag_information_list;
  if (row.slug !== 'dynamic-capacity-list-tags' || !Array.isArray(tags)) return reply;
  const start = Number(asked.starting_index ?? 0);
  return { ...reply, tag_information_list: tags.slice(start, start + Number(asked.max_tags ?? tags.length)) };
}

function isEndOfOthers({ fabric, hops: [port], switch: name }: View): boolean {
  return port?.kind === 'port' && isOfOthers(fabric, name, port.port);
}

/** Row L7: under confidentiality serial numbers and tags of others are pseudonyms for operators too. */
function withPseudonyms(row: TypedRow, reply: Value, view: View, topology: TopologyView): Value {
  const { pseudonyms } = view;
  if (pseudonyms === undefined) return reply;
  const hidden = (tag: unknown): unknown => {
    if (!(tag instanceof Uint8Array) || tag.every((byte) => byte === 0)) return tag;
    return ownerOfTag(view, topology, uuidText(tag)) === FABRIC_TENANT ? tag : pseudonyms.tag(tag);
  };
  const inList = (name: string): Value => {
    const entries = reply[name];
    if (!Array.isArray(entries)) return reply;
    return { ...reply, [name]: entries.map((entry) => ({ ...entry, tag: hidden(entry.tag) })) } as Value;
  };
  switch (row.slug) {
    case 'identify': {
      const serial = reply.device_serial_number;
      return typeof serial === 'bigint' && isEndOfOthers(view)
        ? { ...reply, device_serial_number: pseudonyms.serial(serial) }
        : reply;
    }
    case 'get-dc-region-extent-lists':
      return inList('extents');
    case 'dynamic-capacity-list-tags':
      return inList('tag_information_list');
    default:
      return reply;
  }
}

/**
 * Can the reply to this command be made fit for the caller? Asked before anything is sent.
 *
 * @param whole everything at the end of the path belongs to the caller
 */
export function canFilter(row: TypedRow, asked: Value, tenantSeesAll: boolean, whole: boolean): boolean {
  // Its reviewer says whether the reply tells of anybody else; the broker can't cut it.
  if (row.vendor !== undefined) return tenantSeesAll || whole || row.vendor.ownerData === 'none';
  if (tenantSeesAll) return true;
  // Other logs than the CEL are the component's.
  if (row.slug === 'get-log' && asked.log_identifier !== CEL_UUID) return whole;
  const plan = replyPlan(row);
  if (plan.kind === 'refused') return false;
  return whole || (plan.kind !== 'whole' && !(plan.kind === 'rules' && plan.wholeOnly !== undefined));
}
