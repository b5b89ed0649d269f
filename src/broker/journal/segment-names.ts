import { join } from 'node:path';
import type { JournalFileSystem } from './file-system.ts';

/** One file of a journal. */
export interface SegmentRef {
  /** From 1, without gaps unless an operator removed some. */
  readonly number: number;
  readonly name: string;
  readonly path: string;
}

const NAME = /^journal-(\d{6,15})\.jsonl$/;

/** Name of a segment: six digits or more, so that names sort as the segments do. */
export function segmentName(number: number): string {
  return `journal-${String(number).padStart(6, '0')}.jsonl`;
}

/** Number of the segment that a file name stands for; undefined for any other file. */
export function segmentNumber(name: string): number | undefined {
  const digits = NAME.exec(name)?.[1];
  const number = Number(digits);
  return digits !== undefined && number > 0 && segmentName(number) === name ? number : undefined;
}

export function segmentAt(directory: string, number: number): SegmentRef {
  const name = segmentName(number);
  return { number, name, path: join(directory, name) };
}

/** Segments of a directory, oldest first. @throws what the file system throws */
export async function listSegments(fileSystem: JournalFileSystem, directory: string): Promise<readonly SegmentRef[]> {
  return (await fileSystem.list(directory))
    .flatMap((name) => segmentNumber(name) ?? [])
    .sort((left, right) => left - right)
    .map((number) => segmentAt(directory, number));
}
