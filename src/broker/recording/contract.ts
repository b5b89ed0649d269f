/**
 * What a console session needs of whoever records it. The session decides what may be recorded; the recording writes it
 * down, in the order of the calls, and loses nothing that it took.
 *
 * A recording that cannot be written ends its session: what is typed there has no other record.
 */

/** Says up to where a recording is as it was written. One such record stands in the journal at least every second. */
export interface RecordingLink {
  /** Name of the file in its directory. */
  readonly file: string;
  /** From 0, without gaps. */
  readonly link: number;
  /** Bytes of the file, from its beginning, that the digest covers. */
  readonly bytes: number;
  /** SHA-256 of these bytes as they stand in the file (encrypted, where they are), 64 hex digits. */
  readonly digest: string;
  /** Milliseconds of the recording that these bytes hold, from its beginning. */
  readonly elapsedMs: number;
  /** Present on the last one: the file is complete. */
  readonly final?: true;
}

export interface RecordingOptions {
  /** Where recordings are kept; it is there already, mode 0700. */
  readonly directory: string;
  /** Id of the session, a UUID; the file is named by it. */
  readonly session: string;
  readonly switch: string;
  /** Name of the program in the configuration. */
  readonly program: string;
  /** Columns and rows at the beginning, 1 to 1000. */
  readonly width: number;
  readonly height: number;
  /** Milliseconds since 1970. */
  readonly startedAtMs: number;
  /** `user:ISSUER#SUB`, for the header of the file. */
  readonly principal: string;
  /** PEM of the public key to encrypt to; absent: the recording is readable where it lies. */
  readonly publicKey?: string;
  /**
   * Writes a link into the journal (record `console`, change `recording`, member `recording`). Called within a second of
   * the first byte that no link covers, never twice at once, and once at the end with `final`. The first one comes before
   * `createRecording` resolves; after a disk that takes no more, a last one without `final` covers what it has.
   * Rejects when the journal cannot be written: that fails the recording.
   */
  readonly chain: (link: RecordingLink) => Promise<void>;
  /** Called once, with the first failure of file or journal. The session ends; nothing more is written. */
  readonly onFailed: (error: Error) => void;
}

/** A recording that is being made. Calls after a failure do nothing. */
export interface Recording {
  /** Name of the file in its directory. */
  readonly file: string;
  /**
   * Bytes that were taken and have not been given to the file system. The session reads no further from its terminal
   * while there are more than a megabyte, and goes on after `flush`.
   */
  readonly pendingBytes: number;
  /** What the program wrote, any bytes: a character or an escape sequence may be cut in two. The bytes may be kept. */
  output(bytes: Uint8Array, atMs: number): void;
  /**
   * What was typed. Only ever called with what the terminal echoes: what was typed while it did not, or while nobody
   * knows whether it does, comes as a marker that holds no more than its length.
   */
  input(bytes: Uint8Array, atMs: number): void;
  resize(columns: number, rows: number, atMs: number): void;
  /** A sentence of the broker's own: who began to watch, what was not recorded, why it ended. At most 1000 characters. */
  marker(text: string, atMs: number): void;
  /**
   * Everything taken so far is in the file (written, not necessarily synced). Waits for a link that is late as well: what is
   * not vouched for within a second is not shown. @throws RecordingError after a failure
   */
  flush(): Promise<void>;
  /** Writes what is left, syncs, chains the last link. Never called twice. @throws RecordingError */
  close(): Promise<RecordingLink>;
}

/**
 * Begins a recording: the file is new, mode 0600, and its header is on the disk when this resolves. The program is
 * started after that, never before.
 * @throws RecordingError
 */
export type CreateRecording = (options: RecordingOptions) => Promise<Recording>;

export class RecordingError extends Error {
  readonly code = 'ERECORDING';

  constructor(what: string, options?: ErrorOptions) {
    super(what, options);
    this.name = 'RecordingError';
  }
}
