import { Chain, type ChainState } from './chain.ts';
import type {
  Appended,
  AppendOptions,
  DurableListener,
  DurableRecord,
  Journal,
  JournalClock,
  JournalHealth,
  NoteOptions,
  OpenReport,
} from './contract.ts';
import { directoryProblem } from './directory.ts';
import { type AheadEvents, JournalDisk, type OpenFiles } from './disk.ts';
import { asJournalError, JournalError } from './errors.ts';
import type { JournalFileSystem } from './file-system.ts';
import type { CheckpointSigner } from './key.ts';
import { LineSlabs } from './line-slabs.ts';
import type { JournalLock } from './lock.ts';
import type { OpenIntent, OpenIntents } from './open-intents.ts';
import { type PendingLine, PendingLines } from './pending.ts';
import type { AppendableKind, NotableKind, RecordBodies } from './records.ts';
import { Recovery } from './recovery.ts';

export interface WriterOptions extends AheadEvents {
  readonly directory: string;
  readonly clock: JournalClock;
  readonly fileSystem: JournalFileSystem;
  readonly signer: CheckpointSigner | undefined;
  readonly onError: (error: JournalError) => void;
  readonly onRecovered: () => void;
  readonly listeners: readonly DurableListener[];
  readonly isStrict: boolean;
  readonly flushAfterMs: number;
  readonly maxPendingBytes: number;
  readonly maxRecordBytes: number;
  readonly retryAfterMs: number;
  readonly checkEveryMs: number;
  readonly checkpointAfterMs: number;
  readonly checkpointRecords: number;
  readonly segmentBytes: number;
  readonly segmentAgeMs: number;
  readonly lock: (directory: string) => Promise<JournalLock>;
}

/** What a writer takes over from the opening. */
export interface WriterStart extends OpenFiles {
  readonly report: OpenReport;
  readonly lock: JournalLock;
  readonly chain: ChainState;
  readonly intents: OpenIntents;
}

/** A record that was accepted and is not made yet. */
interface Noted {
  readonly atMs: number;
  readonly make: () => PendingLine;
  readonly lost: (error: JournalError) => void;
}

/** As many are made at once where one turn of the event loop brings more. */
const NOTED_MAX = 64;
/** Longer ones, in characters, may prove too long for a record, and somebody has to hear that. */
const NOTED_TEXT_MAX = 16_384;

/** Longest pause between two automatic attempts to recover, in milliseconds. */
const MAX_RETRY_MS = 5000;

