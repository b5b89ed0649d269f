import {
  decodePayload,
  EVENT_RECORD_SIZE,
  encodePayload,
  enumText,
  type Hop,
  isTyped,
  RC,
  type Reply,
  rowBySlug,
  type TypedRow,
  type TypedSlug,
  type Value,
} from '../../cci/index.ts';
import type { OwnSend } from '../device.ts';

/** Bytes in front of the records of a 0100h reply. */
const PAGE_HEADER = 32;
/** Handles in one 0101h: a request of 206 bytes fits every carrier. */
const HANDLES_AT_ONCE = 100;

/** What one 0100h gave. */
export type Page =
  | {
      readonly kind: 'page';
      /** Records as the device sent them, 128 bytes each, oldest first. */
      readonly records: readonly Uint8Array[];
      readonly more: boolean;
      /** Lost since the log was cleared last; undefined where nothing was. */
      readonly overflow: { readonly count: number; readonly first: bigint } | undefined;
    }
  /** The device has no such log. */
  | { readonly kind: 'absent' }
  | { readonly kind: 'failed'; readonly text: string };

type Asked =
  | { readonly kind: 'reply'; readonly payload: Uint8Array }
  | { readonly kind: 'refused'; readonly returnCode: number }
  | { readonly kind: 'failed'; readonly text: string };

/** The event logs and the clock of one CCI of a device, through the broker's own commands. */
export class DeviceLogs {
  readonly #send: OwnSend;
  readonly #hops: readonly Hop[];

  constructor(send: OwnSend, hops: readonly Hop[]) {
    this.#send = send;
    this.#hops = hops;
  }

  /** Get Event Records (0100h) once. */
  async read(log: number): Promise<Page> {
    const name = enumText('event_log', log);
    const answer = await this.#ask('get-event-records', { event_log: name ?? log });
    if (answer.kind === 'failed') return answer;
    if (answer.kind === 'refused') {
      return answer.returnCode === RC.invalidInput || answer.returnCode === RC.unsupported
        ? { kind: 'absent' }
        : { kind: 'failed', text: `0100h: return code ${answer.returnCode}` };
    }
    const reply = this.#decode('get-event-records', answer.payload);
    if (reply === undefined) return { kind: 'failed', text: 'the reply to 0100h does not decode' };
    const { flags, overflow_error_count: count, first_overflow_event_timestamp: first, event_records } = reply;
    return {
      kind: 'page',
      records: event_records.map((_, i) => {
        const at = PAGE_HEADER + i * EVENT_RECORD_SIZE;
        return answer.payload.slice(at, at + EVENT_RECORD_SIZE);
      }),
      more: flags.more_event_records,
      overflow: flags.overflow ? { count, first } : undefined,
    };
  }

  /** Clear Event Records (0101h), oldest first. Resolves with those that the device has no longer. */
  async clear(log: number, handles: readonly number[]): Promise<readonly number[]> {
    const name = enumText('event_log', log);
    const cleared: number[] = [];
    for (let at = 0; at < handles.length; at += HANDLES_AT_ONCE) {
      const part = handles.slice(at, at + HANDLES_AT_ONCE);
      const params = { event_log: name ?? log, clear_event_flags: false, event_record_handles: part };
      const answer = await this.#ask('clear-event-records', params);
      if (answer.kind !== 'reply') break;
      cleared.push(...part);
    }
    return cleared;
  }

  /** Get Timestamp (0300h): nanoseconds since 1970; 0 where it was never set, undefined where it cannot be read. */
  async clock(): Promise<bigint | undefined> {
    const answer = await this.#ask('get-timestamp', {});
    return answer.kind === 'reply' ? this.#decode('get-timestamp', answer.payload)?.timestamp : undefined;
  }

  #decode<S extends TypedSlug>(slug: S, payload: Uint8Array): Reply<S> | undefined {
    const value = decodePayload(typed(slug).response, payload, { side: 'reply' });
    return value.ok ? (value.value as Reply<S>) : undefined;
  }

  async #ask(slug: TypedSlug, params: Value): Promise<Asked> {
    const row = typed(slug);
    const payload = encodePayload(row.request, params as never);
    if (!payload.ok) return { kind: 'failed', text: payload.error.message };
    const hops = this.#hops;
    const command = { hops, tags: hops.map(() => 0), opcode: row.opcode, payload: payload.value };
    const answer = await this.#send(command);
    if (answer.kind === 'failed') return { kind: 'failed', text: answer.failure.text };
    if (answer.kind === 'malformed') return { kind: 'failed', text: answer.text };
    const { layers } = answer.reply;
    const last = layers.at(-1)?.returnCode ?? RC.internalError;
    if (last !== RC.success || layers.length !== hops.length + 1) return { kind: 'refused', returnCode: last };
    return { kind: 'reply', payload: answer.reply.payload };
  }
}

function typed(slug: TypedSlug): TypedRow {
  const row = rowBySlug(slug);
  if (row === undefined || !isTyped(row)) throw new Error(`no codec for ${slug}`);
  return row;
}
