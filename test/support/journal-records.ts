import { join } from 'node:path';
import { readJournal } from '../../src/broker/journal/index.ts';

/** All records that a broker has on disk now, by the directory of its state. */
export async function journalRecords(stateDirectory: string): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const records: Readonly<Record<string, unknown>>[] = [];
  for await (const record of readJournal(join(stateDirectory, 'journal'))) records.push({ ...record });
  return records;
}
