import type { JournalFile, JournalFileSystem } from '../journal/index.ts';

/** Size from which a file is written anew with what still counts. */
const COMPACT_BYTES = 4 << 20;
/** A file beyond that was not written by this broker. */
const LARGEST_BYTES = 512 << 20;

export interface EventFileOptions {
  readonly fileSystem: JournalFileSystem;
  readonly directory: string;
  /** Name in the directory. */
  readonly name: string;
  /** Lines that say all that counts now: what a new file begins with. */
  readonly snapshot: () => readonly string[];
}

/**
 * Lines on disk, appended; written anew when they grow. A file that could not be written is written anew as a whole
 * before anything is appended to it again, so that half a line never stands in front of another.
 */
export class EventFile {
  readonly #options: EventFileOptions;
  #file: JournalFile | undefined;
  #size = 0;
  #compactAt = COMPACT_BYTES;
  #work: Promise<unknown> = Promise.resolve();

  constructor(options: EventFileOptions) {
    this.#options = options;
  }

  /**
   * Whole lines that are there, oldest first; what follows the last line end was never promised to anybody.
   *
   * @throws Error where a file is there and cannot be read
   */
  async read(): Promise<readonly string[]> {
    const { fileSystem } = this.#options;
    const identity = await fileSystem.identity(this.#path);
    if (identity === undefined) return [];
    if (identity.size > LARGEST_BYTES) throw new Error(`${this.#options.name} has ${identity.size} bytes`);
    const file = await fileSystem.open(this.#path, 'read');
    try {
      const bytes = new Uint8Array(identity.size);
      let at = 0;
      while (at < bytes.length) {
        const got = await file.read(bytes.subarray(at), at);
        if (got === 0) break;
        at += got;
      }
      const text = new TextDecoder().decode(bytes.subarray(0, at));
      return text
        .slice(0, text.lastIndexOf('\n') + 1)
        .split('\n')
        .slice(0, -1);
    } finally {
      await file.close();
    }
  }

  /** Puts what is there aside; a new file is begun with the next append. */
  async setAside(suffix: string): Promise<string> {
    const aside = `${this.#path}.${suffix}`;
    await this.#options.fileSystem.rename(this.#path, aside);
    return aside;
  }

  /**
   * Adds lines. Calls are carried out one after the other.
   *
   * @param durable resolves when they are on disk
   * @throws what the file system throws; nothing is known then of what is on disk
   */
  append(lines: readonly string[], durable: boolean): Promise<void> {
    const work = this.#work.then(() => this.#append(lines, durable));
    this.#work = work.catch(() => undefined);
    return work;
  }

  async close(): Promise<void> {
    await this.#work;
    const file = this.#file;
    this.#file = undefined;
    if (file === undefined) return;
    try {
      await file.datasync();
    } finally {
      await file.close();
    }
  }

  get #path(): string {
    return `${this.#options.directory}/${this.#options.name}`;
  }

  async #append(lines: readonly string[], durable: boolean): Promise<void> {
    try {
      if (this.#file === undefined || this.#size > this.#compactAt) await this.#writeAnew();
      await this.#write(lines);
      if (durable) await this.#file?.datasync();
    } catch (error) {
      const broken = this.#file;
      this.#file = undefined;
      await broken?.close().catch(() => undefined);
      throw error;
    }
  }

  /** Replaces the file so that a crash at any moment leaves the old one or the new one, whole. */
  async #writeAnew(): Promise<void> {
    const { fileSystem, directory, snapshot } = this.#options;
    const old = this.#file;
    this.#file = undefined;
    await old?.close();
    const path = `${this.#path}.new`;
    const file = await this.#create(path);
    this.#file = file;
    this.#size = 0;
    await this.#write(snapshot());
    await file.datasync();
    await fileSystem.rename(path, this.#path);
    await fileSystem.syncDirectory(directory);
    this.#compactAt = Math.max(COMPACT_BYTES, 4 * this.#size);
  }

  async #create(path: string): Promise<JournalFile> {
    const { fileSystem } = this.#options;
    // One that a crash left behind is begun again.
    if ((await fileSystem.identity(path)) === undefined) return fileSystem.open(path, 'create');
    const file = await fileSystem.open(path, 'append');
    await file.truncate(0);
    return file;
  }

  async #write(lines: readonly string[]): Promise<void> {
    const bytes = new TextEncoder().encode(lines.map((line) => `${line}\n`).join(''));
    let at = 0;
    while (at < bytes.length) {
      const taken = (await this.#file?.append(bytes.subarray(at))) ?? 0;
      if (taken === 0) throw new Error('the file takes no bytes');
      at += taken;
    }
    this.#size += bytes.length;
  }
}
