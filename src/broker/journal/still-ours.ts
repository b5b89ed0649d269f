import { JournalError } from './errors.ts';
import type { FileIdentity, JournalFileSystem } from './file-system.ts';

/** Looks whether the files that a journal writes are still the ones at their paths. */
export class StillOurs {
  readonly #fileSystem: JournalFileSystem;
  readonly #directory: string;
  readonly #check: () => Promise<void>;
  /** The directory when the files were last looked at. */
  #seen: FileIdentity | undefined;

  /** @param check looks at each file itself, and throws for one that is not ours any more */
  constructor(fileSystem: JournalFileSystem, directory: string, check: () => Promise<void>) {
    this.#fileSystem = fileSystem;
    this.#directory = directory;
    this.#check = check;
  }

  /** Looks at the files. @throws JournalError */
  async look(): Promise<void> {
    const now = await this.#now();
    await this.#check();
    this.#seen = now;
  }

  /**
   * Looks at the directory alone, which changes with every name that comes, goes or is given to another file, and at the files
   * where it did. A look at a file between two writes makes the second one 50 us slower: the kernel has to tell the two apart
   * by their times then, and takes the new time to the disk.
   * @throws JournalError
   */
  async glance(): Promise<void> {
    const now = await this.#now();
    const seen = this.#seen;
    const isSame = seen?.inode === now.inode && seen.device === now.device && seen.changedMs === now.changedMs;
    if (!isSame) await this.look();
  }

  async #now(): Promise<FileIdentity> {
    const now = await this.#fileSystem.identity(this.#directory);
    if (now === undefined)
      throw new JournalError('replaced', `the journal directory \`${this.#directory}\` was removed`);
    return now;
  }
}
