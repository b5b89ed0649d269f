import { dirname } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { asJournalError, JournalError } from './errors.ts';
import { hostJournalFileSystem, type JournalFile, type JournalFileSystem } from './file-system.ts';
import { emptyChain, parseLine } from './line.ts';
import { readLines, readLinesBackwards } from './line-reader.ts';
import type { JournalRecord, RecordFlag, RecordKind } from './records.ts';
import { listSegments, type SegmentRef } from './segment-names.ts';
import { type JournalView, viewOf } from './view.ts';

/** Which records are wanted. Every condition that is given must hold. */
export interface RecordFilter {
  readonly kinds?: readonly RecordKind[];
  readonly tenant?: string;
  readonly principal?: string;
  readonly requestId?: string;
  readonly switch?: string;
  readonly class?: 'allowlisted' | 'audited' | 'raw';
  readonly flag?: RecordFlag;
  /** Milliseconds since 1970, inclusive. */
  readonly sinceMs?: number;
  /** Milliseconds since 1970, exclusive. */
  readonly untilMs?: number;
}

export interface ReadOptions {
  readonly filter?: RecordFilter;
  /** Only the last so many that pass the filter. Default: all. */
  readonly tail?: number;
  /** Goes on with records as they are written, until the signal. Default false. */
  readonly follow?: boolean;
  readonly signal?: AbortSignal;
  /** With `follow` and `tail`: called when those that were there have been given. */
  readonly onTail?: () => void;
  /** Milliseconds between two looks for new records. Default 100. */
  readonly pollMs?: number;
  /** Told of lines that are no records; they are left out otherwise. Reading does not verify: `verifyJournal` does. */
  readonly onUnreadable?: (line: { readonly file: string; readonly offset?: number; readonly why: string }) => void;
  readonly fileSystem?: JournalFileSystem;
}

/**
 * Records of a journal, a directory or one segment, oldest first. Works beside a running broker: a last line that is
 * still being written is left out, and with `follow` comes when it is whole, in whatever segment.
 * @throws JournalError `io`; `replaced` or `truncated` when that happens to the file while it is followed
 */
export async function* readJournal(path: string, options: ReadOptions = {}): AsyncGenerator<JournalRecord> {
  const { filter = {}, tail, follow = false, signal, fileSystem = hostJournalFileSystem, onUnreadable } = options;
  const view = await viewOf(path, fileSystem);
  const isOver = () => signal?.aborted === true;
  // Up to this record all have been given: they were ahead of the segment, and will be met in it.
  let given = 0;
  let lastLine: Uint8Array = new Uint8Array(0);
  let place: Position = { segment: view.segments[0] ?? missing(path), from: 0 };
  if (tail !== undefined) {
    const last = await lastRecords(path, fileSystem, view, tail, filter, onUnreadable);
    yield* last.records;
    if (!follow) return;
    options.onTail?.();
    place = last.end;
    given = last.sequence;
  }
  for (let file = await openForReading(place.segment.path, fileSystem); ; ) {
    const { segment } = place;
    let { from } = place;
    let next: SegmentRef | undefined;
    try {
      for (;;) {
        // Looked for first: what is then read of this segment is all that it will ever have.
        next ??= await nextOf(segment, fileSystem);
        for await (const batch of readLines(file, { from })) {
          for (const line of batch) {
            if (!line.terminated) break;
            from = line.offset + line.length + 1;
            const record = wanted(line.bytes, filter, (why) =>
              onUnreadable?.({ file: segment.name, offset: line.offset, why }),
            );
            if (record !== undefined && record.seq > given) yield record;
            if (isOver()) return;
          }
          lastLine = Buffer.from(batch.findLast(isRecord)?.bytes ?? lastLine);
        }
        if (next !== undefined) break;
        if (!follow) {
          for (const line of linesAfter(view, lastLine)) {
            const record = wanted(line, filter, () => undefined);
            if (record !== undefined) yield record;
          }
        }
        if (!follow || isOver()) return;
        await pause(options.pollMs ?? 100, undefined, signal === undefined ? {} : { signal }).catch(() => undefined);
        if (isOver()) return;
        await mustBeSame(fileSystem, file, segment, from);
      }
    } catch (error) {
      throw asJournalError(error, `journal \`${segment.name}\` can't be read`);
    } finally {
      await file.close();
    }
    place = { segment: next, from: 0 };
    file = await openForReading(next.path, fileSystem);
  }
}

interface Position {
  readonly segment: SegmentRef;
  readonly from: number;
}

function missing(path: string): never {
  throw new JournalError('io', `there is no journal in \`${path}\``);
}

/** The segment that goes on where this one ends; undefined when there is none yet. */
async function nextOf(segment: SegmentRef, fileSystem: JournalFileSystem): Promise<SegmentRef | undefined> {
  if (segment.number === 0) return undefined;
  const segments = await listSegments(fileSystem, dirname(segment.path));
  return segments.find(({ number }) => number > segment.number);
}

/** All records of one request, oldest first. Reads the whole journal, some hundred MB a second. @throws JournalError `io` */
export async function showRequest(
  path: string,
  requestId: string,
  options: Pick<ReadOptions, 'fileSystem' | 'onUnreadable'> = {},
): Promise<readonly JournalRecord[]> {
  const records: JournalRecord[] = [];
  for await (const record of readJournal(path, { ...options, filter: { requestId } })) records.push(record);
  return records;
}

