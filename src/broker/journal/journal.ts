import { join } from 'node:path';
import type { Appended, Journal, JournalClock, JournalHealth, OpenReport } from './contract.ts';
import { directoryProblem } from './directory.ts';
import { asJournalError, JournalError } from './errors.ts';
import type { JournalFile, JournalFileSystem } from './file-system.ts';
import { buildLine, type ChainHead } from './line.ts';
import type { JournalLock } from './lock.ts';
import { intentNote, type OpenIntent, type OpenIntents } from './open-intents.ts';
import { bytesOf, type PendingLine, PendingLines } from './pending.ts';
import type { RecordBodies, RecordKind } from './records.ts';
import { appendAll, type DurableEnd, inspect, reattach } from './segment.ts';

export interface WriterOptions {
  readonly directory: string;
  readonly fileName: string;
  readonly clock: JournalClock;
  readonly fileSystem: JournalFileSystem;
  readonly onError: (error: JournalError) => void;
  readonly onRecovered: () => void;
  readonly flushAfterMs: number;
  readonly maxPendingBytes: number;
  readonly maxRecordBytes: number;
  readonly retryAfterMs: number;
  readonly checkEveryMs: number;
  readonly lock: (directory: string) => Promise<JournalLock>;
}

/** What a writer takes over from the opening. */
export interface WriterStart {
  readonly report: OpenReport;
  readonly file: JournalFile;
  readonly lock: JournalLock;
  readonly head: ChainHead;
  readonly end: DurableEnd;
  readonly intents: OpenIntents;
}

/** Longest pause between two automatic attempts to recover, in milliseconds. */
const MAX_RETRY_MS = 5000;

/** The writing half: a chain of records, one group commit at a time, and what happens when the disk says no. */
export class JournalWriter implements Journal {
  readonly report: OpenReport;
  readonly #options: WriterOptions;
  readonly #path: string;
  readonly #pending = new PendingLines();
  readonly #intents: OpenIntents;
  #file: JournalFile;
  #lock: JournalLock;
  #head: ChainHead;
  #end: DurableEnd;
  #durableSequence: number;
  /** Bytes of the last write, to tell our own torn write from somebody else's. */
  #attempted: Uint8Array = new Uint8Array(0);
  #flushing: Promise<void> | undefined;
  #flushTimer: NodeJS.Timeout | undefined;
  #retryTimer: NodeJS.Timeout | undefined;
  #recovering: Promise<void> | undefined;
  readonly #checkTimer: NodeJS.Timeout;
  /** Why it is failed; of several, the newest. */
  #error: JournalError | undefined;
  /** What made it fail first. */
  #cause: JournalError | undefined;
  #failures = 0;
  #closed: Promise<void> | undefined;

  constructor(options: WriterOptions, start: WriterStart) {
    this.report = start.report;
    this.#options = options;
    this.#path = join(options.directory, options.fileName);
    this.#file = start.file;
    this.#lock = start.lock;
    this.#head = start.head;
    this.#end = start.end;
    this.#durableSequence = start.head.sequence;
    this.#intents = start.intents;
    this.#checkTimer = setInterval(() => this.#startCheck(), options.checkEveryMs);
    this.#checkTimer.unref();
  }

