/**
 * - `locked`: another broker writes this journal
 * - `insecure`: others can read or write the directory
 * - `damaged`: a record before the last one is missing, changed or unreadable; `position` says where
 * - `truncated`: the journal is shorter than it is known to have been
 * - `replaced`: the file at the journal's path is another one, or somebody else wrote into it
 * - `io`: the file system refused: disk full, read-only, I/O error, directory gone
 * - `failed`: an earlier write failed and the journal has not recovered yet; nothing was recorded
 * - `overloaded`: too many bytes wait to be written; nothing was recorded, try again
 * - `invalid`: the record can't be written as JSON, uses a reserved name or is too large
 * - `undelivered`: a sink that is enforced did not take the intent in time; nothing may be sent for it
 * - `closed`: the journal was closed
 */
export type JournalErrorCode =
  | 'locked'
  | 'insecure'
  | 'damaged'
  | 'truncated'
  | 'replaced'
  | 'io'
  | 'failed'
  | 'overloaded'
  | 'invalid'
  | 'undelivered'
  | 'closed';

/** A place in a journal. */
export interface JournalPosition {
  /** Name of the segment file. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** Bytes from the beginning of the file. */
  readonly offset: number;
  /** Sequence number of the last record before it that is as it should be; 0 when there is none. */
  readonly afterSequence: number;
}

/** The only error that the journal throws. */
export class JournalError extends Error {
  readonly code: JournalErrorCode;
  readonly position: JournalPosition | undefined;

  constructor(code: JournalErrorCode, message: string, options: ErrorOptions & { position?: JournalPosition } = {}) {
    super(message, options);
    this.name = 'JournalError';
    this.code = code;
    this.position = options.position;
  }
}

/** The error itself when it is ours, else an `io` error with what was being done. */
export function asJournalError(error: unknown, doing: string): JournalError {
  if (error instanceof JournalError) return error;
  return new JournalError('io', `${doing}: ${error instanceof Error ? error.message : String(error)}`, {
    cause: error,
  });
}
