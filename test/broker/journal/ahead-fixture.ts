import { join } from 'node:path';
import type { Journal, JournalOptions } from '../../../src/broker/journal/index.ts';
import { check, DIRECTORY, intent, openInMemory, PATH } from './fixture.ts';
import { MemoryFileSystem } from './memory-file-system.ts';

export const AHEAD = join(DIRECTORY, 'ahead.journal');
/** Nothing goes into a segment before it is told to, or has to. */
export const HELD: Partial<JournalOptions> = { aheadBytes: 8192, flushAfterMs: 1_000_000 };

/** Request ids of records. */
export async function ids(records: AsyncIterable<object>): Promise<unknown[]> {
  const found: unknown[] = [];
  for await (const record of records) found.push('requestId' in record ? record.requestId : undefined);
  return found;
}

export async function durably(journal: Journal, requestId: string): Promise<{ sequence: number; hash: string }> {
  return journal.append('intent', intent(requestId), { durable: true });
}

/** A journal with intents on disk: the first one in its segment, the others ahead of it. */
export async function someAhead(others: readonly string[], more: Partial<JournalOptions> = {}) {
  const opened = await openInMemory(new MemoryFileSystem(), { ...HELD, ...more });
  await durably(opened.journal, 'r-1');
  await opened.journal.flush();
  for (const id of others) await durably(opened.journal, id);
  return opened;
}

/** Request ids of the intents of a segment, which verifies. */
export function intentsOf(fileSystem: MemoryFileSystem): unknown[] {
  return check(fileSystem.text(PATH)).flatMap(({ kind, requestId }) => (kind === 'intent' ? [requestId] : []));
}
