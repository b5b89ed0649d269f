import { join } from 'node:path';
import { type ConfigFlags, readConfig } from './settings.ts';
import { LocalError } from './usage-error.ts';

export interface AuditFlags extends ConfigFlags {
  readonly journal?: string;
  readonly json?: boolean;
}

/** The journal that is named, or that of the configuration. */
export async function journalPath(flags: AuditFlags): Promise<string> {
  return flags.journal ?? join((await readConfig(flags)).stateDirectory, 'journal');
}

/** Failures of the journal as sentences with a way out. */
export async function withJournal<T>(use: () => Promise<T>): Promise<T> {
  const { JournalError } = await import('../broker/journal/index.ts');
  try {
    return await use();
  } catch (error) {
    if (!(error instanceof JournalError)) throw error;
    throw new LocalError(error.message, 'name the directory with --journal, or the configuration with --config');
  }
}