  append<K extends RecordKind>(
    kind: K,
    body: RecordBodies[K],
    { durable }: { readonly durable: boolean },
  ): Promise<Appended> {
    let line: PendingLine;
    try {
      this.#mustAccept();
      line = this.#chained(kind, body);
    } catch (error) {
      return Promise.reject(asJournalError(error, `a ${kind} record can't be made`));
    }
    const appended: Appended = { sequence: this.#head.sequence, hash: this.#head.hash };
    this.#pending.add(line);
    if (!durable) {
      this.#flushTimer ??= setTimeout(() => this.#startFlush(), this.#options.flushAfterMs);
      return Promise.resolve(appended);
    }
    const settled = new Promise<Appended>((resolve, reject) => {
      line.waiter = { resolve: () => resolve(appended), reject };
    });
    this.#startFlush();
    return settled;
  }

  health(): JournalHealth {
    return {
      state: this.#closed !== undefined ? 'closed' : this.#error !== undefined ? 'failed' : 'open',
      ...(this.#error === undefined ? {} : { error: this.#error }),
      sequence: this.#head.sequence,
      durableSequence: this.#durableSequence,
      pendingBytes: this.#pending.bytes,
      failures: this.#failures,
    };
  }

  openIntents(): readonly OpenIntent[] {
    return this.#intents.list();
  }

  async flush(): Promise<void> {
    this.#startFlush();
    await this.#flushing;
    if (this.#error !== undefined) throw this.#error;
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    clearTimeout(this.#retryTimer);
    clearInterval(this.#checkTimer);
    try {
      await this.#recovering?.catch(() => undefined);
      // One more try for what a failing disk has not taken yet.
      await this.flush().catch(() => this.#recover());
    } finally {
      clearTimeout(this.#retryTimer);
      clearTimeout(this.#flushTimer);
      await this.#file.close().catch(() => undefined);
      this.#lock.release();
    }
  }

  async reopen(): Promise<void> {
    if (this.#closed !== undefined) throw closedError();
    if (this.#error === undefined) return;
    clearTimeout(this.#retryTimer);
    await this.#recoverOnce().catch((error: unknown) => {
      this.#retryLater(this.#options.retryAfterMs);
      throw error;
    });
  }

  #mustAccept(): void {
    if (this.#closed !== undefined) throw closedError();
    if (this.#error !== undefined) {
      const message = `the journal can't be written, so nothing is sent: ${this.#error.message}`;
      throw new JournalError('failed', message, { cause: this.#error });
    }
    if (this.#pending.bytes > this.#options.maxPendingBytes) {
      throw new JournalError('overloaded', `${this.#pending.bytes} bytes wait to be written to the journal`);
    }
  }

  /** Puts a record at the end of the chain. */
  #chained<K extends RecordKind>(kind: K, body: RecordBodies[K]): PendingLine {
    const { clock, maxRecordBytes } = this.#options;
    const at = new Date(clock.now()).toISOString();
    const { text, head } = buildLine(kind, body, this.#head, at, clock.monotonic());
    const bytes = Buffer.byteLength(text);
    if (bytes > maxRecordBytes) {
      throw new JournalError('invalid', `a ${kind} record of ${bytes} bytes is over the limit of ${maxRecordBytes}`);
    }
    this.#head = head;
    return {
      sequence: head.sequence,
      text,
      bytes,
      note: intentNote(kind, head.sequence, body),
      waiter: undefined,
      refused: false,
    };
  }

  #startFlush(): void {
    clearTimeout(this.#flushTimer);
    this.#flushTimer = undefined;
    if (this.#error !== undefined) return;
    this.#flushing ??= this.#flushAll();
  }

  /** Looks whether the file is still ours while nothing is written. Else every write looks. */
  #startCheck(): void {
    if (this.#error !== undefined || this.#flushing !== undefined) return;
    this.#flushing = this.#checkThenFlush();
  }

  async #checkThenFlush(): Promise<void> {
    try {
      await inspect(this.#options.fileSystem, this.#file, this.#path, this.#end.offset);
    } catch (error) {
      this.#flushing = undefined;
      this.#fail(asJournalError(error, `\`${this.#path}\` can't be checked`));
      return;
    }
    // What was appended meanwhile saw that something was running and waits for it.
    await this.#flushAll();
  }

  // One commit at a time: what arrives meanwhile shares the next.
  async #flushAll(): Promise<void> {
    // Everything that is appended in this turn of the event loop shares the first one.
    await Promise.resolve();
    while (this.#pending.length > 0 && (await this.#flushOnce()));
    // INVARIANT: no turn between the last look at what is pending and this, or an append would wait for ever.
    this.#flushing = undefined;
  }

  /** True when it worked. */
  async #flushOnce(): Promise<boolean> {
    const lines = this.#pending.snapshot();
    const bytes = bytesOf(lines);
    try {
      await this.#write(this.#file, bytes);
    } catch (error) {
      this.#fail(asJournalError(error, `\`${this.#path}\` can't be written`));
      return false;
    }
    this.#durable(lines, bytes);
    return true;
  }

  async #write(file: JournalFile, bytes: Uint8Array): Promise<void> {
    this.#attempted = bytes;
    await appendAll(file, bytes);
    // Side by side, since the sync takes longer than the look. Both are awaited: neither may still run when we recover.
    const size = this.#end.offset + bytes.length;
    const done = await Promise.allSettled([file.datasync(), inspect(this.#options.fileSystem, file, this.#path, size)]);
    for (const part of done) if (part.status === 'rejected') throw part.reason;
  }

  #durable(lines: readonly PendingLine[], bytes: Buffer): void {
    const last = lines.at(-1);
    if (last === undefined) return;
    this.#end = { offset: this.#end.offset + bytes.length, lastLine: Buffer.from(last.text) };
    this.#durableSequence = last.sequence;
    for (const line of lines) if (line.note !== undefined) this.#intents.apply(line.note);
    this.#pending.settle(lines.length);
  }

  #fail(error: JournalError): void {
    this.#error = error;
    this.#cause = error;
    this.#failures += 1;
    this.#pending.refuse(error);
    this.#retryLater(this.#options.retryAfterMs);
    this.#options.onError(error);
  }

  #retryLater(delayMs: number): void {
    clearTimeout(this.#retryTimer);
    if (this.#closed !== undefined) return;
    this.#retryTimer = setTimeout(() => {
      this.#recoverOnce().catch(() => this.#retryLater(Math.min(delayMs * 2, MAX_RETRY_MS)));
    }, delayMs);
    this.#retryTimer.unref();
  }

  #recoverOnce(): Promise<void> {
    this.#recovering ??= this.#recover().finally(() => {
      this.#recovering = undefined;
    });
    return this.#recovering;
  }

  /** Opens the file again, writes what was accepted before the failure and a record that says what happened. */
  async #recover(): Promise<void> {
    const failure = this.#cause;
    if (failure === undefined) return;
    const { fileSystem, directory, lock } = this.#options;
    const headBefore = this.#head;
    let file: JournalFile | undefined;
    try {
      const problem = await directoryProblem(fileSystem, directory);
      if (problem !== undefined) throw problem;
      this.#lock.release();
      this.#lock = await lock(directory);
      const again = await reattach(fileSystem, this.#path, this.#file, this.#end, this.#attempted);
      file = again.file;
      const waiting = this.#pending.snapshot();
      const told = this.#recoveryLines(failure, waiting, again.cut);
      const lines = [...waiting, ...told];
      const bytes = bytesOf(lines);
      await this.#write(file, bytes);
      for (const line of told) this.#pending.add(line);
      this.#durable(lines, bytes);
    } catch (error) {
      // The chain goes back to what was accepted, so that the next attempt tells its own story.
      this.#head = headBefore;
      await file?.close().catch(() => undefined);
      this.#error = asJournalError(error, `\`${this.#path}\` can't be opened again`);
      throw this.#error;
    }
    await this.#file.close().catch(() => undefined);
    this.#file = file;
    this.#error = undefined;
    this.#cause = undefined;
    this.#options.onRecovered();
  }

  #recoveryLines(
    failure: JournalError,
    waiting: readonly PendingLine[],
    cut: { readonly bytes: number; readonly keptAs: string } | undefined,
  ): PendingLine[] {
    const refused = waiting.filter((line) => line.refused);
    const recovery = this.#chained('recovery', {
      reason: `the journal could not be written: ${failure.message}`,
      ...(cut === undefined ? {} : { tornBytes: cut.bytes, keptAs: cut.keptAs }),
      rewritten: waiting.length,
      refused: refused.map((line) => line.sequence),
    });
    const reason = 'the intent could not be made durable, so nothing was sent';
    const outcomes = refused.flatMap(({ note }) =>
      note?.kind === 'intent' ? [this.#chained('outcome', outcomeOf(note.intent, 'not-sent', reason))] : [],
    );
    return [recovery, ...outcomes];
  }
}

/** The outcome that the journal itself records for an intent. */
export function outcomeOf(
  intent: OpenIntent,
  outcome: 'not-sent' | 'unknown',
  reason: string,
): RecordBodies['outcome'] {
  const { sequence, ...caller } = intent;
  return {
    ...caller,
    intent: sequence,
    outcome,
    reason,
    ...(outcome === 'unknown' ? { flags: ['unknown-outcome'] as const } : {}),
  };
}

function closedError(): JournalError {
  return new JournalError('closed', 'the journal is closed');
}
