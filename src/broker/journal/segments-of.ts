import { basename, resolve } from 'node:path';
import { asJournalError, JournalError } from './errors.ts';
import type { JournalFileSystem } from './file-system.ts';
import { listSegments, type SegmentRef, segmentNumber } from './segment-names.ts';

/**
 * What is to be read of a path: the segments of a directory, oldest first, or the one file. A file with a name of its
 * own counts as number 0.
 * @throws JournalError `io`
 */
export async function segmentsOf(path: string, fileSystem: JournalFileSystem): Promise<readonly SegmentRef[]> {
  const whole = resolve(path);
  let segments: readonly SegmentRef[];
  try {
    segments = await listSegments(fileSystem, whole);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOTDIR')) {
      throw asJournalError(error, `journal \`${path}\` can't be read`);
    }
    const name = basename(whole);
    return [{ number: segmentNumber(name) ?? 0, name, path: whole }];
  }
  if (segments.length === 0) throw new JournalError('io', `there is no journal in \`${path}\``);
  return segments;
}
