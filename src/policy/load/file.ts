import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import type { ErrorList } from './error.ts';

/**
 * Reads a regular file of bounded size; anything else (link, directory, pipe, device) is a mistake to report. Opened
 * without following a link and without waiting for the other end of a pipe; what is checked is what was opened.
 */
export function readPlainFile(path: string, name: string, bytesMax: number, errors: ErrorList): Uint8Array | undefined {
  const start = { file: name, line: 1, column: 1 };
  let fd: number | undefined;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    if (!fstatSync(fd).isFile()) {
      errors.add('unreadable', start, '')('this is not a regular file', 'put a plain file here');
      return undefined;
    }
    // One byte more than may be there is enough to see that there is more; the size on record may be out of date.
    const bytes = readUpTo(fd, bytesMax + 1);
    return bytes.length > bytesMax ? tooLarge(start, bytesMax, errors) : bytes;
  } catch (error) {
    const code = errnoOf(error);
    const isLink = code === 'ELOOP';
    errors.add(
      'unreadable',
      start,
      '',
    )(
      isLink ? 'this is a symbolic link' : `the file can't be read (${code})`,
      isLink
        ? 'put the file itself here: what a link leads to can change unseen'
        : 'check that it exists and is readable',
    );
    return undefined;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/** `ENOENT` and the like, for people. */
export function errnoOf(error: unknown): string {
  return String((error as NodeJS.ErrnoException).code);
}

function readUpTo(fd: number, bytesMax: number): Uint8Array {
  const chunks: Uint8Array[] = [];
  let total = 0;
  while (total < bytesMax) {
    const chunk = new Uint8Array(Math.min(1 << 20, bytesMax - total));
    const length = readSync(fd, chunk, 0, chunk.length, null);
    if (length === 0) break;
    chunks.push(chunk.subarray(0, length));
    total += length;
  }
  return Buffer.concat(chunks, total);
}

/** Text of a file, if it is UTF-8. */
export function textOf(
  bytes: Uint8Array,
  name: string,
  errors: ErrorList,
  bytesMax: number = Number.POSITIVE_INFINITY,
): string | undefined {
  if (bytes.length > bytesMax) return tooLarge({ file: name, line: 1, column: 1 }, bytesMax, errors);
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    const { line, column, octet } = firstBadByte(bytes);
    errors.add(
      'not-utf8',
      { file: name, line, column },
      '',
    )(`byte 0x${octet.toString(16).padStart(2, '0')} is not UTF-8`, 'save the file as UTF-8');
    return undefined;
  }
}

/** Control characters other than tabs, direction marks, separators of Unicode and the like. */
const HIDDEN = /(?!\t)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

/** Reports the first character of a line that makes a reviewer see something else than the loader. */
export function hasHidden(line: string, file: string, number: number, errors: ErrorList): boolean {
  const match = HIDDEN.exec(line);
  if (match === null) return false;
  const code = Number(match[0].codePointAt(0)).toString(16).toUpperCase().padStart(4, '0');
  errors.add(
    'syntax',
    { file, line: number, column: match.index + 1 },
    match[0],
  )(`the invisible character U+${code} is not allowed`, 'delete it: a reviewer would not see it');
  return true;
}

/** The lines of a text, each with its number; a CR before the LF belongs to the end of the line. */
export function* linesOf(text: string): Generator<readonly [line: string, number: number]> {
  let number = 0;
  for (let start = 0; start <= text.length; ) {
    const end = text.indexOf('\n', start);
    const stop = end === -1 ? text.length : end;
    number += 1;
    const isCrlf = end !== -1 && stop > start && text[stop - 1] === '\r';
    yield [text.slice(start, isCrlf ? stop - 1 : stop), number];
    start = stop + 1;
  }
}

function firstBadByte(bytes: Uint8Array): { readonly line: number; readonly column: number; readonly octet: number } {
  const lossy = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
  const encoder = new TextEncoder();
  let offset = 0;
  let line = 1;
  let column = 1;
  for (const character of lossy) {
    const octets = encoder.encode(character);
    if (!octets.every((octet, i) => bytes[offset + i] === octet)) break;
    offset += octets.length;
    column += character.length;
    if (character === '\n') [line, column] = [line + 1, 1];
  }
  return { line, column, octet: Number(bytes[offset]) };
}

function tooLarge(
  at: { readonly file: string; readonly line: number; readonly column: number },
  max: number,
  errors: ErrorList,
): undefined {
  errors.add(
    'too-large',
    at,
    '',
  )(`the file is larger than ${max} bytes`, 'split it, or remove what does not belong in it');
  return undefined;
}