/** @throws JournalError `io` */
export async function openForReading(path: string, fileSystem: JournalFileSystem): Promise<JournalFile> {
  try {
    return await fileSystem.open(path, 'read');
  } catch (error) {
    throw asJournalError(error, `journal \`${path}\` can't be read`);
  }
}

async function mustBeSame(
  fileSystem: JournalFileSystem,
  file: JournalFile,
  { name, path }: SegmentRef,
  from: number,
): Promise<void> {
  const [own, named] = await Promise.all([file.identity(), fileSystem.identity(path)]);
  if (own.size < from) throw new JournalError('truncated', `journal \`${name}\` became shorter while it was read`);
  if (named?.inode !== own.inode || named.device !== own.device) {
    throw new JournalError('replaced', `journal \`${name}\` was replaced while it was read`);
  }
}

type OnWhy = (why: string) => void;

function isRecord({ terminated, bytes }: { readonly terminated: boolean; readonly bytes: Uint8Array }): boolean {
  return terminated && parseLine(bytes, false).ok;
}

/** What follows from the last record of the segments, on disk and not in them yet. */
function linesAfter({ ahead }: JournalView, lastLine: Uint8Array): readonly Buffer[] {
  if (ahead === undefined) return [];
  const parsed = parseLine(lastLine, false);
  if (!parsed.ok && lastLine.length > 0) return [];
  return ahead.after(parsed.ok ? { sequence: parsed.record.seq, hash: parsed.record.hash } : emptyChain);
}

interface LastRecords {
  readonly records: readonly JournalRecord[];
  /** Where the last whole line of the segments ends. */
  readonly end: Position;
  /** Up to this sequence all were looked at: those that are not in a segment yet, too. */
  readonly sequence: number;
}

/** The last `count` matching records, found from the end. */
async function lastRecords(
  path: string,
  fileSystem: JournalFileSystem,
  view: JournalView,
  count: number,
  filter: RecordFilter,
  onUnreadable: ReadOptions['onUnreadable'],
): Promise<LastRecords> {
  const newest = view.segments.at(-1) ?? missing(path);
  const records: JournalRecord[] = [];
  let end: Position | undefined;
  let sequence = 0;
  let isTaken = false;
  const takeAhead = (lastLine: Uint8Array): void => {
    isTaken = true;
    for (const line of linesAfter(view, lastLine).toReversed()) {
      const parsed = parseLine(line, false);
      if (!parsed.ok) continue;
      sequence = Math.max(sequence, parsed.record.seq);
      if (passes(parsed.record, filter)) records.push(parsed.record);
    }
  };
  for (const segment of view.segments.toReversed()) {
    const file = await openForReading(segment.path, fileSystem);
    try {
      const { size } = await file.identity();
      for await (const line of readLinesBackwards(file, size)) {
        if (!isTaken && parseLine(line.bytes, false).ok) takeAhead(line.bytes);
        end ??= segment === newest ? { segment, from: line.end } : { segment: newest, from: 0 };
        if (records.length >= count) break;
        const record = wanted(line.bytes, filter, (why) => onUnreadable?.({ file: segment.name, why }));
        if (record !== undefined) records.push(record);
      }
    } catch (error) {
      throw asJournalError(error, `journal \`${segment.name}\` can't be read`);
    } finally {
      await file.close();
    }
    if (records.length >= count) break;
  }
  if (!isTaken) takeAhead(new Uint8Array(0));
  return { records: records.slice(0, count).reverse(), end: end ?? { segment: newest, from: 0 }, sequence };
}

function wanted(bytes: Uint8Array, filter: RecordFilter, onUnreadable: OnWhy): JournalRecord | undefined {
  // A request id is searched for in the bytes first: parsing every record of a large journal takes many times longer.
  if (filter.requestId !== undefined && !mentions(bytes, filter.requestId)) return undefined;
  const parsed = parseLine(bytes, false);
  if (!parsed.ok) {
    onUnreadable(parsed.why);
    return undefined;
  }
  return passes(parsed.record, filter) ? parsed.record : undefined;
}

function mentions(bytes: Uint8Array, requestId: string): boolean {
  const found = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return found.includes(`"requestId":${JSON.stringify(requestId)}`);
}

function passes(record: JournalRecord, filter: RecordFilter): boolean {
  const fields: Partial<Record<string, unknown>> = { ...record };
  const atMs = Date.parse(record.at);
  return (
    (filter.kinds === undefined || filter.kinds.includes(record.kind)) &&
    (filter.tenant === undefined || fields.tenant === filter.tenant) &&
    (filter.principal === undefined || fields.principal === filter.principal) &&
    (filter.requestId === undefined || fields.requestId === filter.requestId) &&
    (filter.switch === undefined || fields.switch === filter.switch) &&
    (filter.class === undefined || fields.class === filter.class) &&
    (filter.flag === undefined || (Array.isArray(fields.flags) && fields.flags.includes(filter.flag))) &&
    (filter.sinceMs === undefined || atMs >= filter.sinceMs) &&
    (filter.untilMs === undefined || atMs < filter.untilMs)
  );
}
