import { dirname, join } from 'node:path';
import { isOpenToOthers } from './directory.ts';
import { asJournalError, JournalError } from './errors.ts';
import type { JournalFile, JournalFileSystem, OpenMode } from './file-system.ts';
import { type ChainHead, parseLine } from './line.ts';
import { readFully } from './line-reader.ts';
import { appendAll, inspect, takeAll } from './segment.ts';

/** In the directory of the journal. No `*.jsonl`, since older lines are in it as well; copied by name, it comes first. */
const NAME = 'ahead.journal';

/** Larger ones are read so far: nothing of ours is beyond. */
const READ_MAX = 16 << 20;
/** A larger commit goes into its segment at once: what would be written twice costs more than the disk saves. */
export const COMMIT_MAX = 64 << 10;
const LINK = '"prev":"';
const LINK_BYTES = LINK.length + 64;
const NEWLINE = 0x0a;

/**
 * A file of a size that does not change, where lines are put on disk before they are in their segment. Writing over bytes
 * that are there takes the disk two thirds of the time of appending, which has to make the new length of the file durable as
 * well. Nothing marks where its lines begin or end: those that count are the ones that follow from the last record of the
 * segments, which their hashes tell (`linesAhead`).
 */
export class Ahead {
  readonly #fileSystem: JournalFileSystem;
  readonly #path: string;
  #size: number;
  #file: JournalFile;
  /** Bytes that are not in their segment yet. */
  #end = 0;
  /** When it was changed last before it was found in order; undefined since we have written. */
  #changedMs: number | undefined;

  private constructor(fileSystem: JournalFileSystem, path: string, size: number, file: JournalFile) {
    this.#fileSystem = fileSystem;
    this.#path = path;
    this.#size = size;
    this.#file = file;
  }

  /** Opens the file of a directory, or makes one; what is in it stays. @throws JournalError `insecure`, or what the file system says */
  static async open(fileSystem: JournalFileSystem, directory: string, size: number): Promise<Ahead> {
    const path = join(directory, NAME);
    const opened = await openWhole(fileSystem, directory, path, size);
    return new Ahead(fileSystem, path, opened.size, opened.file);
  }

  hasRoom(bytes: number): boolean {
    return this.#end + bytes <= Math.min(this.#size, READ_MAX);
  }

