import type { JournalError } from './errors.ts';
import type { PreparedMembers } from './line.ts';
import type { OpenIntent } from './open-intents.ts';
import type { AppendableKind, NotableKind, RecordBodies, RecordKind } from './records.ts';

/** Time for the journal. */
export interface JournalClock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Milliseconds on a clock that never goes back, such as `performance.now()`. */
  monotonic(): number;
}

/** Where a record is. */
export interface Appended {
  readonly sequence: number;
  /** 64 hex digits. */
  readonly hash: string;
}

export interface JournalHealth {
  /** `failed`: nothing can be recorded now, so nothing may be sent. */
  readonly state: 'open' | 'failed' | 'closed';
  /** Why, while it is failed. */
  readonly error?: JournalError;
  /** Sequence of the last accepted record. */
  readonly sequence: number;
  /** Sequence of the last record known to be on disk. */
  readonly durableSequence: number;
  /** Bytes accepted and not yet in their segment. */
  readonly pendingBytes: number;
  /** Failures since it was opened. */
  readonly failures: number;
}

/** A record that is on disk now. */
export interface DurableRecord {
  readonly kind: RecordKind;
  readonly sequence: number;
  /** Its line, with the newline. */
  readonly text: string;
  /** Of the line. */
  readonly bytes: number;
}

/** Is told of records once they are on disk, in the order of the journal. */
export interface DurableListener {
  /** Must not throw, and must not take long: everybody waits. */
  take(records: readonly DurableRecord[]): void;
  /** The journal was closed; there will be no more. Must not reject. */
  close(): Promise<void>;
}

/** What opening found. */
export interface OpenReport {
  /** Records before this run, those of segments that were taken away included. */
  readonly records: number;
  /** Of these, how many were read and verified now: those after the last checkpoint that our key signed. */
  readonly verified: number;
  /** Switches that those records name: for these, a missing taint ledger is a loss. */
  readonly switches: ReadonlySet<string>;
  /** Bytes of an incomplete last record that were cut off, and the file beside the journal that keeps them. */
  readonly torn?: { readonly bytes: number; readonly keptAs: string; readonly why: string };
  /** Intents of an earlier run that got the outcome `unknown` now. */
  readonly unknown: readonly OpenIntent[];
  /** Id of the key that signed before, when it is not the one that signs now. */
  readonly formerKey?: string;
}

export interface AppendOptions {
  /** Resolve when the record is on disk, not before. */
  readonly durable: boolean;
  /** Further members of the record, none of which its body has. */
  readonly prepared?: PreparedMembers;
}

export interface NoteOptions {
  /** Further members of the record, none of which its body has. */
  readonly prepared?: PreparedMembers;
  /** Told when the record could not be made after all: then it is not in the journal, and never will be. Must not throw. */
  readonly lost: (error: JournalError) => void;
}

/** The audit journal of one broker. */
export interface Journal {
  readonly report: OpenReport;
  /**
   * Adds a record. The order of calls is the order of sequence numbers and of the file.
   *
   * With `durable` it resolves when the record is on disk (`O_DSYNC`, one write shared by all that wait). Without, it resolves
   * at once and the record is on disk within 50 ms. A record whose append rejected may still appear in the journal;
   * recovery then says so (`refused`), and an intent among them gets the outcome `not-sent`: the caller must send
   * nothing and need not record that.
   * @throws JournalError `failed`, `overloaded`, `invalid`, `closed`; for durable ones also `io`, `replaced`, `truncated`
   */
  append<K extends AppendableKind>(kind: K, body: RecordBodies[K], options: AppendOptions): Promise<Appended>;
  /**
   * Adds a record that nobody waits for. It resolves at once; the record is made in the next turn of the event loop, and
   * before any that is appended after it, so the order of calls is the order of the journal all the same. On disk within 50 ms, and where every record is durable (`strict`) it resolves when it is.
   * A long one (16 KiB) is made at once.
   * @throws JournalError as `append` does, but `invalid` goes to `lost` where the record is made later
   */
  note<K extends NotableKind>(kind: K, body: RecordBodies[K], options: NoteOptions): Promise<void>;
  /** Resolves when everything accepted so far is on disk. @throws JournalError */
  flush(): Promise<void>;
  health(): JournalHealth;
  /** Intents on disk that have no outcome yet. */
  openIntents(): readonly OpenIntent[];
  /** Tries to recover now instead of at the next automatic attempt. Does nothing while open. @throws JournalError */
  reopen(): Promise<void>;
  /** Writes what is pending and gives the directory free. @throws JournalError when something accepted is lost */
  close(): Promise<void>;
}
