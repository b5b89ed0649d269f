import { dirname } from 'node:path';
import { linesAhead } from './ahead.ts';
import type { ChainState } from './chain.ts';
import { asCheckpoint, mustBeSigned } from './checkpoint.ts';
import { JournalError } from './errors.ts';
import type { JournalFile, JournalFileSystem } from './file-system.ts';
import type { CheckpointKey } from './key.ts';
import { emptyChain, type ParsedLine, parseLine } from './line.ts';
import { type RawLine, readLines } from './line-reader.ts';
import { OpenIntents } from './open-intents.ts';
import type { JournalRecord } from './records.ts';
import type { SegmentRef } from './segment-names.ts';

const NEWLINE = Uint8Array.of(0x0a);

/** A place in a journal from which on it is read, and what is known of everything before. */
export interface ScanStart {
  readonly segment: SegmentRef;
  /** Beginning of a line, in bytes. */
  readonly offset: number;
  readonly chain: ChainState;
  /** The line that ends at `offset`, with its newline; empty at the beginning of a segment. */
  readonly lastLine: Uint8Array;
  readonly intents: OpenIntents;
  readonly switches: Iterable<string>;
}

/** What is at the end of a journal. */
export interface Tail {
  readonly segment: SegmentRef;
  readonly chain: ChainState;
  /** End of the last good record of the segment, in bytes. */
  readonly offset: number;
  /** Lines that follow there and are not in the segment yet, with their newlines. */
  readonly ahead: Uint8Array;
  /** There is no segment. */
  readonly isNew: boolean;
  /** Records read, those ahead included. */
  readonly records: number;
  /** The last good line with its newline, of the last segment or ahead of it; empty when there is none. */
  readonly lastLine: Uint8Array;
  readonly intents: OpenIntents;
  /** Switches that records name. */
  readonly switches: ReadonlySet<string>;
  /** Key of the last checkpoint that was read. */
  readonly lastKey: string | undefined;
  /** Present when the last line is not a whole record: how many bytes of it there are. */
  readonly torn?: { readonly bytes: number; readonly why: string };
}

/** The beginning of a journal, or of what an operator has left of it. */
export function scanFromBeginning(segment: SegmentRef): ScanStart {
  const chain = {
    head: emptyChain,
    journal: undefined,
    unsigned: 0,
    segment: segment.number,
    segmentBytes: 0,
    segmentSinceMs: undefined,
  };
  return { segment, offset: 0, chain, lastLine: new Uint8Array(0), intents: new OpenIntents(), switches: [] };
}

/**
 * Reads a journal from a place on, record by record, and checks the chain. Memory does not grow with the file. Only the
 * last line of the last segment may be bad: that is what a crash leaves.
 *
 * @param segments the one of `start` and all after it
 * @param key checkpoints ahead of the segments that name it must be signed with it; those in segments are looked at elsewhere
 * @throws JournalError `damaged`, with the position
 */
export async function scanSegments(
  fileSystem: JournalFileSystem,
  segments: readonly SegmentRef[],
  start: ScanStart,
  key?: CheckpointKey,
): Promise<Tail> {
  const scan = new Scan(start);
  for (const [index, segment] of segments.entries()) {
    const expected = start.segment.number + index;
    if (segment.number !== expected) {
      const message = `the journal has no segment ${expected}, but one with the number ${segment.number}`;
      throw new JournalError('damaged', message);
    }
    scan.enter(segment);
    const file = await fileSystem.open(segment.path, 'read');
    try {
      await scan.read(file, index === segments.length - 1);
    } finally {
      await file.close();
    }
  }
  const last = segments.at(-1);
  if (last !== undefined) await scan.readAhead(fileSystem, dirname(last.path), key);
  return { ...scan.tail(), isNew: last === undefined };
}

class Scan {
  #segment: SegmentRef;
  #chain: ChainState;
  #offset: number;
  #records = 0;
  #lastLine: Uint8Array;
  #ahead: readonly Uint8Array[] = [];
  #lastKey: string | undefined;
  #bad: { readonly line: RawLine; readonly why: string } | undefined;
  readonly #intents: OpenIntents;
  readonly #switches: Set<string>;
  /** May the first record follow from something that is not here? */
  #isPartial: boolean;

  constructor(start: ScanStart) {
    this.#segment = start.segment;
    this.#chain = start.chain;
    this.#offset = start.offset;
    this.#lastLine = start.lastLine;
    this.#intents = start.intents;
    this.#switches = new Set(start.switches);
    this.#isPartial = start.chain.head === emptyChain && start.segment.number > 1;
  }

