import type { JournalClock } from './contract.ts';
import { JournalError } from './errors.ts';
import type { CheckpointSigner } from './key.ts';
import { buildLine, type ChainHead, type Line, type LinePlace, type PreparedMembers } from './line.ts';
import type { LineSlabs } from './line-slabs.ts';
import { intentNote, type OpenIntents } from './open-intents.ts';
import type { PendingLine } from './pending.ts';
import type { CheckpointRecord, RecordBodies, RecordKind } from './records.ts';
import { segmentName } from './segment-names.ts';

/** Where the end of a journal is, and what a checkpoint there would say. */
export interface ChainState {
  readonly head: ChainHead;
  /** Hash of the first record of all; undefined while there is none. */
  readonly journal: string | undefined;
  /** Records since the last checkpoint. */
  readonly unsigned: number;
  readonly segment: number;
  /** Bytes of the segment, those that still wait to be written included. */
  readonly segmentBytes: number;
  /** Time of the segment's first record, milliseconds since 1970; undefined while it is empty. */
  readonly segmentSinceMs: number | undefined;
}

export interface ChainOptions {
  readonly clock: JournalClock;
  /** Without one there are no checkpoints. */
  readonly signer: CheckpointSigner | undefined;
  readonly maxRecordBytes: number;
  readonly segmentBytes: number;
  readonly segmentAgeMs: number;
}

/** A chain as it was, to go back to. */
export interface ChainMark {
  readonly state: ChainState;
  readonly intents: OpenIntents;
}

/** Makes lines, one after the other: each follows the one before, whether or not that is on disk yet. */
export class Chain {
  readonly #options: ChainOptions;
  readonly #switches: Set<string>;
  readonly #place: LinePlace;
  /** A checkpoint is as long as there are intents open: it has no limit. */
  readonly #signed: LinePlace;
  #state: ChainState;
  #intents: OpenIntents;

  constructor(
    options: ChainOptions,
    state: ChainState,
    intents: OpenIntents,
    switches: Iterable<string>,
    slabs: LineSlabs,
  ) {
    this.#options = options;
    this.#place = { slabs, maxBytes: options.maxRecordBytes };
    this.#signed = { slabs, maxBytes: Number.POSITIVE_INFINITY };
    this.#state = state;
    this.#intents = intents;
    this.#switches = new Set(switches);
  }

  get head(): ChainHead {
    return this.#state.head;
  }

  /** Number of the segment that the next record belongs into. */
  get segment(): number {
    return this.#state.segment;
  }

  /** Records that no checkpoint covers yet. */
  get unsigned(): number {
    return this.#state.unsigned;
  }

  mark(): ChainMark {
    return { state: this.#state, intents: this.#intents.copy() };
  }

  restore({ state, intents }: ChainMark): void {
    this.#state = state;
    this.#intents = intents;
  }

  /** @throws JournalError `invalid`; the chain is then as it was */
  record<K extends RecordKind>(kind: K, body: RecordBodies[K], nowMs: number, prepared?: PreparedMembers): PendingLine {
    const { clock } = this.#options;
    if (kind === 'checkpoint') throw new JournalError('invalid', 'only the journal itself makes checkpoints');
    const { head } = this.#state;
    const line = buildLine(kind, body, head, timeText(nowMs), clock.monotonic(), this.#place, undefined, prepared);
    const note = intentNote(kind, line.head.sequence, body);
    if (note !== undefined) this.#intents.apply(note);
    if ('switch' in body && typeof body.switch === 'string') this.#switches.add(body.switch);
    return this.#added(kind, line, note, this.#state.unsigned + 1, nowMs);
  }

  /** Signs all that was written; undefined when there is nothing to sign, or no key. */
  checkpoint(nowMs: number): PendingLine | undefined {
    const { clock, signer } = this.#options;
    const { journal, unsigned, segment, head } = this.#state;
    if (signer === undefined || journal === undefined || unsigned === 0) return undefined;
    // The signature is made of the line, by `buildLine`.
    const body: Omit<CheckpointRecord, 'signature'> = {
      journal,
      segment: segmentName(segment),
      key: signer.keyId,
      open: this.#intents.list(),
      switches: [...this.#switches],
    };
    const sign = (bytes: Uint8Array): Uint8Array => signer.sign(bytes);
    const line = buildLine('checkpoint', body, head, timeText(nowMs), clock.monotonic(), this.#signed, sign);
    return this.#added('checkpoint', line, undefined, 0, nowMs);
  }

  /** Has the segment grown or aged enough for the next record to begin another one? */
  isSegmentFull(nowMs: number): boolean {
    const { segmentBytes, segmentSinceMs } = this.#state;
    if (segmentSinceMs === undefined) return false;
    if (segmentBytes >= this.#options.segmentBytes) return true;
    return nowMs - segmentSinceMs >= this.#options.segmentAgeMs;
  }

  beginSegment(): void {
    const segment = this.#state.segment + 1;
    this.#state = { ...this.#state, segment, segmentBytes: 0, segmentSinceMs: undefined };
  }

  #added(
    kind: RecordKind,
    { head, bytes: line, slab }: Line,
    note: PendingLine['note'],
    unsigned: number,
    nowMs: number,
  ): PendingLine {
    const bytes = line.length;
    const { journal = head.hash, segment, segmentBytes, segmentSinceMs = nowMs } = this.#state;
    this.#state = { head, journal, unsigned, segment, segmentBytes: segmentBytes + bytes, segmentSinceMs };
    return { kind, sequence: head.sequence, segment, line, slab, bytes, note, waiter: undefined, refused: false };
  }
}

let lastMs = Number.NaN;
let lastText = '';

/** Many records share a millisecond. */
function timeText(ms: number): string {
  if (ms !== lastMs) {
    lastText = new Date(ms).toISOString();
    lastMs = ms;
  }
  return lastText;
}
