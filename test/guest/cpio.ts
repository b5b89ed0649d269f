import { type FileHandle, open } from 'node:fs/promises';

const ALIGN = 4;
const DIRECTORY = 0o040755;
const REGULAR = 0o100000;
const SYMLINK = 0o120777;
/** Ends an archive. */
const TRAILER = 'TRAILER!!!';

/**
 * Writes an archive of the format that the kernel unpacks as its first root file system (`newc`), without any
 * program.
 */
export class CpioWriter {
  readonly #file: FileHandle;
  readonly #folders = new Set<string>();
  #inode = 1;

  private constructor(file: FileHandle) {
    this.#file = file;
  }

  static async create(path: string): Promise<CpioWriter> {
    return new CpioWriter(await open(path, 'w', 0o600));
  }

  /** A folder and those above it; a second call does nothing. */
  async folder(path: string): Promise<void> {
    const parts = path.split('/');
    for (let depth = 1; depth <= parts.length; depth++) {
      const name = parts.slice(0, depth).join('/');
      if (name === '' || this.#folders.has(name)) continue;
      this.#folders.add(name);
      await this.#entry(name, DIRECTORY, new Uint8Array(0));
    }
  }

  async file(path: string, bytes: Uint8Array | string, mode = 0o644): Promise<void> {
    await this.#inFolder(path);
    await this.#entry(path, REGULAR | mode, typeof bytes === 'string' ? Buffer.from(bytes) : bytes);
  }

  async link(path: string, target: string): Promise<void> {
    await this.#inFolder(path);
    await this.#entry(path, SYMLINK, Buffer.from(target));
  }

  async close(): Promise<void> {
    await this.#entry(TRAILER, 0, new Uint8Array(0));
    await this.#file.close();
  }

  async #inFolder(path: string): Promise<void> {
    const end = path.lastIndexOf('/');
    if (end > 0) await this.folder(path.slice(0, end));
  }

  async #entry(name: string, mode: number, bytes: Uint8Array): Promise<void> {
    const nameBytes = Buffer.from(`${name}\0`);
    const links = mode === DIRECTORY ? 2 : 1;
    // Owner root, time 0: the same input makes the same archive.
    const fields = [this.#inode++, mode, 0, 0, links, 0, bytes.length, 0, 0, 0, 0, nameBytes.length, 0];
    const header = `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`;
    const head = padded(Buffer.concat([Buffer.from(header), nameBytes]));
    await this.#file.write(head);
    if (bytes.length > 0) await this.#file.write(padded(bytes));
  }
}

function padded(bytes: Uint8Array): Uint8Array {
  const missing = (ALIGN - (bytes.length % ALIGN)) % ALIGN;
  return missing === 0 ? bytes : Buffer.concat([bytes, new Uint8Array(missing)]);
}
