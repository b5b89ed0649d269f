import type { OpenFile, StateFileSystem } from '../../src/taint/index.ts';

/** A file system whose every call can be made to fail, by its number. */
export class FaultyStateFileSystem implements StateFileSystem {
  readonly #inner: StateFileSystem;
  readonly calls: string[] = [];
  /** Says for each call whether it fails, and with what. */
  fails: (call: string, number: number) => string | undefined = () => undefined;

  constructor(inner: StateFileSystem) {
    this.#inner = inner;
  }

  #step(call: string): void {
    this.calls.push(call);
    const code = this.fails(call, this.calls.length);
    if (code !== undefined) throw Object.assign(new Error(`${code}: injected into ${call}`), { code });
  }

  #file(name: string, file: OpenFile): OpenFile {
    return {
      writeFile: async (text) => {
        try {
          this.#step(`${name}.write`);
        } catch (error) {
          // A full disk takes what it can.
          await file.writeFile(text.slice(0, text.length / 2));
          throw error;
        }
        await file.writeFile(text);
      },
      sync: async () => {
        this.#step(`${name}.sync`);
        await file.sync();
      },
      close: async () => {
        await file.close();
        this.#step(`${name}.close`);
      },
    };
  }

  async create(path: string): Promise<OpenFile> {
    this.#step('create');
    return this.#file('file', await this.#inner.create(path));
  }

  async openDirectory(path: string): Promise<OpenFile> {
    this.#step('openDirectory');
    return this.#file('directory', await this.#inner.openDirectory(path));
  }

  async read(path: string): Promise<string> {
    this.#step('read');
    return this.#inner.read(path);
  }

  async rename(from: string, to: string): Promise<void> {
    this.#step('rename');
    await this.#inner.rename(from, to);
  }

  async link(from: string, to: string): Promise<void> {
    this.#step('link');
    await this.#inner.link(from, to);
  }
}