  enter(segment: SegmentRef): void {
    if (segment.number === this.#segment.number) return;
    this.#segment = segment;
    this.#offset = 0;
    this.#lastLine = new Uint8Array(0);
    this.#chain = { ...this.#chain, segment: segment.number, segmentBytes: 0, segmentSinceMs: undefined };
  }

  async read(file: JournalFile, isLast: boolean): Promise<void> {
    for await (const batch of readLines(file, { from: this.#offset })) {
      for (const line of batch) {
        if (this.#bad !== undefined) throw await this.#damaged(file, this.#bad);
        this.#take(line);
      }
      const last = batch.findLast((line) => line.offset + line.length + 1 === this.#offset);
      if (last !== undefined) this.#lastLine = Buffer.concat([last.bytes, NEWLINE]);
    }
    if (this.#bad !== undefined && !isLast) throw await this.#damaged(file, this.#bad);
  }

  async readAhead(fileSystem: JournalFileSystem, directory: string, key: CheckpointKey | undefined): Promise<void> {
    const lines = await linesAhead(fileSystem, directory, this.#chain.head);
    for (const line of lines) {
      const parsed = parseLine(line, false);
      if (!parsed.ok) continue;
      const checkpoint = asCheckpoint(parsed.record);
      if (checkpoint !== undefined && checkpoint.key === key?.keyId) mustBeSigned(line, checkpoint, key, this.#segment);
      this.#follow(parsed.record);
    }
    this.#ahead = lines.flatMap((line) => [line, NEWLINE]);
    const last = lines.at(-1);
    if (last !== undefined) this.#lastLine = Buffer.concat([last, NEWLINE]);
  }

  tail(): Omit<Tail, 'isNew'> {
    const ahead = Buffer.concat(this.#ahead);
    const torn = this.#bad === undefined ? {} : { torn: { bytes: tornBytes(this.#bad.line), why: this.#bad.why } };
    return {
      segment: this.#segment,
      chain: { ...this.#chain, segmentBytes: this.#offset + ahead.length },
      offset: this.#offset,
      ahead,
      records: this.#records,
      lastLine: this.#lastLine,
      intents: this.#intents,
      switches: this.#switches,
      lastKey: this.#lastKey,
      ...torn,
    };
  }

  #take(line: RawLine): void {
    const parsed = parseLine(line.bytes);
    const why = line.terminated ? this.#problem(parsed) : 'it has no end';
    if (why !== undefined || !parsed.ok) {
      this.#bad = { line, why: why ?? '' };
      return;
    }
    this.#offset = line.offset + line.length + 1;
    this.#follow(parsed.record);
  }

  #follow(record: JournalRecord): void {
    const checkpoint = asCheckpoint(record);
    const { journal, unsigned, segmentSinceMs } = this.#chain;
    this.#chain = {
      ...this.#chain,
      head: { sequence: record.seq, hash: record.hash },
      // A journal whose beginning was taken away is still known to its checkpoints.
      journal: journal ?? (record.seq === 1 ? record.hash : checkpoint?.journal),
      unsigned: checkpoint === undefined ? unsigned + 1 : 0,
      segmentSinceMs: segmentSinceMs ?? Date.parse(record.at),
    };
    this.#records += 1;
    this.#isPartial = false;
    this.#lastKey = checkpoint?.key ?? this.#lastKey;
    this.#intents.note(record);
    if ('switch' in record && typeof record.switch === 'string') this.#switches.add(record.switch);
  }

  #problem(parsed: ParsedLine): string | undefined {
    if (!parsed.ok) return parsed.why;
    if (!parsed.intact) return 'its content does not fit its hash';
    if (this.#isPartial) return undefined;
    const { head } = this.#chain;
    if (parsed.record.seq !== head.sequence + 1) {
      return `its sequence is ${parsed.record.seq} where ${head.sequence + 1} should be`;
    }
    return parsed.record.prev === head.hash ? undefined : 'it does not follow from the record before';
  }

  async #damaged(file: JournalFile, { line, why }: { readonly line: RawLine; readonly why: string }) {
    const { name } = this.#segment;
    const afterSequence = this.#chain.head.sequence;
    const position = { file: name, line: await lineAt(file, line.offset), offset: line.offset, afterSequence };
    return new JournalError(
      'damaged',
      `journal \`${name}\` is damaged at line ${position.line} (byte ${line.offset}, after sequence ${afterSequence}): ${why}`,
      { position },
    );
  }
}

function tornBytes(line: RawLine): number {
  return line.length + (line.terminated ? 1 : 0);
}

/** Number of the line that begins at a byte, from 1. */
async function lineAt(file: JournalFile, offset: number): Promise<number> {
  let line = 1;
  for await (const batch of readLines(file, { to: offset })) line += batch.length;
  return line;
}
