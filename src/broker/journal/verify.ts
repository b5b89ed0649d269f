import type { AheadSnapshot } from './ahead.ts';
import { ChainCheck, type ChainProblem, type ChainProblemKind, type Place, type TrustedPart } from './chain-check.ts';
import { asJournalError } from './errors.ts';
import { hostJournalFileSystem, type JournalFileSystem } from './file-system.ts';
import { type CheckpointKey, checkpointKey } from './key.ts';
import { emptyChain, parseLine } from './line.ts';
import { readLines } from './line-reader.ts';
import { type OpenIntent, OpenIntents } from './open-intents.ts';
import { openForReading } from './read.ts';
import {
  linkOf,
  RecordingCheck,
  type RecordingProblem,
  type RecordingProblemKind,
  type RecordingVerdict,
} from './recording-check.ts';
import type { JournalRecord } from './records.ts';
import type { SegmentRef } from './segment-names.ts';
import {
  type AuthenticRange,
  type GoodCheckpoint,
  SignatureCheck,
  type SignatureProblem,
  type SignatureProblemKind,
} from './signature-check.ts';
import { summaryOf } from './verdict-text.ts';
import { viewOf } from './view.ts';
import { WitnessCheck, type WitnessVerdict } from './witness-check.ts';

/**
 * Chain, signature and recording problems, and
 * - `truncated`: a witness saw the journal reach further, or with another record there
 * - `unwitnessed`: a witness has no checkpoint that counts
 */
export type ProblemKind = ChainProblemKind | SignatureProblemKind | RecordingProblemKind | 'truncated' | 'unwitnessed';

export type Problem =
  | ChainProblem
  | SignatureProblem
  | RecordingProblem
  | (Omit<ChainProblem, 'kind'> & { readonly kind: 'truncated' | 'unwitnessed' });

export interface SegmentSummary {
  readonly file: string;
  /** Whole lines. */
  readonly records: number;
  readonly firstSequence?: number;
  readonly lastSequence?: number;
}

/** What a whole journal looks like to somebody who trusts nobody. */
export interface JournalVerdict {
  /** No problem was found and the last record is whole. */
  readonly intact: boolean;
  readonly segments: readonly SegmentSummary[];
  /** Whole records that were read, good or bad. */
  readonly records: number;
  readonly first?: { readonly sequence: number; readonly at: string };
  readonly last?: { readonly sequence: number; readonly at: string; readonly hash: string };
  /** In the order of the journal; the first `problemLimit` of them. */
  readonly problems: readonly Problem[];
  /** How many there are. */
  readonly problemCount: number;
  /** An incomplete last line: what a crash, or a broker that is writing now, leaves. */
  readonly torn?: { readonly file: string; readonly line: number; readonly offset: number; readonly bytes: number };
  /**
   * Everything up to here is an unbroken chain from the first record. Absent when not even the first one is good. Who
   * may write the file can make such a chain: with keys, `authentic` is what counts.
   */
  readonly trusted?: TrustedPart;
  /** With keys: what the signatures say. */
  readonly signed?: {
    /** Records that are exactly as the broker wrote them, whatever else is wrong. */
    readonly authentic: readonly AuthenticRange[];
    /** How many checkpoints have a good signature. */
    readonly checkpoints: number;
    /** The newest of them: the journal is complete up to here. What followed may have been removed, if no witness says otherwise. */
    readonly last?: GoodCheckpoint;
    /** Records after it. */
    readonly unsigned: number;
  };
  /** With witnesses: the newest checkpoint of each, and whether the journal has it. */
  readonly witnesses: readonly WitnessVerdict[];
  /** With a directory of recordings: what the journal says about each that it names. */
  readonly recordings?: {
    readonly directory: string;
    readonly files: readonly RecordingVerdict[];
    /** How many of the problems are about recordings. */
    readonly problemCount: number;
  };
  /** Recordings that the journal names and that were not looked at, for want of a directory; absent when there are none. */
  readonly unseenRecordings?: number;
  /** Intents without an outcome: in flight now, or cut off by a crash that no start has settled yet. */
  readonly openIntents: readonly OpenIntent[];
  /** One sentence for people about what is still trustworthy. */
  readonly summary: string;
}

