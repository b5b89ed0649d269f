import { resolve } from 'node:path';
import { Ahead } from './ahead.ts';
import type { DurableListener, Journal, JournalClock, OpenReport } from './contract.ts';
import { directoryProblem, isOpenToOthers } from './directory.ts';
import { asJournalError, JournalError } from './errors.ts';
import { hostJournalFileSystem, type JournalFile, type JournalFileSystem } from './file-system.ts';
import { JournalWriter } from './journal.ts';
import { type CheckpointSigner, checkpointKey } from './key.ts';
import { lastCheckpoint } from './last-checkpoint.ts';
import { type JournalLock, lockDirectory } from './lock.ts';
import { outcomeOf } from './recovery.ts';
import { scanFromBeginning, scanSegments, type Tail } from './scan.ts';
import { appendAll, keepAside } from './segment.ts';
import { listSegments, type SegmentRef, segmentAt } from './segment-names.ts';
import { holdAgainst } from './witness.ts';
import { WitnessFile } from './witness-file.ts';

export interface JournalOptions {
  /** Directory of this journal alone. Made with mode 0700 when it is not there. */
  readonly directory: string;
  readonly clock: JournalClock;
  /** Signs checkpoints. Without one there are none, and opening verifies every record. */
  readonly signer?: CheckpointSigner;
  /**
   * Files elsewhere to which checkpoints are written as they are made. At the start the journal must reach to the newest
   * checkpoint in each, or it was cut off while nobody looked.
   */
  readonly witnesses?: readonly string[];
  /** Called when a witness could not be written; the next checkpoint makes up for it. Must not throw. */
  readonly onWitnessError?: (path: string, error: Error) => void;
  /** Called when the journal fails, and again after each later failure; the broker raises taint A. Must not throw. */
  readonly onError?: (error: JournalError) => void;
  /** Called when it can be written again. Must not throw. */
  readonly onRecovered?: () => void;
  /** Called when the file ahead of the segment failed: durable appends take longer for a while. Must not throw. */
  readonly onAheadFailed?: (error: JournalError) => void;
  /** Called when it is written again. Must not throw. */
  readonly onAheadRecovered?: () => void;
  /** Told of records once they are on disk, and closed with the journal. */
  readonly listeners?: readonly DurableListener[];
  /** `strict`: every append waits for the disk, whatever it asks for. Default `by-effect`. */
  readonly durability?: 'by-effect' | 'strict';
  /** Milliseconds after which a record that nobody waits for is written. Default 20. */
  readonly flushAfterMs?: number;
  /** Bytes that may wait to be written; above it records are refused as `overloaded`. Default 8 MiB. */
  readonly maxPendingBytes?: number;
  /** Longest record in bytes. Default 4 MiB. */
  readonly maxRecordBytes?: number;
  /** Milliseconds to the first attempt to recover; doubles up to 5000. Default 250. */
  readonly retryAfterMs?: number;
  /** Milliseconds after which a record is signed. Default 900: with the flush, every second while records arrive. */
  readonly checkpointAfterMs?: number;
  /** Records after which it is signed at once. Default 8192: so many at most are verified by opening. */
  readonly checkpointRecords?: number;
  /** Bytes from which on the next record begins another segment. Default 64 MiB. */
  readonly segmentBytes?: number;
  /** Age of the first record from which on the next one begins another segment, in milliseconds. Default 24 hours. */
  readonly segmentAgeMs?: number;
  /** Size of the file where lines are put on disk ahead of their segment, in bytes. Default 1 MiB; 0 for none. */
  readonly aheadBytes?: number;
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
 * Opens a journal for writing, or begins one. What came after the last checkpoint of our key is verified, without a key
 * all of it; an incomplete last record is kept aside, cut off and reported; intents without an outcome get the outcome
 * `unknown`. All of that is on disk when it resolves.
 * @throws JournalError `locked`, `insecure`, `damaged`, `io`; with witnesses also `truncated` and `replaced`
 */
export async function openJournal(options: JournalOptions): Promise<Journal> {
  const fileSystem = options.fileSystem ?? hostJournalFileSystem;
  const lock = options.lock ?? lockDirectory;
  const directory = resolve(options.directory);
  let held: JournalLock | undefined;
  let file: JournalFile | undefined;
  let ahead: Ahead | undefined;
  let writer: JournalWriter | undefined;
  try {
    await fileSystem.makeDirectory(directory);
    const problem = await directoryProblem(fileSystem, directory);
    if (problem !== undefined) throw problem;
    held = await lock(directory);
    const tail = await tailOf(fileSystem, directory, options.signer);
    for (const witness of options.witnesses ?? []) await holdAgainst(witness, tail);
    file = await openSegment(fileSystem, directory, tail.segment);
    const torn = await mended(fileSystem, file, tail);
    const { aheadBytes = 1 << 20 } = options;
    if (aheadBytes > 0) ahead = await Ahead.open(fileSystem, directory, aheadBytes);
    // What is left there of a journal that was taken away is no part of the one that begins.
    if (tail.isNew) await ahead?.clear();
    // What a crash left ahead of its segment gets there before anything else.
    await appendAll(file, tail.ahead);
    const report = reportOf(tail, torn, options.signer);
    writer = new JournalWriter(
      {
        directory,
        clock: options.clock,
        fileSystem,
        signer: options.signer,
        onError: options.onError ?? (() => undefined),
        onRecovered: options.onRecovered ?? (() => undefined),
        onAheadFailed: options.onAheadFailed ?? (() => undefined),
        onAheadRecovered: options.onAheadRecovered ?? (() => undefined),
        listeners: [...witnessFiles(options), ...(options.listeners ?? [])],
        isStrict: options.durability === 'strict',
        flushAfterMs: options.flushAfterMs ?? 20,
        maxPendingBytes: options.maxPendingBytes ?? 8 << 20,
        maxRecordBytes: options.maxRecordBytes ?? 4 << 20,
        retryAfterMs: options.retryAfterMs ?? 250,
        checkEveryMs: options.checkEveryMs ?? 1000,
        checkpointAfterMs: options.checkpointAfterMs ?? 900,
        checkpointRecords: options.checkpointRecords ?? 8192,
        segmentBytes: options.segmentBytes ?? 64 << 20,
        segmentAgeMs: options.segmentAgeMs ?? 24 * 3_600_000,
        lock,
      },
      {
        report,
        segment: tail.segment,
        file,
        ahead,
        lock: held,
        chain: tail.chain,
        end: { offset: tail.offset + tail.ahead.length, lastLine: tail.lastLine },
        intents: tail.intents,
      },
    );
    await settlePast(writer, report, options.signer);
    return writer;
  } catch (error) {
    // A writer has taken file and lock over, and may hold newer ones.
    if (writer === undefined) {
      await file?.close().catch(() => undefined);
      await ahead?.close();
    } else await writer.close().catch(() => undefined);
    held?.release();
    throw asJournalError(error, `journal \`${directory}\` can't be opened`);
  }
}

function witnessFiles({ witnesses = [], onWitnessError = () => undefined }: JournalOptions): WitnessFile[] {
  return witnesses.map((path) => new WitnessFile(path, (error) => onWitnessError(path, error)));
}

async function tailOf(
  fileSystem: JournalFileSystem,
  directory: string,
  signer: CheckpointSigner | undefined,
): Promise<Tail> {
  const segments = await listSegments(fileSystem, directory);
  const [first] = segments;
  if (first === undefined) return scanSegments(fileSystem, [], scanFromBeginning(segmentAt(directory, 1)));
  const key = signer === undefined ? undefined : checkpointKey(signer.publicKey);
  const start =
    (key === undefined ? undefined : await lastCheckpoint(fileSystem, segments, key)) ?? scanFromBeginning(first);
  const rest = segments.filter(({ number }) => number >= start.segment.number);
  return scanSegments(fileSystem, rest, start, key);
}

function reportOf(tail: Tail, torn: OpenReport['torn'], signer: CheckpointSigner | undefined): OpenReport {
  const isOther = tail.lastKey !== undefined && signer !== undefined && tail.lastKey !== signer.keyId;
  return {
    records: tail.chain.head.sequence,
    verified: tail.records,
    switches: tail.switches,
    ...(torn === undefined ? {} : { torn }),
    ...(isOther ? { formerKey: tail.lastKey } : {}),
    unknown: tail.intents.list(),
  };
}

async function openSegment(
  fileSystem: JournalFileSystem,
  directory: string,
  { path }: SegmentRef,
): Promise<JournalFile> {
  const found = await fileSystem.identity(path);
  if (found !== undefined) {
    if (isOpenToOthers(found))
      throw new JournalError('insecure', `\`${path}\` is open to others: run \`chmod 0600\` on it`);
    return synced(await fileSystem.open(path, 'append'), fileSystem, directory);
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

/** What an earlier process wrote last, and its name, need not be on the disk yet, and no later append would take it there. */
async function synced(file: JournalFile, fileSystem: JournalFileSystem, directory: string): Promise<JournalFile> {
  try {
    await file.datasync();
    await fileSystem.syncDirectory(directory);
    return file;
  } catch (error) {
    await file.close().catch(() => undefined);
    throw error;
  }
}

/** Cuts an incomplete last record off, after its bytes were kept in a file of their own. */
async function mended(fileSystem: JournalFileSystem, file: JournalFile, tail: Tail): Promise<OpenReport['torn']> {
  if (tail.torn === undefined) return undefined;
  const { bytes, why } = tail.torn;
  const keptAs = await keepAside(fileSystem, tail.segment.path, file, tail.offset, tail.offset + bytes);
  await file.truncate(tail.offset);
  await file.datasync();
  return { bytes, keptAs, why };
}

/** Outcomes written at once at the start, so that they stay below the limit of what may wait. */
const SETTLED_AT_ONCE = 256;

/** Writes down what was found, so that the journal itself tells of it. */
async function settlePast(
  journal: Journal,
  { torn, unknown, formerKey }: OpenReport,
  signer: CheckpointSigner | undefined,
): Promise<void> {
  if (torn !== undefined) {
    const { bytes: tornBytes, keptAs, why } = torn;
    const reason = `the last record was incomplete: ${why}`;
    await journal.append('recovery', { reason, tornBytes, keptAs }, { durable: true });
  }
  if (formerKey !== undefined) {
    const reason = `checkpoints were signed with key ${formerKey} up to here and are signed with key ${signer?.keyId} from here on`;
    await journal.append('recovery', { reason }, { durable: true });
  }
  const reason = 'the broker stopped between sending and recording';
  for (let done = 0; done < unknown.length; done += SETTLED_AT_ONCE) {
    await Promise.all(
      unknown
        .slice(done, done + SETTLED_AT_ONCE)
        .map((intent) => journal.append('outcome', outcomeOf(intent, 'unknown', reason), { durable: true })),
    );
  }
  await journal.flush();
}
