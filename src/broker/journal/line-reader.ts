import type { JournalFile } from './file-system.ts';

/** One line of a file, without its newline. */
export interface RawLine {
  /** Bytes from the beginning of the file. */
  readonly offset: number;
  /** Length in bytes, without the newline. */
  readonly length: number;
  /** The bytes, valid until the next batch; empty when the line is longer than the limit. */
  readonly bytes: Uint8Array;
  /** False for what follows the last newline. */
  readonly terminated: boolean;
}

export interface LineReaderOptions {
  /** First byte, the beginning of a line. Default 0. */
  readonly from?: number;
  /** Where to stop, in bytes. Default: the end of the file as it is met. */
  readonly to?: number;
  /** Bytes read at once. Default 1 MiB. */
  readonly chunkBytes?: number;
  /** Longer lines are passed on without their bytes, so that memory stays bounded. Default 16 MiB. */
  readonly maxLineBytes?: number;
}

const NEWLINE = 0x0a;

/** The lines of a file in batches, one batch for each piece read. */
export async function* readLines(file: JournalFile, options: LineReaderOptions = {}): AsyncGenerator<RawLine[]> {
  const { from = 0, to = Number.MAX_SAFE_INTEGER, chunkBytes = 1 << 20, maxLineBytes = 16 << 20 } = options;
  // The rest of the file that has no newline yet, and where it begins.
  let carried = Buffer.alloc(0);
  let lineAt = from;
  let position = from;
  // Length of an over-long line so far, whose bytes are not kept.
  let skipped = 0;
  for (;;) {
    const chunk = Buffer.allocUnsafe(Math.min(chunkBytes, to - position));
    const count = chunk.length === 0 ? 0 : await file.read(chunk, position);
    if (count === 0) break;
    position += count;
    const bytes = carried.length === 0 ? chunk.subarray(0, count) : Buffer.concat([carried, chunk.subarray(0, count)]);
    const lines: RawLine[] = [];
    let start = 0;
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, start)) {
      const length = skipped + end - start;
      const content = length > maxLineBytes ? bytes.subarray(0, 0) : bytes.subarray(start, end);
      lines.push({ offset: lineAt, length, bytes: content, terminated: true });
      lineAt += length + 1;
      start = end + 1;
      skipped = 0;
    }
    carried = bytes.subarray(start);
    if (skipped + carried.length > maxLineBytes) {
      skipped += carried.length;
      carried = Buffer.alloc(0);
    }
    if (lines.length > 0) yield lines;
  }
  const length = skipped + carried.length;
  if (length === 0) return;
  yield [{ offset: lineAt, length, bytes: skipped > 0 ? Buffer.alloc(0) : carried, terminated: false }];
}

/**
 * The last lines of a file up to byte `to`, newest first, without their newlines; what follows the last newline is a
 * line that is still being written and is left out. `end` is the byte after the line's newline.
 */
export async function* readLinesBackwards(
  file: JournalFile,
  to: number,
  chunkBytes: number = 256 << 10,
): AsyncGenerator<{ readonly bytes: Uint8Array; readonly end: number }> {
  let position = to;
  // Byte after the newline of the line that is being put together; undefined until the last newline was met.
  let lineEnd: number | undefined;
  // Pieces of it in reverse order: joined once, or a line over many chunks would be copied for each.
  let pieces: Buffer[] = [];
  while (position > 0) {
    const chunk = Buffer.allocUnsafe(Math.min(chunkBytes, position));
    position -= chunk.length;
    await readFully(file, chunk, position);
    let rest = chunk.length;
    for (let at = chunk.lastIndexOf(NEWLINE); at >= 0; at = at === 0 ? -1 : chunk.lastIndexOf(NEWLINE, at - 1)) {
      pieces.push(chunk.subarray(at + 1, rest));
      if (lineEnd !== undefined) yield { bytes: Buffer.concat(pieces.reverse()), end: lineEnd };
      lineEnd = position + at + 1;
      pieces = [];
      rest = at;
    }
    pieces.push(chunk.subarray(0, rest));
  }
  if (lineEnd !== undefined) yield { bytes: Buffer.concat(pieces.reverse()), end: lineEnd };
}

/** Fills `target` from `position`. Throws when the file ends before. */
export async function readFully(file: JournalFile, target: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < target.length; ) {
    const count = await file.read(target.subarray(done), position + done);
    if (count === 0) throw new Error(`the file ends at byte ${position + done}`);
    done += count;
  }
}
