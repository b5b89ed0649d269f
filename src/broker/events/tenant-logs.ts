import { EVENT_RECORD_SIZE, encodePayload, enumCode, isTyped, joinBytes, RC, rowBySlug } from '../../cci/index.ts';
import type { Line } from './lines.ts';
import { onHisClock, type Show, shownRecord } from './shown.ts';

/** What a command on a tenant's own event logs comes to. */
export interface LogAnswer {
  readonly returnCode: number;
  readonly payload: Uint8Array;
  /** What is to be applied and kept. */
  readonly line?: Line;
}

const INVALID_HANDLE = 0x000e;
const PAGE_HEADER = 32;
const NOTHING = new Uint8Array(0);

/** Get Event Records (0100h) on a tenant's own log, as a device answers it. `budget`: bytes that the reply may have. */
export function readLog(name: unknown, budget: number, show: Show): LogAnswer {
  const log = show.state.logs[codeOf(name)];
  if (log === undefined) return { returnCode: RC.invalidInput, payload: NOTHING };
  const room = Math.max(0, Math.floor((budget - PAGE_HEADER) / EVENT_RECORD_SIZE));
  const given = log.records.slice(0, room);
  const { state } = show;
  const head = encodeHead({
    flags: { overflow: log.overflow > 0, more_event_records: given.length < log.records.length },
    overflow_error_count: log.overflow,
    first_overflow_event_timestamp: log.overflow > 0 ? onHisClock(state, log.firstNs) : 0n,
    last_overflow_event_timestamp: log.overflow > 0 ? onHisClock(state, log.lastNs) : 0n,
    event_records: [],
  });
  const count = given.length;
  head[20] = count & 0xff;
  head[21] = count >> 8;
  return { returnCode: RC.success, payload: joinBytes([head, ...given.map((entry) => shownRecord(entry, show))]) };
}

/**
 * Clear Event Records (0101h) on a tenant's own log: all of them, or the oldest ones by handle, in their order. One that
 * is not the next oldest refuses the whole request, as on a device.
 */
export function clearLog(name: unknown, all: boolean, handles: readonly number[], show: Show): LogAnswer {
  const index = codeOf(name);
  const log = show.state.logs[index];
  if (log === undefined || all === handles.length > 0) return { returnCode: RC.invalidInput, payload: NOTHING };
  if (!all && handles.some((handle, i) => log.records[i]?.handle !== handle)) {
    return { returnCode: INVALID_HANDLE, payload: NOTHING };
  }
  const gone = all ? log.records.map(({ handle }) => handle) : handles;
  const line: Line = { kind: 'clear', tenant: show.state.tenant, log: index, handles: gone };
  return { returnCode: RC.success, payload: NOTHING, line };
}

function codeOf(name: unknown): number {
  return typeof name === 'string' ? (enumCode('event_log', name) ?? -1) : -1;
}

/** The 32 bytes in front of the records. */
function encodeHead(value: object): Uint8Array {
  const row = rowBySlug('get-event-records');
  const head = row !== undefined && isTyped(row) ? encodePayload(row.response, value as never, 'reply') : undefined;
  return head?.ok === true ? head.value : new Uint8Array(PAGE_HEADER);
}
