import { join } from 'node:path';
import type { JournalRecord } from '../../broker/journal/index.ts';
import type { Io } from '../io.ts';
import { LocalError } from '../usage-error.ts';

/** Records between two looks at the clock of the progress bar. */
const STEP = 2000;

/** Where the journal of a configuration is. */
export function journalPath(given: string | undefined, stateDirectory: string): string {
  return given ?? join(stateDirectory, 'journal');
}

/**
 * Every decision and intent of a journal, oldest first, with a progress bar where stderr is a terminal.
 *
 * @throws LocalError when it can't be read
 */
export async function eachDecision(
  io: Io,
  path: string,
  take: (record: JournalRecord) => void,
): Promise<{ readonly unreadable: number }> {
  const { JournalError, readJournal } = await import('../../broker/journal/index.ts');
  let unreadable = 0;
  const onUnreadable = (): void => {
    unreadable += 1;
  };
  const bar = io.errIsTerminal ? new ProgressBar(io) : undefined;
  try {
    if (bar !== undefined) for await (const last of readJournal(path, { tail: 1 })) bar.end = last.seq;
    let seen = 0;
    for await (const record of readJournal(path, { filter: { kinds: ['decision', 'intent'] }, onUnreadable })) {
      take(record);
      seen += 1;
      if (seen % STEP === 0) bar?.show(record.seq);
    }
  } catch (error) {
    if (!(error instanceof JournalError)) throw error;
    throw new LocalError(error.message, 'name the file or directory with --journal');
  } finally {
    bar?.clear();
  }
  return { unreadable };
}

const WIDTH = 30;
const REDRAW_MS = 100;

/** One line on stderr that is drawn over and over, and gone in the end. */
class ProgressBar {
  /** Sequence of the last record. */
  end = 1;
  readonly #io: Io;
  #drawnMs = 0;

  constructor(io: Io) {
    this.#io = io;
  }

  show(sequence: number): void {
    const nowMs = performance.now();
    if (nowMs - this.#drawnMs < REDRAW_MS) return;
    this.#drawnMs = nowMs;
    const part = Math.min(1, sequence / Math.max(1, this.end));
    const filled = Math.round(part * WIDTH);
    const percent = String(Math.floor(part * 100)).padStart(3);
    this.#io.err(`\r[${'#'.repeat(filled)}${'.'.repeat(WIDTH - filled)}] ${percent}% ${sequence.toLocaleString('en')}`);
  }

  clear(): void {
    this.#io.err('\r\u001b[K');
  }
}
