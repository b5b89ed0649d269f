import { ChainCheck, type ChainProblem, type TrustedPart } from './chain-check.ts';
import { hostJournalFileSystem, type JournalFileSystem } from './file-system.ts';
import { parseLine } from './line.ts';
import { readLines } from './line-reader.ts';
import { type OpenIntent, OpenIntents } from './open-intents.ts';
import { openForReading } from './read.ts';

/** What a whole journal looks like to somebody who trusts nobody. */
export interface JournalVerdict {
  /** No problem was found and the last record is whole. */
  readonly intact: boolean;
  /** Name of the file. */
  readonly file: string;
  /** Whole records that were read, good or bad. */
  readonly records: number;
  readonly first?: { readonly sequence: number; readonly at: string };
  readonly last?: { readonly sequence: number; readonly at: string; readonly hash: string };
  /** In the order of the file; the first `problemLimit` of them. */
  readonly problems: readonly ChainProblem[];
  /** How many there are. */
  readonly problemCount: number;
  /** An incomplete last line: what a crash, or a broker that is writing now, leaves. */
  readonly torn?: { readonly line: number; readonly offset: number; readonly bytes: number };
  /** Everything up to here is an unbroken chain from the first record. Absent when not even the first one is good. */
  readonly trusted?: TrustedPart;
  /** Intents without an outcome: in flight now, or cut off by a crash that no start has settled yet. */
  readonly openIntents: readonly OpenIntent[];
  /** One sentence for people about what is still trustworthy. */
  readonly summary: string;
}

export interface VerifyOptions {
  /** Problems that are listed. Default 100; all are counted. */
  readonly problemLimit?: number;
  readonly fileSystem?: JournalFileSystem;
}

/**
 * Reads a whole journal, a directory or a file, and finds changed, removed, inserted, reordered and duplicated records
 * and a torn tail. Works on a copy, beside a running broker, and with memory that does not grow with the journal.
 *
 * The chain is not signed: it finds damage and careless edits. Who may write the file can recompute all of it, and
 * records cut off the end leave no trace.
 * @throws JournalError `io`
 */
export async function verifyJournal(path: string, options: VerifyOptions = {}): Promise<JournalVerdict> {
  const { problemLimit = 100, fileSystem = hostJournalFileSystem } = options;
  const { file, name } = await openForReading(path, fileSystem);
  const check = new ChainCheck(problemLimit);
  const intents = new OpenIntents();
  let records = 0;
  let first: JournalVerdict['first'];
  let last: JournalVerdict['last'];
  let torn: JournalVerdict['torn'];
  try {
    for await (const batch of readLines(file)) {
      for (const line of batch) {
        if (!line.terminated) {
          torn = { line: records + 1, offset: line.offset, bytes: line.length };
          continue;
        }
        records += 1;
        const parsed = parseLine(line.bytes);
        check.take({ line: records, offset: line.offset }, parsed);
        if (!parsed.ok) continue;
        const { record } = parsed;
        first ??= { sequence: record.seq, at: record.at };
        last = { sequence: record.seq, at: record.at, hash: record.hash };
        intents.note(record);
      }
    }
  } finally {
    await file.close();
  }
  const { problems, count, trusted } = check.result();
  const intact = count === 0 && torn === undefined;
  return {
    intact,
    file: name,
    records,
    ...(first === undefined ? {} : { first }),
    ...(last === undefined ? {} : { last }),
    problems,
    problemCount: count,
    ...(torn === undefined ? {} : { torn }),
    ...(trusted === undefined ? {} : { trusted }),
    openIntents: intents.list(),
    summary: summaryOf(records, count, torn !== undefined, trusted),
  };
}

function summaryOf(records: number, problems: number, torn: boolean, trusted: TrustedPart | undefined): string {
  if (records === 0) return torn ? 'no whole record; an incomplete one' : 'the journal is empty';
  const end = torn ? '; the last line is incomplete and no record' : '';
  if (problems === 0) return `${records} records, one unbroken chain${end}`;
  const count = `${problems} ${problems === 1 ? 'problem' : 'problems'} in ${records} records`;
  const good =
    trusted === undefined
      ? 'nothing in it can be relied on'
      : `lines 1 to ${trusted.line} (up to sequence ${trusted.sequence}) are unbroken, what follows can't be relied on`;
  return `${count}: ${good}${end}`;
}
