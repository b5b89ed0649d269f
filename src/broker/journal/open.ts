import { join, resolve } from 'node:path';
import type { Journal, JournalClock, OpenReport } from './contract.ts';
import { directoryProblem, isOpenToOthers } from './directory.ts';
import { asJournalError, JournalError } from './errors.ts';
import { hostJournalFileSystem, type JournalFile, type JournalFileSystem } from './file-system.ts';
import { JournalWriter, outcomeOf } from './journal.ts';
import { type JournalLock, lockDirectory } from './lock.ts';
import { scanSegment, type Tail } from './scan.ts';
import { FIRST_SEGMENT, keepAside } from './segment.ts';

export interface JournalOptions {
  /** Directory of this journal alone. Made with mode 0700 when it is not there. */
  readonly directory: string;
  readonly clock: JournalClock;
  /** Called when the journal fails, and again after each later failure; the broker raises taint A. Must not throw. */
  readonly onError?: (error: JournalError) => void;
  /** Called when it can be written again. Must not throw. */
  readonly onRecovered?: () => void;
  /** Milliseconds after which a record that nobody waits for is written. Default 20. */
  readonly flushAfterMs?: number;
  /** Bytes that may wait to be written; above it records are refused as `overloaded`. Default 8 MiB. */
  readonly maxPendingBytes?: number;
  /** Longest record in bytes. Default 4 MiB. */
  readonly maxRecordBytes?: number;
  /** Milliseconds to the first attempt to recover; doubles up to 5000. Default 250. */
  readonly retryAfterMs?: number;
  /** Milliseconds between two looks at an idle file. Default 1000. */
  readonly checkEveryMs?: number;
  readonly fileSystem?: JournalFileSystem;
  readonly lock?: (directory: string) => Promise<JournalLock>;
}

/** The clock of this process. */
export const systemJournalClock: JournalClock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
};

/**
 * Opens a journal for writing, or begins one. Every record there is verified; an incomplete last one is kept aside, cut
 * off and reported; intents without an outcome get the outcome `unknown`. All of that is on disk when it resolves.
 * @throws JournalError `locked`, `insecure`, `damaged`, `io`
 */
export async function openJournal(options: JournalOptions): Promise<Journal> {
  const fileSystem = options.fileSystem ?? hostJournalFileSystem;
  const lock = options.lock ?? lockDirectory;
  const directory = resolve(options.directory);
  let held: JournalLock | undefined;
  let file: JournalFile | undefined;
  let writer: JournalWriter | undefined;
  try {
    await fileSystem.makeDirectory(directory);
    const problem = await directoryProblem(fileSystem, directory);
    if (problem !== undefined) throw problem;
    held = await lock(directory);
    file = await openSegment(fileSystem, directory);
    const tail = await scanSegment(file, FIRST_SEGMENT);
    const torn = await mended(fileSystem, join(directory, FIRST_SEGMENT), file, tail);
    const unknown = tail.intents.list();
    const report: OpenReport = {
      records: tail.records,
      switches: tail.switches,
      ...(torn === undefined ? {} : { torn }),
      unknown,
    };
    writer = new JournalWriter(
      {
        directory,
        fileName: FIRST_SEGMENT,
        clock: options.clock,
        fileSystem,
        onError: options.onError ?? (() => undefined),
        onRecovered: options.onRecovered ?? (() => undefined),
        flushAfterMs: options.flushAfterMs ?? 20,
        maxPendingBytes: options.maxPendingBytes ?? 8 << 20,
        maxRecordBytes: options.maxRecordBytes ?? 4 << 20,
        retryAfterMs: options.retryAfterMs ?? 250,
        checkEveryMs: options.checkEveryMs ?? 1000,
        lock,
      },
      {
        report,
        file,
        lock: held,
        head: tail.head,
        end: { offset: tail.offset, lastLine: tail.lastLine },
        intents: tail.intents,
      },
    );
    await settlePast(writer, report);
    return writer;
  } catch (error) {
    // A writer has taken file and lock over, and may hold newer ones.
    if (writer === undefined) await file?.close().catch(() => undefined);
    else await writer.close().catch(() => undefined);
    held?.release();
    throw asJournalError(error, `journal \`${directory}\` can't be opened`);
  }
}

async function openSegment(fileSystem: JournalFileSystem, directory: string): Promise<JournalFile> {
  const path = join(directory, FIRST_SEGMENT);
  const found = await fileSystem.identity(path);
  if (found !== undefined) {
    if (isOpenToOthers(found))
      throw new JournalError('insecure', `\`${path}\` is open to others: run \`chmod 0600\` on it`);
    return fileSystem.open(path, 'append');
  }
  const file = await fileSystem.open(path, 'create');
  try {
    await fileSystem.syncDirectory(directory);
  } catch (error) {
    await file.close().catch(() => undefined);
    throw error;
  }
  return file;
}

/** Cuts an incomplete last record off, after its bytes were kept in a file of their own. */
async function mended(
  fileSystem: JournalFileSystem,
  path: string,
  file: JournalFile,
  tail: Tail,
): Promise<OpenReport['torn']> {
  if (tail.torn === undefined) return undefined;
  const { bytes, why } = tail.torn;
  const keptAs = await keepAside(fileSystem, path, file, tail.offset, tail.offset + bytes);
  await file.truncate(tail.offset);
  await file.datasync();
  return { bytes, keptAs, why };
}

/** Outcomes written at once at the start, so that they stay below the limit of what may wait. */
const SETTLED_AT_ONCE = 256;

/** Writes down what was found, so that the journal itself tells of it. */
async function settlePast(journal: Journal, { torn, unknown }: OpenReport): Promise<void> {
  if (torn !== undefined) {
    const { bytes: tornBytes, keptAs, why } = torn;
    const reason = `the last record was incomplete: ${why}`;
    await journal.append('recovery', { reason, tornBytes, keptAs }, { durable: true });
  }
  const reason = 'the broker stopped between sending and recording';
  for (let done = 0; done < unknown.length; done += SETTLED_AT_ONCE) {
    await Promise.all(
      unknown
        .slice(done, done + SETTLED_AT_ONCE)
        .map((intent) => journal.append('outcome', outcomeOf(intent, 'unknown', reason), { durable: true })),
    );
  }
}
