import { JournalError } from './errors.ts';
import type { JournalFile, JournalFileSystem } from './file-system.ts';
import { appendAll, type DurableEnd, inspect, type Reattached, reattach } from './segment.ts';
import { type SegmentRef, segmentAt } from './segment-names.ts';

const NOTHING: DurableEnd = { offset: 0, lastLine: new Uint8Array(0) };

/** The file that is written now, and the step to the next one. One caller at a time. */
export class SegmentWriter {
  readonly #fileSystem: JournalFileSystem;
  readonly #directory: string;
  #segment: SegmentRef;
  #file: JournalFile;
  #end: DurableEnd;
  /** Bytes of the last write, to tell our own torn write from somebody else's. */
  #attempted: Uint8Array = new Uint8Array(0);
  /** Number of a segment whose file we may have made before something failed. */
  #begun: number | undefined;

  constructor(
    fileSystem: JournalFileSystem,
    directory: string,
    start: { readonly segment: SegmentRef; readonly file: JournalFile; readonly end: DurableEnd },
  ) {
    this.#fileSystem = fileSystem;
    this.#directory = directory;
    this.#segment = start.segment;
    this.#file = start.file;
    this.#end = start.end;
  }

  /** Of the segment that is written now. */
  get number(): number {
    return this.#segment.number;
  }

  get path(): string {
    return this.#segment.path;
  }

  /**
   * Appends to a segment, the one that is written now or the next, and resolves when it is on disk. The bytes must stay as
   * they are until then, and where it rejects until `reattach`.
   * @throws JournalError, or what the file system says: then nothing is known about these bytes until `reattach`
   */
  async write(segment: number, bytes: Uint8Array, lastLine: Uint8Array): Promise<void> {
    if (segment !== this.#segment.number) {
      // The last look at the one that is left.
      await this.check();
      await this.#enter(segment);
    }
    this.#attempted = bytes;
    await appendAll(this.#file, bytes);
    const offset = this.#end.offset + bytes.length;
    await inspect(this.#fileSystem, this.#file, this.#segment.path, offset);
    this.#end = { offset, lastLine };
    this.#attempted = NOTHING.lastLine;
  }

  /** Is the file still ours, and as long as it should be? @throws JournalError */
  async check(): Promise<void> {
    await inspect(this.#fileSystem, this.#file, this.#segment.path, this.#end.offset);
  }

  /** Opens the file again and cuts off what is not known to be durable. @throws JournalError */
  async reattach(): Promise<Reattached['cut']> {
    const { file, cut } = await reattach(this.#fileSystem, this.#segment.path, this.#file, this.#end, this.#attempted);
    await this.#file.close().catch(() => undefined);
    this.#file = file;
    return cut;
  }

  async close(): Promise<void> {
    await this.#file.close().catch(() => undefined);
  }

  async #enter(number: number): Promise<void> {
    const segment = segmentAt(this.#directory, number);
    const file = await this.#begin(segment);
    try {
      // Before any record is in it: a record in a file without a name would be lost with the power.
      await this.#fileSystem.syncDirectory(this.#directory);
    } catch (error) {
      await file.close().catch(() => undefined);
      throw error;
    }
    await this.#file.close().catch(() => undefined);
    this.#file = file;
    this.#segment = segment;
    this.#end = NOTHING;
    this.#attempted = NOTHING.lastLine;
    this.#begun = undefined;
  }

  async #begin(segment: SegmentRef): Promise<JournalFile> {
    const found = await this.#fileSystem.identity(segment.path);
    if (found === undefined) {
      this.#begun = segment.number;
      return this.#fileSystem.open(segment.path, 'create');
    }
    // What we made and could not make durable is empty.
    if (this.#begun !== segment.number || found.size > 0) {
      throw new JournalError('replaced', `\`${segment.path}\` is in the way of the next segment: move it elsewhere`);
    }
    return this.#fileSystem.open(segment.path, 'append');
  }
}
