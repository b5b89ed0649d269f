import type { Ahead } from './ahead.ts';
import type { JournalFile, JournalFileSystem } from './file-system.ts';
import { bytesOf, CommitBuffer, type PendingLine } from './pending.ts';
import type { DurableEnd, Reattached } from './segment.ts';
import type { SegmentRef } from './segment-names.ts';
import { SegmentWriter } from './segment-writer.ts';
import { StillOurs } from './still-ours.ts';

/** A larger commit goes into its segment at once: what would be written twice costs more than the disk saves. */
const AHEAD_MAX = 64 << 10;

export interface OpenFiles {
  readonly segment: SegmentRef;
  readonly file: JournalFile;
  readonly end: DurableEnd;
  /** Without one every commit goes into its segment. */
  readonly ahead: Ahead | undefined;
}

/** The files of a journal that is written: the segment, and the file ahead of it. One caller at a time. */
export class JournalDisk {
  readonly #directory: string;
  readonly #segment: SegmentWriter;
  readonly #ahead: Ahead | undefined;
  readonly #stillOurs: StillOurs;
  readonly #buffer = new CommitBuffer();

  constructor(fileSystem: JournalFileSystem, directory: string, files: OpenFiles) {
    this.#directory = directory;
    this.#segment = new SegmentWriter(fileSystem, directory, files);
    this.#ahead = files.ahead;
    this.#stillOurs = new StillOurs(fileSystem, directory, async () => {
      await this.#segment.check();
      await this.#ahead?.check();
    });
  }

  /** Of the segment. */
  get path(): string {
    return this.#segment.path;
  }

  /** Looks whether the files are still ours. @throws JournalError */
  look(): Promise<void> {
    return this.#stillOurs.look();
  }

  /** Can lines of one segment be put ahead of it now? */
  takesAhead(lines: readonly PendingLine[]): boolean {
    // What begins a segment waits until that is there.
    if (lines[0]?.segment !== this.#segment.number) return false;
    const bytes = bytesOf(lines);
    return bytes <= AHEAD_MAX && this.#ahead?.hasRoom(bytes) === true;
  }

  /** Puts them there, durably. @throws JournalError, or what the file system says: then nothing may be written before `reattach` */
  async putAhead(lines: readonly PendingLine[]): Promise<void> {
    const writing = this.#ahead?.write(this.#buffer.of(lines));
    // While the disk works. Both are waited for, or a write might go on while something else is tried.
    const [written, checked] = await Promise.allSettled([writing, this.#stillOurs.glance()]);
    if (written.status === 'rejected') throw written.reason;
    if (checked.status === 'rejected') throw checked.reason;
  }

  /**
   * Puts lines into their one segment, durably: all that are ahead of it, and others behind them.
   * @throws as `putAhead` does
   */
  async file(lines: readonly PendingLine[]): Promise<void> {
    const last = lines.at(-1);
    if (last === undefined) return;
    // Before the write: once that has succeeded, nothing may fail any more.
    await this.#ahead?.check();
    await this.#segment.write(last.segment, this.#buffer.of(lines), Buffer.from(last.line));
    this.#ahead?.filed();
  }

  /** Opens the files again after a failure, and cuts off the segment what is not known to be durable. @throws JournalError */
  async reattach(): Promise<Reattached['cut']> {
    const cut = await this.#segment.reattach();
    await this.#ahead?.reopen(this.#directory);
    return cut;
  }

  async close(): Promise<void> {
    await this.#segment.close();
    await this.#ahead?.close();
  }
}
