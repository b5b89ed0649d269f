import { hash } from 'node:crypto';
import { hostFileSystem, replaceFile, type StateFileSystem } from '../taint/index.ts';

/** What a state file says, or why it says nothing that can be relied on. */
export type Loaded =
  | { readonly kind: 'missing' }
  | { readonly kind: 'damaged'; readonly why: string }
  | { readonly kind: 'state'; readonly state: unknown };

/**
 * A small JSON file of the broker's own, `{format, version, sha256, state}`, replaced in one step. The checksum finds
 * damage; it is no protection from somebody who may write the file. Writes asked for while one runs share the next.
 */
export class StateFile {
  readonly path: string;
  private readonly format: string;
  private readonly version: number;
  private readonly fileSystem: StateFileSystem;
  private running: Promise<unknown> = Promise.resolve();
  private next: Promise<void> | undefined;

  constructor(path: string, format: string, version: number, fileSystem: StateFileSystem = hostFileSystem) {
    this.path = path;
    this.format = format;
    this.version = version;
    this.fileSystem = fileSystem;
  }

  /** Never rejects: a file that cannot be read is damaged. */
  async load(): Promise<Loaded> {
    let text: string;
    try {
      text = await this.fileSystem.read(this.path);
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return { kind: 'missing' };
      return { kind: 'damaged', why: 'it cannot be read' };
    }
    let file: unknown;
    try {
      file = JSON.parse(text);
    } catch {
      return { kind: 'damaged', why: 'it is not JSON' };
    }
    if (typeof file !== 'object' || file === null || !('format' in file) || file.format !== this.format) {
      return { kind: 'damaged', why: `it is not a ${this.format}` };
    }
    if (!('version' in file) || file.version !== this.version)
      return { kind: 'damaged', why: 'it is of another version' };
    const state = 'state' in file ? file.state : undefined;
    const sum = 'sha256' in file ? file.sha256 : undefined;
    if (state === undefined || sum !== hash('sha256', JSON.stringify(state))) {
      return { kind: 'damaged', why: 'its checksum is wrong' };
    }
    return { kind: 'state', state };
  }

  /**
   * Puts what `take` gives on disk; it is asked immediately before the write. Durable when it resolves.
   * @throws the error of the file system
   */
  save(take: () => object): Promise<void> {
    // A running write may have taken an older state, so this joins the one after it.
    this.next ??= this.running.then(() => {
      this.next = undefined;
      const state = JSON.stringify(take());
      const text = `{"format":"${this.format}","version":${this.version},"sha256":"${hash('sha256', state)}","state":${state}}\n`;
      const write = replaceFile(this.fileSystem, this.path, text);
      this.running = write.catch(() => undefined);
      return write;
    });
    return this.next;
  }
}