/** The writing half: a chain of records, one group commit at a time, and what happens when the disk says no. */
export class JournalWriter implements Journal {
  readonly report: OpenReport;
  readonly #options: WriterOptions;
  readonly #chain: Chain;
  readonly #disk: JournalDisk;
  readonly #slabs = new LineSlabs();
  readonly #pending = new PendingLines(this.#slabs);
  #noted: Noted[] = [];
  #making: NodeJS.Immediate | undefined;
  /** Of what is on disk; the chain has its own, which is ahead. */
  readonly #intents: OpenIntents;
  readonly #recovery = new Recovery();
  #lock: JournalLock;
  #durableSequence: number;
  #flushing: Promise<void> | undefined;
  /** Up to this record somebody waits for the disk. */
  #wanted = 0;
  /** Up to this one all are in their segment. */
  #filedSequence: number;
  /** Up to this one they should be: the time has come. */
  #wantedFiled = 0;
  #flushTimer: NodeJS.Timeout | undefined;
  #checkpointTimer: NodeJS.Timeout | undefined;
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
    this.#chain = new Chain(options, start.chain, start.intents.copy(), start.report.switches, this.#slabs);
    this.#disk = new JournalDisk(options.fileSystem, options.directory, start, options);
    this.#lock = start.lock;
    this.#durableSequence = start.chain.head.sequence;
    this.#filedSequence = this.#durableSequence;
    this.#intents = start.intents;
    this.#checkTimer = setInterval(() => this.#startCheck(), options.checkEveryMs);
    this.#checkTimer.unref();
    // What a crash left unsigned is signed before anything new follows it.
    this.#checkpoint();
    this.#flushLater();
  }

  append<K extends AppendableKind>(
    kind: K,
    body: RecordBodies[K],
    { durable, prepared }: AppendOptions,
  ): Promise<Appended> {
    let line: PendingLine;
    try {
      this.#makeNoted();
      this.#mustAccept();
      const nowMs = this.#options.clock.now();
      this.#rotateWhenFull(nowMs);
      line = this.#chain.record(kind, body, nowMs, prepared);
    } catch (error) {
      return Promise.reject(asJournalError(error, `a ${kind} record can't be made`));
    }
    const { sequence, hash } = this.#chain.head;
    const appended: Appended = { sequence, hash };
    this.#pending.add(line);
    this.#signInTime();
    if (!durable && !this.#options.isStrict) {
      this.#flushLater();
      return Promise.resolve(appended);
    }
    const settled = new Promise<Appended>((resolve, reject) => {
      line.waiter = { resolve: () => resolve(appended), reject };
    });
    this.#startFlush();
    return settled;
  }

  async note<K extends NotableKind>(kind: K, body: RecordBodies[K], { prepared, lost }: NoteOptions): Promise<void> {
    if (this.#options.isStrict || (prepared?.text.length ?? 0) > NOTED_TEXT_MAX) {
      await this.append(kind, body, { durable: false, ...(prepared === undefined ? {} : { prepared }) });
      return;
    }
    this.#mustAccept();
    const atMs = this.#options.clock.now();
    this.#noted.push({ atMs, make: () => this.#chain.record(kind, body, atMs, prepared), lost });
    if (this.#noted.length >= NOTED_MAX) this.#makeNoted();
    else this.#makeBehind();
  }

  /** Behind the replies of this turn of the event loop, which may leave at its end. */
  #makeBehind(): void {
    this.#making ??= setImmediate(() => {
      this.#making = setImmediate(() => this.#makeNoted());
    });
  }

  /** INVARIANT: before anything else that goes into the chain, or looks where it ends. */
  #makeNoted(): void {
    if (this.#noted.length === 0) return;
    clearImmediate(this.#making);
    this.#making = undefined;
    const noted = this.#noted;
    this.#noted = [];
    for (const { atMs, make, lost } of noted) {
      try {
        this.#rotateWhenFull(atMs);
        this.#pending.add(make());
      } catch (error) {
        lost(asJournalError(error, "a record that was accepted can't be made"));
      }
    }
    this.#signInTime();
    if (this.#error === undefined) this.#flushLater();
  }

  health(): JournalHealth {
    return {
      state: this.#closed !== undefined ? 'closed' : this.#error !== undefined ? 'failed' : 'open',
      ...(this.#error === undefined ? {} : { error: this.#error }),
      sequence: this.#chain.head.sequence,
      durableSequence: this.#durableSequence,
      pendingBytes: this.#pending.bytes,
      failures: this.#failures,
    };
  }

  openIntents(): readonly OpenIntent[] {
    return this.#intents.list();
  }

  async flush(): Promise<void> {
    this.#makeNoted();
    this.#startFiling();
    await this.#flushing;
    if (this.#error !== undefined) throw this.#error;
  }

  close(): Promise<void> {
    this.#makeNoted();
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    clearTimeout(this.#retryTimer);
    clearInterval(this.#checkTimer);
    try {
      await this.#recovering?.catch(() => undefined);
      if (this.#error === undefined) this.#checkpoint();
      // One more try for what a failing disk has not taken yet.
      await this.flush().catch(() => this.#recover());
      // Recovering has written records of its own.
      this.#checkpoint();
      await this.flush();
    } finally {
      clearTimeout(this.#retryTimer);
      clearTimeout(this.#flushTimer);
      clearTimeout(this.#checkpointTimer);
      await this.#disk.close();
      this.#lock.release();
      await Promise.all(this.#options.listeners.map((listener) => listener.close()));
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

  /** Seals a segment that is large or old enough, so that the next record begins another one. */
  #rotateWhenFull(nowMs: number): void {
    if (!this.#chain.isSegmentFull(nowMs)) return;
    this.#checkpoint();
    this.#chain.beginSegment();
  }

  #signInTime(): void {
    if (this.#chain.unsigned >= this.#options.checkpointRecords) this.#checkpoint();
    else this.#checkpointLater();
  }

  #checkpointLater(): void {
    if (this.#options.signer === undefined) return;
    this.#checkpointTimer ??= setTimeout(() => {
      this.#checkpointTimer = undefined;
      // After a failure there are new records, and with them a new timer.
      if (this.#error !== undefined || this.#closed !== undefined) return;
      this.#checkpoint();
      this.#startFiling();
    }, this.#options.checkpointAfterMs).unref();
  }

  /** Puts a checkpoint at the end of the chain. */
  #checkpoint(): void {
    clearTimeout(this.#checkpointTimer);
    this.#checkpointTimer = undefined;
    if (this.#chain.unsigned === 0) return;
    const line = this.#chain.checkpoint(this.#options.clock.now());
    if (line !== undefined) this.#pending.add(line);
  }

  #flushLater(): void {
    if (this.#pending.length === 0) return;
    this.#flushTimer ??= setTimeout(() => this.#startFiling(), this.#options.flushAfterMs);
  }

  /** Takes everything into its segment. */
  #startFiling(): void {
    clearTimeout(this.#flushTimer);
    this.#flushTimer = undefined;
    this.#wantedFiled = this.#chain.head.sequence;
    this.#startFlush();
  }

  /** Takes everything to the disk. */
  #startFlush(): void {
    this.#wanted = this.#chain.head.sequence;
    if (this.#error !== undefined) return;
    this.#flushing ??= this.#flushAll();
  }

  /** Looks whether the files are still ours while nothing is written. Else each write into a segment looks. */
  #startCheck(): void {
    if (this.#error !== undefined || this.#flushing !== undefined) return;
    this.#flushing = this.#checkThenFlush();
  }

  async #checkThenFlush(): Promise<void> {
    try {
      await this.#disk.look(this.#pending.length === 0 ? this.#chain.head : undefined);
    } catch (error) {
      this.#flushing = undefined;
      this.#fail(asJournalError(error, `\`${this.#disk.path}\` can't be checked`));
      return;
    }
    // What was appended meanwhile saw that something was running and waits for it.
    await this.#flushAll();
  }

  // One commit at a time: what arrives meanwhile shares the next.
  async #flushAll(): Promise<void> {
    // Everything that is appended in this turn of the event loop shares the first one.
    await Promise.resolve();
    // Beyond that nobody waits: what came meanwhile shares a later one, or a steady caller would keep the disk busy alone.
    while (this.#isBehind() && (await this.#flushOnce()));
    // INVARIANT: no turn between the last look at what is pending and this, or an append would wait for ever.
    this.#flushing = undefined;
  }

  #isBehind(): boolean {
    if (this.#pending.length === 0) return false;
    return this.#durableSequence < this.#wanted || this.#filedSequence < this.#wantedFiled;
  }

  /** True when it worked. */
  async #flushOnce(): Promise<boolean> {
    try {
      const fresh = this.#pending.fresh();
      const isDue = this.#filedSequence < this.#wantedFiled;
      if (!isDue && this.#disk.takesAhead(fresh)) await this.#putAhead(fresh);
      else await this.#file(this.#pending.ofOneSegment());
      return true;
    } catch (error) {
      this.#fail(asJournalError(error, `\`${this.#disk.path}\` can't be written`));
      return false;
    }
  }

  async #putAhead(lines: readonly PendingLine[]): Promise<void> {
    await this.#disk.putAhead(lines);
    this.#durable(lines);
    this.#pending.putAhead(lines.length);
    this.#flushLater();
  }

  async #file(lines: readonly PendingLine[]): Promise<void> {
    await this.#disk.file(lines);
    this.#filed(lines);
  }

  /** INVARIANT: lines that are ahead are of the oldest segment, so that these are all of them. */
  #filed(lines: readonly PendingLine[]): void {
    this.#durable(this.#pending.freshOf(lines));
    this.#pending.settle(lines.length);
    this.#filedSequence = lines.at(-1)?.sequence ?? this.#filedSequence;
  }

  /** Lines that are on disk for the first time. */
  #durable(lines: readonly PendingLine[]): void {
    this.#durableSequence = lines.at(-1)?.sequence ?? this.#durableSequence;
    for (const line of lines) if (line.note !== undefined) this.#intents.apply(line.note);
    const { listeners } = this.#options;
    if (listeners.length > 0) {
      const records = lines.map(durableRecord);
      for (const listener of listeners) listener.take(records);
    }
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
    this.#makeNoted();
    try {
      const problem = await directoryProblem(fileSystem, directory);
      if (problem !== undefined) throw problem;
      this.#lock.release();
      this.#lock = await lock(directory);
      this.#recovery.cut(await this.#disk.reattach());
      await this.#disk.reopenAhead();
      await this.#rewrite(failure);
    } catch (error) {
      this.#error = asJournalError(error, `\`${this.#disk.path}\` can't be opened again`);
      throw this.#error;
    }
    this.#error = undefined;
    this.#cause = undefined;
    this.#checkpointLater();
    this.#options.onRecovered();
  }

  async #rewrite(failure: JournalError): Promise<void> {
    let waiting = this.#pending.ofOneSegment();
    // Each segment's by themselves. Nothing may wait for the last one: it was begun for a record that could not be made.
    for (; this.#isOfEarlier(waiting); waiting = this.#pending.ofOneSegment()) {
      await this.#disk.file(waiting);
      this.#recovery.rewritten(waiting);
      this.#filed(waiting);
    }
    const mark = this.#chain.mark();
    let told: readonly PendingLine[];
    let lines: readonly PendingLine[];
    try {
      told = this.#recovery.tell(failure, waiting, this.#chain, this.#options.clock.now());
      lines = [...waiting, ...told];
      await this.#disk.file(lines);
    } catch (error) {
      // The chain goes back to what was accepted, so that the next attempt tells its own story.
      this.#chain.restore(mark);
      throw error;
    }
    for (const line of told) this.#pending.add(line);
    this.#filed(lines);
    this.#recovery.told();
  }

  /** Do these belong into a segment before the one that the next record belongs into? */
  #isOfEarlier([first]: readonly PendingLine[]): boolean {
    return first !== undefined && first.segment !== this.#chain.segment;
  }
}

function durableRecord({ kind, sequence, line, bytes }: PendingLine): DurableRecord {
  return { kind, sequence, text: line.toString(), bytes };
}

function closedError(): JournalError {
  return new JournalError('closed', 'the journal is closed');
}
