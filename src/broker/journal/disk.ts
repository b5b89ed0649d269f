import { type Ahead, COMMIT_MAX } from './ahead.ts';
import { asJournalError, type JournalError } from './errors.ts';
import type { JournalFile, JournalFileSystem } from './file-system.ts';
import type { ChainHead } from './line.ts';
import { bytesOf, CommitBuffer, type PendingLine } from './pending.ts';
import type { DurableEnd, Reattached } from './segment.ts';
import type { SegmentRef } from './segment-names.ts';
import { SegmentWriter } from './segment-writer.ts';
import { StillOurs } from './still-ours.ts';

export interface OpenFiles {
  readonly segment: SegmentRef;
  readonly file: JournalFile;
  readonly end: DurableEnd;
  /** Without one every commit goes into its segment. */
  readonly ahead: Ahead | undefined;
}

export interface AheadEvents {
  /** Nothing is put ahead for a while: what somebody waits for goes into the segment, which takes the disk longer. */
  readonly onAheadFailed: (error: JournalError) => void;
  /** It is, again. */
  readonly onAheadRecovered: () => void;
}

/** So long nothing is put ahead after that has failed, in milliseconds. */
const REST_MS = 10_000;

/** The files of a journal that is written: the segment, and the file ahead of it. One caller at a time. */
export class JournalDisk {
  readonly #directory: string;
  readonly #segment: SegmentWriter;
  readonly #ahead: Ahead | undefined;
  readonly #stillOurs: StillOurs;
  readonly #buffer = new CommitBuffer();
  readonly #events: AheadEvents;
  /** Until then the segment takes all: the file ahead has failed, and that alone must not keep anybody waiting. */
  #restsUntil: number | undefined;

  constructor(fileSystem: JournalFileSystem, directory: string, files: OpenFiles, events: AheadEvents) {
    this.#directory = directory;
    this.#events = events;
    this.#segment = new SegmentWriter(fileSystem, directory, files);
    this.#ahead = files.ahead;
    this.#stillOurs = new StillOurs(fileSystem, directory, async () => {
      await this.#segment.check();
      if (this.#restsUntil === undefined) await this.#ahead?.check();
    });
  }

  /** Of the segment. */
  get path(): string {
    return this.#segment.path;
  }

  /**
   * Looks whether the files are still ours.
   *
   * @param filed the last record, where all are in their segment
   * @throws JournalError
   */
  async look(filed: ChainHead | undefined): Promise<void> {
    await this.#stillOurs.look();
    if (filed !== undefined && this.#restsUntil === undefined) await this.#ahead?.mustEndAt(filed);
  }

  /** Can lines of one segment be put ahead of it now? */
  takesAhead(lines: readonly PendingLine[]): boolean {
    // What begins a segment waits until that is there.
    if (lines[0]?.segment !== this.#segment.number) return false;
    const bytes = bytesOf(lines);
    return this.#restsUntil === undefined && bytes <= COMMIT_MAX && this.#ahead?.hasRoom(bytes) === true;
  }

  /** Puts them there, durably. @throws JournalError, or what the file system says: then nothing may be written before `reattach` */
  async putAhead(lines: readonly PendingLine[]): Promise<void> {
    try {
      await this.#ahead?.write(this.#buffer.of(lines));
    } catch (error) {
      this.#rest(error);
      throw error;
    }
    await this.#stillOurs.glance();
  }

  /**
   * Puts lines into their one segment, durably: all that are ahead of it, and others behind them.
   * @throws as `putAhead` does
   */
  async file(lines: readonly PendingLine[]): Promise<void> {
    const last = lines.at(-1);
    if (last === undefined) return;
    // Before the write: once that has succeeded, nothing may fail any more.
    if (this.#restsUntil === undefined) await this.#ahead?.check();
    await this.#segment.write(last.segment, this.#buffer.of(lines), Buffer.from(last.line));
    this.#ahead?.filed();
    if (this.#restsUntil !== undefined && performance.now() >= this.#restsUntil) await this.reopenAhead();
  }

  #rest(why: unknown): void {
    const isNews = this.#restsUntil === undefined;
    this.#restsUntil = performance.now() + REST_MS;
    if (isNews) this.#events.onAheadFailed(asJournalError(why, `\`${this.#directory}\` has no file ahead now`));
  }

  /** Opens the segment again after a failure, and cuts off what is not known to be durable. @throws JournalError */
  reattach(): Promise<Reattached['cut']> {
    return this.#segment.reattach();
  }

  /** Opens the file ahead again. Where that fails, or it took no bytes a moment ago, the journal goes on without it for a while. */
  async reopenAhead(): Promise<void> {
    const isResting = this.#restsUntil !== undefined && performance.now() < this.#restsUntil;
    try {
      await this.#ahead?.reopen(this.#directory);
      if (isResting || this.#restsUntil === undefined) return;
      this.#restsUntil = undefined;
      this.#events.onAheadRecovered();
    } catch (error) {
      this.#rest(error);
    }
  }

  async close(): Promise<void> {
    await this.#segment.close();
    await this.#ahead?.close();
  }
}