export interface VerifyOptions {
  /** Public keys (PEM, SPKI) whose checkpoints count. Without any, only the chain is looked at. */
  readonly keys?: readonly string[];
  /** Files with checkpoints that were kept elsewhere. */
  readonly witnesses?: readonly string[];
  /** Directory of the recordings of consoles that the journal names. Without one they are not looked at. */
  readonly recordings?: string;
  /** Problems that are listed. Default 100; all are counted. */
  readonly problemLimit?: number;
  readonly fileSystem?: JournalFileSystem;
}

/**
 * Reads a whole journal, a directory or one segment, and finds changed, removed, inserted, reordered and duplicated
 * records, forged and foreign checkpoints, swapped segments, and against a witness what was cut off its end. Recordings
 * of consoles that it names are held against it, encrypted or not. Works on a copy, beside a running broker, and with
 * memory that does not grow with the journal.
 * @throws JournalError `io`; `invalid` for a key that is none
 */
export async function verifyJournal(path: string, options: VerifyOptions = {}): Promise<JournalVerdict> {
  const { problemLimit = 100, fileSystem = hostJournalFileSystem } = options;
  const keys = (options.keys ?? []).map(checkpointKey);
  const witnesses = await WitnessCheck.read(options.witnesses ?? [], keys);
  const { segments, ahead } = await viewOf(path, fileSystem);
  const recordings = options.recordings;
  const check = recordings === undefined ? undefined : new RecordingCheck(recordings, fileSystem, problemLimit);
  const walk = new Walk(segments, keys, witnesses, check, problemLimit);
  for (const segment of segments) await walk.segment(segment, fileSystem);
  const last = segments.at(-1);
  if (last !== undefined && ahead !== undefined) await walk.ahead(last, ahead);
  return walk.verdict(recordings ?? '');
}

class Walk {
  readonly #chain: ChainCheck;
  readonly #signatures: SignatureCheck | undefined;
  readonly #witnesses: WitnessCheck;
  readonly #recordings: RecordingCheck | undefined;
  readonly #unseen = new Set<string>();
  readonly #isWhole: boolean;
  readonly #limit: number;
  readonly #intents = new OpenIntents();
  readonly #segments: SegmentSummary[] = [];
  #records = 0;
  #first: JournalVerdict['first'];
  #last: JournalVerdict['last'];
  #torn: JournalVerdict['torn'];
  #end = { file: '', line: 1, offset: 0, ordinal: 1 };

  constructor(
    segments: readonly SegmentRef[],
    keys: readonly CheckpointKey[],
    witnesses: WitnessCheck,
    recordings: RecordingCheck | undefined,
    limit: number,
  ) {
    // Only the first segment begins a journal; what stands before another one was taken away, by whom ever.
    this.#isWhole = segments[0]?.number === 1;
    this.#chain = new ChainCheck(limit, this.#isWhole);
    this.#recordings = recordings;
    this.#signatures = keys.length === 0 ? undefined : new SignatureCheck(keys, limit);
    this.#witnesses = witnesses;
    this.#limit = limit;
  }

  async segment(segment: SegmentRef, fileSystem: JournalFileSystem): Promise<void> {
    const file = await openForReading(segment.path, fileSystem);
    let line = 0;
    let first: number | undefined;
    let last: number | undefined;
    // A line without an end in a segment that others follow is no torn tail.
    if (this.#torn !== undefined) this.#unended(this.#torn);
    try {
      for await (const batch of readLines(file)) {
        for (const raw of batch) {
          line += 1;
          const place = { file: segment.name, line, offset: raw.offset, ordinal: this.#records + 1 };
          this.#end = { ...place, line: line + 1, offset: raw.offset + raw.length + 1, ordinal: this.#records + 2 };
          if (!raw.terminated) {
            this.#torn = { file: segment.name, line, offset: raw.offset, bytes: raw.length };
            line -= 1;
            continue;
          }
          const sequence = await this.#take(place, raw.bytes);
          first ??= sequence;
          last = sequence ?? last;
        }
      }
    } finally {
      await file.close();
    }
    this.#segments.push({
      file: segment.name,
      records: line,
      ...(first === undefined ? {} : { firstSequence: first }),
      ...(last === undefined ? {} : { lastSequence: last }),
    });
  }