  /**
   * Puts lines behind those that are there; on disk when it resolves. The bytes must stay as they are until then.
   * @throws JournalError, or what the file system says: then nothing may be written before `reopen`
   */
  async write(bytes: Uint8Array): Promise<void> {
    const from = this.#end;
    this.#changedMs = undefined;
    try {
      await takeAll(bytes, (rest, done) => this.#file.overwrite(rest, from + done));
    } catch (error) {
      throw asJournalError(error, `\`${this.#path}\` can't be written`);
    }
    this.#end += bytes.length;
  }

  /** Nothing that is in it counts any more. @throws what the file system says */
  async clear(): Promise<void> {
    this.#changedMs = undefined;
    const nothing = Buffer.alloc(Math.min(this.#size, READ_MAX), NEWLINE);
    await takeAll(nothing, (rest, done) => this.#file.overwrite(rest, done));
  }

  /** Is the file still ours? @throws JournalError */
  async check(): Promise<void> {
    await inspect(this.#fileSystem, this.#file, this.#path, this.#size);
  }

  /**
   * While all its lines are in their segment, nothing in it may follow from the last record: somebody else would have put it
   * there, for the next start to take. It is looked for where the file has changed.
   * @throws JournalError `replaced`
   */
  async mustEndAt(head: ChainHead): Promise<void> {
    const { changedMs } = await this.#file.identity();
    if (changedMs === this.#changedMs) return;
    if ((await linesAhead(this.#fileSystem, dirname(this.#path), head)).length > 0) {
      throw new JournalError('replaced', `somebody else writes into \`${this.#path}\``);
    }
    this.#changedMs = changedMs;
  }

  /** All its lines are in their segment: what comes next takes their place. */
  filed(): void {
    this.#end = 0;
  }

  /** Takes the file as it is now, or a new one. @throws as `open` does */
  async reopen(directory: string): Promise<void> {
    const { file, size } = await openWhole(this.#fileSystem, directory, this.#path, this.#size);
    await this.close();
    this.#file = file;
    this.#size = size;
    this.#changedMs = undefined;
  }

  async close(): Promise<void> {
    await this.#file.close().catch(() => undefined);
  }
}

/** Opens the file as long as it has to be at least, itself and its name on the disk: an older one may be longer. */
async function openWhole(
  fileSystem: JournalFileSystem,
  directory: string,
  path: string,
  atLeast: number,
): Promise<{ readonly file: JournalFile; readonly size: number }> {
  const found = await fileSystem.identity(path);
  if (found !== undefined && isOpenToOthers(found)) {
    throw new JournalError('insecure', `\`${path}\` is open to others: run \`chmod 0600\` on it`);
  }
  const size = Math.max(atLeast, found?.size ?? 0);
  const missing = size - (found?.size ?? 0);
  if (missing > 0) {
    await lengthen(fileSystem, path, found === undefined ? 'create' : 'append', missing);
  }
  const file = await fileSystem.open(path, 'overwrite');
  try {
    // Always: whoever made it may have got no further.
    await file.datasync();
    await fileSystem.syncDirectory(directory);
  } catch (error) {
    await file.close().catch(() => undefined);
    throw error;
  }
  return { file, size };
}

async function lengthen(fileSystem: JournalFileSystem, path: string, mode: OpenMode, bytes: number): Promise<void> {
  const file = await fileSystem.open(path, mode);
  try {
    await appendAll(file, Buffer.alloc(bytes, NEWLINE));
  } catch (error) {
    throw asJournalError(error, `\`${path}\` needs ${bytes} bytes more`);
  } finally {
    await file.close().catch(() => undefined);
  }
}

/**
 * The file ahead as it was at a moment. Beside a running broker it is to be read before the end of the last segment is:
 * what was on disk then is in here or in what is read of the segment. The other way round, lines may be filed and others
 * written over them between the two looks.
 */
export class AheadSnapshot {
  readonly #bytes: Buffer;
  #followers: ReadonlyMap<string, readonly Buffer[]> | undefined;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** @throws what the file system throws */
  static async read(fileSystem: JournalFileSystem, directory: string): Promise<AheadSnapshot> {
    const path = join(directory, NAME);
    if ((await fileSystem.identity(path)) === undefined) return new AheadSnapshot(Buffer.alloc(0));
    return new AheadSnapshot(await contentOf(fileSystem, path));
  }

  /** Lines that follow from a record, one from the other, without their newlines. */
  after(head: ChainHead): readonly Buffer[] {
    // After a stop in order there are none, and nothing is worth a closer look.
    if (!this.#bytes.includes(LINK + head.hash)) return [];
    const lines: Buffer[] = [];
    for (let next = this.#follower(head); next !== undefined; next = this.#follower(next.head)) lines.push(next.line);
    return lines;
  }

  /** The whole line that follows from a record. What is left of older lines around it follows from older ones. */
  #follower({ sequence, hash }: ChainHead): { line: Buffer; head: ChainHead } | undefined {
    this.#followers ??= byLink(this.#bytes);
    for (const line of this.#followers.get(hash) ?? []) {
      const parsed = parseLine(line);
      if (!parsed.ok || !parsed.intact) continue;
      const { record } = parsed;
      if (record.seq === sequence + 1 && record.prev === hash)
        return { line, head: { sequence: record.seq, hash: record.hash } };
    }
    return undefined;
  }
}

/** Lines by the hash that they follow from; of an older run there may be several. In one pass, whatever is in the file. */
function byLink(bytes: Buffer): ReadonlyMap<string, readonly Buffer[]> {
  const followers = new Map<string, Buffer[]>();
  for (let start = 0, end = bytes.indexOf(NEWLINE); end >= 0; start = end + 1, end = bytes.indexOf(NEWLINE, start)) {
    if (end - start < LINK_BYTES || end - start > COMMIT_MAX) continue;
    const line = bytes.subarray(start, end);
    // Members of the body stand before it, and in their texts a quotation mark is escaped.
    const at = line.lastIndexOf(LINK);
    if (at < 0) continue;
    const prev = line.toString('latin1', at + LINK.length, at + LINK_BYTES);
    const others = followers.get(prev);
    if (others === undefined) followers.set(prev, [line]);
    else others.push(line);
  }
  return followers;
}

/** As `AheadSnapshot.read` and `after`, where nobody writes. */
export async function linesAhead(
  fileSystem: JournalFileSystem,
  directory: string,
  head: ChainHead,
): Promise<readonly Buffer[]> {
  return (await AheadSnapshot.read(fileSystem, directory)).after(head);
}

async function contentOf(fileSystem: JournalFileSystem, path: string): Promise<Buffer> {
  const file = await fileSystem.open(path, 'read');
  try {
    const { size } = await file.identity();
    const bytes = Buffer.alloc(Math.min(size, READ_MAX));
    await readFully(file, bytes, 0);
    return bytes;
  } finally {
    await file.close();
  }
}
