import { dirname } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { asJournalError, JournalError } from './errors.ts';
import { hostJournalFileSystem, type JournalFile, type JournalFileSystem } from './file-system.ts';
import { parseLine } from './line.ts';
import { readLines, readLinesBackwards } from './line-reader.ts';
import type { JournalRecord, RecordFlag, RecordKind } from './records.ts';
import { listSegments, type SegmentRef } from './segment-names.ts';
import { segmentsOf } from './segments-of.ts';

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
  const segments = await segmentsOf(path, fileSystem);
  const isOver = () => signal?.aborted === true;
  let place: Position = { segment: segments[0] ?? missing(path), from: 0 };
  if (tail !== undefined) {
    const { records, end } = await lastRecords(fileSystem, segments, tail, filter, onUnreadable);
    yield* records;
    if (!follow) return;
    options.onTail?.();
    place = end ?? place;
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
            if (record !== undefined) yield record;
            if (isOver()) return;
          }
        }
        if (next !== undefined) break;
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

/** The last `count` matching records, found from the end, and where the last whole line ends. */
async function lastRecords(
  fileSystem: JournalFileSystem,
  segments: readonly SegmentRef[],
  count: number,
  filter: RecordFilter,
  onUnreadable: ReadOptions['onUnreadable'],
): Promise<{ readonly records: readonly JournalRecord[]; readonly end: Position | undefined }> {
  const records: JournalRecord[] = [];
  let end: Position | undefined;
  for (const segment of segments.toReversed()) {
    const file = await openForReading(segment.path, fileSystem);
    try {
      const { size } = await file.identity();
      end ??= { segment, from: 0 };
      for await (const line of readLinesBackwards(file, size)) {
        if (end.segment === segment && end.from === 0) end = { segment, from: line.end };
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
  return { records: records.reverse(), end };
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
