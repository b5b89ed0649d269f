import { join } from 'node:path';
import { isOpenToOthers } from './directory.ts';
import { JournalError } from './errors.ts';
import type { JournalFile, JournalFileSystem } from './file-system.ts';
import { type ChainHead, parseLine } from './line.ts';
import { readFully } from './line-reader.ts';
import { appendAll, inspect, takeAll } from './segment.ts';

/** In the directory of the journal; no `*.jsonl`, since older lines are in it as well. */
const NAME = 'journal.ahead';

/** Larger ones are read so far: nothing of ours is beyond. */
const READ_MAX = 16 << 20;
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
  readonly #size: number;
  #file: JournalFile;
  /** Bytes that are not in their segment yet. */
  #end = 0;

  private constructor(fileSystem: JournalFileSystem, path: string, size: number, file: JournalFile) {
    this.#fileSystem = fileSystem;
    this.#path = path;
    this.#size = size;
    this.#file = file;
  }

  /** Opens the file of a directory, or makes one; what is in it stays. @throws JournalError `insecure`, or what the file system says */
  static async open(fileSystem: JournalFileSystem, directory: string, size: number): Promise<Ahead> {
    const path = join(directory, NAME);
    const whole = await makeWhole(fileSystem, directory, path, size);
    return new Ahead(fileSystem, path, whole, await fileSystem.open(path, 'overwrite'));
  }

  hasRoom(bytes: number): boolean {
    return this.#end + bytes <= this.#size;
  }

  /**
   * Puts lines behind those that are there; on disk when it resolves. The bytes must stay as they are until then.
   * @throws JournalError, or what the file system says: then nothing may be written before `reopen`
   */
  async write(bytes: Uint8Array): Promise<void> {
    const from = this.#end;
    await takeAll(bytes, (rest, done) => this.#file.overwrite(rest, from + done));
    this.#end += bytes.length;
  }

  /** Is the file still ours? @throws JournalError */
  async check(): Promise<void> {
    await inspect(this.#fileSystem, this.#file, this.#path, this.#size);
  }

  /** All its lines are in their segment: what comes next takes their place. */
  filed(): void {
    this.#end = 0;
  }

  /** Takes the file as it is now, or a new one. @throws as `open` does */
  async reopen(directory: string): Promise<void> {
    await makeWhole(this.#fileSystem, directory, this.#path, this.#size);
    const file = await this.#fileSystem.open(this.#path, 'overwrite');
    await this.close();
    this.#file = file;
  }

  async close(): Promise<void> {
    await this.#file.close().catch(() => undefined);
  }
}

/** Makes the file as long as it has to be, durably, and tells how long it is: an older one may be longer. */
async function makeWhole(
  fileSystem: JournalFileSystem,
  directory: string,
  path: string,
  size: number,
): Promise<number> {
  const found = await fileSystem.identity(path);
  if (found !== undefined && isOpenToOthers(found)) {
    throw new JournalError('insecure', `\`${path}\` is open to others: run \`chmod 0600\` on it`);
  }
  const missing = size - (found?.size ?? 0);
  if (missing <= 0) return found?.size ?? size;
  const file = await fileSystem.open(path, found === undefined ? 'create' : 'append');
  try {
    await appendAll(file, Buffer.alloc(missing, NEWLINE));
    await file.datasync();
    await fileSystem.syncDirectory(directory);
  } finally {
    await file.close().catch(() => undefined);
  }
  return size;
}

/**
 * Lines that are on disk ahead of their segment and not in it: each follows from the one before, the first from `head`.
 * Without their newlines. Works beside a running broker, which may have filed them meanwhile: then there are none.
 * @throws what the file system throws
 */
export async function linesAhead(
  fileSystem: JournalFileSystem,
  directory: string,
  head: ChainHead,
): Promise<readonly Buffer[]> {
  const path = join(directory, NAME);
  if ((await fileSystem.identity(path)) === undefined) return [];
  const bytes = await contentOf(fileSystem, path);
  const lines: Buffer[] = [];
  for (let last = head; ; ) {
    const next = follower(bytes, last);
    if (next === undefined) return lines;
    lines.push(next.line);
    last = next.head;
  }
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

/** The whole line that follows from a record. What is left of older lines around it follows from older ones. */
function follower(bytes: Buffer, { sequence, hash }: ChainHead): { line: Buffer; head: ChainHead } | undefined {
  const link = `"prev":"${hash}"`;
  for (let at = bytes.indexOf(link); at >= 0; at = bytes.indexOf(link, at + 1)) {
    const end = bytes.indexOf(NEWLINE, at);
    if (end < 0) return undefined;
    const line = bytes.subarray(bytes.lastIndexOf(NEWLINE, at) + 1, end);
    const parsed = parseLine(line);
    if (!parsed.ok || !parsed.intact) continue;
    const { record } = parsed;
    if (record.seq === sequence + 1 && record.prev === hash)
      return { line, head: { sequence: record.seq, hash: record.hash } };
  }
  return undefined;
}
