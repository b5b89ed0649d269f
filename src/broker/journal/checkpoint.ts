import { JournalError } from './errors.ts';
import type { CheckpointKey } from './key.ts';
import type { OpenIntent } from './open-intents.ts';
import type { JournalRecord } from './records.ts';
import type { SegmentRef } from './segment-names.ts';

/** Bytes of `,"hash":"<64 hex digits>"}`, the end of every line. */
const HASH_BYTES = 75;
/** Bytes of `,"signature":"<86 characters>"`, what stands before that in a checkpoint. */
const SIGNATURE_BYTES = 101;

/** A checkpoint as it stands in a journal. */
export type Checkpoint = Extract<JournalRecord, { readonly kind: 'checkpoint' }>;

/** The record as a checkpoint; undefined for all others and for those whose members are not what they should be. */
export function asCheckpoint(record: JournalRecord): Checkpoint | undefined {
  if (record.kind !== 'checkpoint') return undefined;
  // It was read from a file that anybody may have written.
  const { journal, segment, key, signature, open, switches }: Partial<Record<string, unknown>> = { ...record };
  const isSound =
    typeof journal === 'string' &&
    typeof segment === 'string' &&
    typeof key === 'string' &&
    typeof signature === 'string' &&
    Array.isArray(open) &&
    open.every(isOpenIntent) &&
    Array.isArray(switches) &&
    switches.every((name) => typeof name === 'string');
  return isSound ? record : undefined;
}

/** Was this line, without its newline, signed with the key? The hash is not looked at. Never throws. */
export function isSignedBy(line: Uint8Array, { signature }: Checkpoint, key: CheckpointKey): boolean {
  const cut = line.length - HASH_BYTES - SIGNATURE_BYTES;
  if (cut <= 0) return false;
  const member = Buffer.from(line.buffer, line.byteOffset + cut, SIGNATURE_BYTES).toString('latin1');
  if (member !== `,"signature":"${signature}"`) return false;
  try {
    return key.verify(line.subarray(0, cut), Buffer.from(signature, 'base64url'));
  } catch {
    return false;
  }
}

/** @throws JournalError `damaged` for a checkpoint that was not signed with the key that it names */
export function mustBeSigned(line: Uint8Array, checkpoint: Checkpoint, key: CheckpointKey, { name }: SegmentRef): void {
  if (isSignedBy(line, checkpoint, key)) return;
  throw new JournalError(
    'damaged',
    `the checkpoint with sequence ${checkpoint.seq} in journal \`${name}\` was not signed by the key that it names`,
  );
}

function isOpenIntent(value: unknown): value is OpenIntent {
  return (
    typeof value === 'object' &&
    value !== null &&
    'sequence' in value &&
    Number.isSafeInteger(value.sequence) &&
    'requestId' in value &&
    typeof value.requestId === 'string'
  );
}
