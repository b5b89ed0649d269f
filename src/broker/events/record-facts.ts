import { createHash } from 'node:crypto';
import { decodeEventRecord, eventSubjects, eventUuid } from '../../cci/index.ts';
import type { Kept } from './lines.ts';

/** What a log of a device says it lost. */
export interface Overflow {
  readonly count: number;
  /** Timestamp of the first loss. */
  readonly first: bigint;
}

/** One text for a kept record: the same handle with the same bytes is the same record. */
export function nameOf([handle, digest]: Kept): string {
  return `${handle} ${digest}`;
}

/** Handle in the header of a record. */
export function handleOf(bytes: Uint8Array): number {
  return (bytes[0x14] ?? 0) | ((bytes[0x15] ?? 0) << 8);
}

/** First half of the SHA-256, hex. */
export function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex').slice(0, 32);
}

/** How many were lost since the log was looked at last: a device may or may not forget the count when it is cleared. */
export function lostSince(before: Overflow | undefined, now: Overflow | undefined): number {
  if (now === undefined) return 0;
  const goesOn = before !== undefined && before.first === now.first && now.count >= before.count;
  return goesOn ? now.count - before.count : now.count;
}

/** What the journal says of a record: what it is about, not what its 80 bytes hold, which may be a secret. */
export function describedRecord(bytes: Uint8Array) {
  const digest = digestOf(bytes);
  const record = decodeEventRecord(bytes);
  if (!record.ok) return { digest, type: 'malformed' };
  const { header, body } = record.value;
  const { tag, ...subjects } = eventSubjects(record.value);
  return {
    digest,
    type: body.type,
    uuid: eventUuid(body),
    handle: header.event_record_handle,
    timestamp: header.event_record_timestamp.toString(),
    subjects: { ...subjects, ...(tag === undefined ? {} : { tag: digestOf(tag) }) },
  };
}
