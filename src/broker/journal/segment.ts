import { basename, dirname, join } from 'node:path';
import { JournalError } from './errors.ts';
import type { FileIdentity, JournalFile, JournalFileSystem } from './file-system.ts';
import { readFully } from './line-reader.ts';

/** The end of the journal file as this process knows it to be on disk. */
export interface DurableEnd {
  /** Bytes. */
  readonly offset: number;
  /** The last record with its newline; empty when there is none. */
  readonly lastLine: Uint8Array;
}

/** Appends all bytes durably, however many the file system takes at a time. */
export function appendAll(file: JournalFile, bytes: Uint8Array): Promise<void> {
  return takeAll(bytes, (rest) => file.append(rest));
}

/** Gives all bytes to something that tells how many it took of those that are left, when `done` of them were taken. */
export async function takeAll(
  bytes: Uint8Array,
  take: (rest: Uint8Array, done: number) => Promise<number>,
): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const count = await take(bytes.subarray(done), done);
    if (count <= 0) throw new JournalError('io', 'the file system takes no more bytes');
    done += count;
  }
}

/**
 * Makes sure that what was appended went where it should have: the file is still the one at `path` and is exactly
 * `size` bytes long.
 * @throws JournalError `replaced`, `truncated`, or what the file system says
 */
export async function inspect(
  fileSystem: JournalFileSystem,
  file: JournalFile,
  path: string,
  size: number,
): Promise<void> {
  const own = await file.identity();
  const named = await fileSystem.identity(path);
  if (named === undefined) throw new JournalError('replaced', `\`${path}\` was removed`);
  if (!isSame(own, named)) throw new JournalError('replaced', `\`${path}\` is another file now`);
  if (own.size < size) throw new JournalError('truncated', `\`${path}\` was cut off by somebody else`);
  if (own.size > size) throw new JournalError('replaced', `somebody else writes into \`${path}\``);
}

function isSame(left: FileIdentity, right: FileIdentity): boolean {
  return left.device === right.device && left.inode === right.inode;
}

/** A journal file that is open again and ends where it is known to be durable. */
export interface Reattached {
  readonly file: JournalFile;
  /** What had to be cut off its end, and the name of the file that keeps it. */
  readonly cut?: { readonly bytes: number; readonly keptAs: string };
}

/**
 * Opens the journal file again after a failure and cuts off what was not known to be durable, so that no half record is
 * ever followed by a good one. A file that was removed is restored from the old descriptor, which still has it.
 * @throws JournalError `truncated` or `replaced` when the file no longer has what was durable in it
 */
export async function reattach(
  fileSystem: JournalFileSystem,
  path: string,
  old: JournalFile,
  end: DurableEnd,
  attempted: Uint8Array,
): Promise<Reattached> {
  if ((await fileSystem.identity(path)) === undefined) await restore(fileSystem, path, old, end.offset);
  const file = await fileSystem.open(path, 'append');
  try {
    await mustEndWith(file, path, end);
    const { size } = await file.identity();
    if (size === end.offset) return { file };
    // A part of our own last write is no news; anything else is evidence and is kept.
    const own = await isPrefix(file, end.offset, size, attempted);
    const kept = own ? undefined : await keepAside(fileSystem, path, file, end.offset, size);
    await file.truncate(end.offset);
    await file.datasync();
    return kept === undefined ? { file } : { file, cut: { bytes: size - end.offset, keptAs: kept } };
  } catch (error) {
    await file.close().catch(() => undefined);
    throw error;
  }
}

async function mustEndWith(file: JournalFile, path: string, { offset, lastLine }: DurableEnd): Promise<void> {
  const { size } = await file.identity();
  if (size < offset) {
    throw new JournalError('truncated', `\`${path}\` has ${size} bytes where ${offset} were durable`);
  }
  const found = Buffer.alloc(lastLine.length);
  await readFully(file, found, offset - lastLine.length);
  if (!found.equals(lastLine)) throw new JournalError('replaced', `\`${path}\` no longer ends with our last record`);
}

async function isPrefix(file: JournalFile, from: number, to: number, attempted: Uint8Array): Promise<boolean> {
  if (to - from > attempted.length) return false;
  const found = Buffer.alloc(to - from);
  await readFully(file, found, from);
  return found.equals(attempted.subarray(0, found.length));
}

/** Copies a part of the journal into a new file beside it, durably, and gives its name. */
export async function keepAside(
  fileSystem: JournalFileSystem,
  path: string,
  file: JournalFile,
  from: number,
  to: number,
): Promise<string> {
  const directory = dirname(path);
  const taken = new Set(await fileSystem.list(directory));
  let number = 1;
  while (taken.has(`${basename(path)}.torn-${number}`)) number += 1;
  const name = `${basename(path)}.torn-${number}`;
  await copy(fileSystem, file, from, to, join(directory, name));
  await fileSystem.syncDirectory(directory);
  return name;
}

async function restore(fileSystem: JournalFileSystem, path: string, old: JournalFile, size: number): Promise<void> {
  const directory = dirname(path);
  const taken = new Set(await fileSystem.list(directory));
  let number = 1;
  while (taken.has(`${basename(path)}.restored-${number}`)) number += 1;
  const temporary = `${path}.restored-${number}`;
  await copy(fileSystem, old, 0, size, temporary);
  await fileSystem.rename(temporary, path);
  await fileSystem.syncDirectory(directory);
}

async function copy(
  fileSystem: JournalFileSystem,
  from: JournalFile,
  start: number,
  end: number,
  path: string,
): Promise<void> {
  const target = await fileSystem.open(path, 'create');
  try {
    const piece = Buffer.alloc(Math.min(1 << 20, end - start));
    for (let position = start; position < end; ) {
      const part = piece.subarray(0, Math.min(piece.length, end - position));
      await readFully(from, part, position);
      await appendAll(target, part);
      position += part.length;
    }
    await target.datasync();
  } finally {
    await target.close();
  }
}
