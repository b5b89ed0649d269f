import { createHmac } from 'node:crypto';
import {
  decodeEventRecord,
  type EventRecord,
  encodeEventRecord,
  enumText,
  eventUuid,
  toHex,
  toJson,
} from '../../cci/index.ts';
import type { FabricEvent } from '../core-api.ts';
import { formatCursor } from './cursor.ts';
import type { Entry } from './lines.ts';
import type { TenantState } from './state.ts';

const LARGEST_NS = (1n << 64n) - 1n;

/** How a tenant's records are shown to him now. */
export interface Show {
  readonly epoch: string;
  readonly state: TenantState;
  /** Key for pseudonyms, where what concerns others must not be told to operators (row L7). */
  readonly pseudonyms: string | undefined;
}

/** A time on the clock that a tenant set for himself, nanoseconds since 1970. */
export function onHisClock(state: TenantState, atNs: bigint): bigint {
  const shifted = atNs + (state.offsetNs ?? 0n);
  return shifted < 0n ? 0n : shifted > LARGEST_NS ? LARGEST_NS : shifted;
}

/** The 128 bytes that a tenant reads: his own handles, his own time. */
export function shownRecord(entry: Entry, show: Show): Uint8Array {
  const { state, pseudonyms } = show;
  const disguised = entry.others && pseudonyms !== undefined ? disguise(entry.bytes, pseudonyms) : entry.bytes;
  const bytes = Uint8Array.from(disguised);
  const view = new DataView(bytes.buffer);
  const related = view.getUint16(0x16, true);
  view.setUint16(0x14, entry.handle, true);
  view.setUint16(0x16, related === 0 ? 0 : hisHandle(state, entry, related), true);
  view.setBigUint64(0x18, onHisClock(state, entry.atNs), true);
  return bytes;
}

/** His own handle of the record that a record of his refers to; 0 where that one is not his, or gone. */
function hisHandle(state: TenantState, entry: Entry, deviceHandle: number): number {
  const found = state.logs
    .flatMap(({ records }) => records)
    .find((other) => other.deviceHandle === deviceHandle && other.source === entry.source && other !== entry);
  return found?.handle ?? 0;
}

/**
 * Row L7: under confidentiality operators see of what concerns others that it happened, where, and pseudonyms in place
 * of details. The same detail always has the same pseudonym.
 */
function disguise(bytes: Uint8Array, key: string): Uint8Array {
  const record = decodeEventRecord(bytes);
  const hidden = record.ok ? encodeEventRecord(withoutDetails(record.value, key)) : undefined;
  return hidden?.ok === true ? hidden.value : new Uint8Array(bytes.length);
}

function withoutDetails({ header, body }: EventRecord, key: string): EventRecord {
  switch (body.type) {
    case 'physical-switch':
      return { header, body };
    case 'virtual-switch':
      return { header, body: { ...body, data: { ...body.data, link_control_register: 0, slot_control_register: 0 } } };
    case 'mld-port': {
      const error_message = pseudonym(body.data.error_message, key);
      return { header, body: { ...body, data: { ...body.data, error_message } } };
    }
    case 'dynamic-capacity': {
      const tag = pseudonym(body.data.tag, key);
      return { header, body: { ...body, data: { ...body.data, starting_dpa: 0n, length: 0n, tag } } };
    }
    case 'unknown':
      return { header, body: { ...body, data: padded(pseudonym(body.data, key), body.data.length) } };
  }
}

function pseudonym(detail: Uint8Array, key: string): Uint8Array {
  if (detail.every((byte) => byte === 0)) return detail;
  const digest = createHmac('sha256', key).update(detail).digest();
  return Uint8Array.from(digest.subarray(0, Math.min(detail.length, digest.length)));
}

function padded(bytes: Uint8Array, size: number): Uint8Array {
  const result = new Uint8Array(size);
  result.set(bytes);
  return result;
}

/** One entry of a feed as it leaves the core: plain data. */
export function shownEvent(entry: Entry, show: Show): FabricEvent {
  const base = {
    id: formatCursor({ epoch: show.epoch, seq: entry.seq }),
    log: enumText('event_log', entry.log) ?? String(entry.log),
    source: entry.source === '' ? 'switch' : entry.source,
    timestamp: onHisClock(show.state, entry.atNs).toString(),
  };
  if (entry.kind === 'overflow') {
    return { kind: 'overflow', ...base, ...(entry.lost === undefined ? {} : { lost: entry.lost }) };
  }
  const bytes = shownRecord(entry, show);
  const record = decodeEventRecord(bytes);
  const told = { kind: 'record', ...base, handle: entry.handle, record: toHex(bytes) } as const;
  if (!record.ok) return { ...told, type: 'malformed' };
  const { header, body } = record.value;
  return {
    ...told,
    type: body.type,
    uuid: eventUuid(body),
    severity: String(header.event_record_flags.severity),
    ...(body.type === 'unknown' ? {} : { details: toJson(body.data) }),
  };
}
