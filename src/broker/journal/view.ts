import { dirname, resolve } from 'node:path';
import { AheadSnapshot } from './ahead.ts';
import { asJournalError } from './errors.ts';
import type { JournalFileSystem } from './file-system.ts';
import type { SegmentRef } from './segment-names.ts';
import { segmentsOf } from './segments-of.ts';

/** What a reader begins with. */
export interface JournalView {
  /** Oldest first; what is on disk ahead of the newest stands in `ahead`, or by then in a segment. */
  readonly segments: readonly SegmentRef[];
  /** Undefined where the path is one segment by itself. */
  readonly ahead: AheadSnapshot | undefined;
}

/**
 * Looks at a directory, or at one segment, in the order in which nothing is missed that is on disk before: what is ahead of
 * the segments, then which there are, and what is in them after that.
 * @throws JournalError `io`
 */
export async function viewOf(path: string, fileSystem: JournalFileSystem): Promise<JournalView> {
  const segments = await segmentsOf(path, fileSystem);
  const [first] = segments;
  if (first === undefined || first.path === resolve(path)) return { segments, ahead: undefined };
  try {
    const ahead = await AheadSnapshot.read(fileSystem, dirname(first.path));
    return { segments: await segmentsOf(path, fileSystem), ahead };
  } catch (error) {
    throw asJournalError(error, `what is ahead of journal \`${path}\` can't be read`);
  }
}