  /** Records that a segment does not have yet and will be given by the next start of the broker, if not before. */
  async ahead(segment: SegmentRef, snapshot: AheadSnapshot): Promise<void> {
    const { sequence = 0, hash = emptyChain.hash } = this.#last ?? {};
    const lines = snapshot.after({ sequence, hash });
    // The place that they will have there.
    let { line, offset } = this.#torn ?? this.#end;
    for (const bytes of lines) {
      await this.#take({ file: segment.name, line, offset, ordinal: this.#records + 1 }, bytes);
      line += 1;
      offset += bytes.length + 1;
    }
    if (lines.length > 0) this.#end = { file: segment.name, line, offset, ordinal: this.#records + 1 };
  }

  /** A whole line; its sequence, when it has one. */
  async #take(place: Place, bytes: Uint8Array): Promise<number | undefined> {
    this.#records += 1;
    const parsed = parseLine(bytes);
    this.#chain.take(place, parsed);
    this.#signatures?.take(place, parsed, bytes);
    if (!parsed.ok) return undefined;
    const { record } = parsed;
    this.#first ??= { sequence: record.seq, at: record.at };
    this.#last = { sequence: record.seq, at: record.at, hash: record.hash };
    if (parsed.intact) {
      this.#witnesses.take(record);
      await this.#recording(place, record);
    }
    this.#intents.note(record);
    return record.seq;
  }

  async #recording(place: Place, record: JournalRecord): Promise<void> {
    if (record.kind !== 'console' && record.kind !== 'start') return;
    const link = linkOf(record);
    if (this.#recordings === undefined) {
      if (link !== undefined) this.#unseen.add(link.file);
      return;
    }
    await this.#recordings.take(place, record).catch((error: unknown): never => {
      throw asJournalError(error, `recording \`${link?.file}\` can't be read`);
    });
  }

  #unended(torn: NonNullable<JournalVerdict['torn']>): void {
    this.#records += 1;
    const parsed = { ok: false, why: 'it has no end' } as const;
    const place = { ...torn, ordinal: this.#records };
    this.#chain.take(place, parsed);
    this.#signatures?.take(place, parsed, new Uint8Array(0));
    this.#torn = undefined;
  }

  async verdict(directory: string): Promise<JournalVerdict> {
    await this.#recordings?.finish(this.#end, this.#isWhole);
    const recorded = await this.#recordings?.result();
    const { problems: broken, count, trusted } = this.#chain.result();
    const signed = this.#signatures?.result();
    const seen = this.#witnesses.result(this.#last?.sequence ?? 0);
    const lacking = seen.lacking.map((problem) => ({ ...this.#end, ...problem }));
    const problems = [...broken, ...(signed?.problems ?? []), ...(recorded?.problems ?? []), ...lacking]
      .sort((left, right) => left.ordinal - right.ordinal)
      .slice(0, this.#limit);
    const problemCount = count + (signed?.count ?? 0) + (recorded?.count ?? 0) + lacking.length;
    const torn = this.#torn;
    const verdict = {
      intact: problemCount === 0 && torn === undefined,
      segments: this.#segments,
      records: this.#records,
      ...(this.#first === undefined ? {} : { first: this.#first }),
      ...(this.#last === undefined ? {} : { last: this.#last }),
      problems,
      problemCount,
      ...(torn === undefined ? {} : { torn }),
      ...(trusted === undefined ? {} : { trusted }),
      ...(signed === undefined
        ? {}
        : {
            signed: {
              authentic: signed.authentic,
              checkpoints: signed.checkpoints,
              ...(signed.last === undefined ? {} : { last: signed.last }),
              unsigned: signed.tail,
            },
          }),
      witnesses: seen.verdicts,
      ...(recorded === undefined
        ? {}
        : { recordings: { directory, files: recorded.recordings, problemCount: recorded.count } }),
      ...(this.#unseen.size === 0 ? {} : { unseenRecordings: this.#unseen.size }),
      openIntents: this.#intents.list(),
    };
    return { ...verdict, summary: summaryOf(verdict) };
  }
}
