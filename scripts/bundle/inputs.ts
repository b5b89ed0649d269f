import { lstatSync, type Stats } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';

/** Times of files are no finer than this, milliseconds. */
const TICK_MS = 20;
/** The same where a file system keeps whole seconds, or two of them. */
const COARSE_TICK_MS = 2000;

/** The files that a bundle is made of, each as it was before it was read. */
export class Inputs {
  readonly #root: string;
  readonly #stats = new Map<string, Stats>();
  readonly #beganMs = Date.now();

  constructor(root: string) {
    this.#root = root;
  }

  /** @throws Error where it is not in the tree, or not there under its own name: nobody would notice a change */
  add(path: string): void {
    const name = this.nameOf(path);
    if (this.#stats.has(name)) return;
    if (name.startsWith('..')) throw new Error(`${path} is outside of the tree`);
    this.#stats.set(name, lstatSync(path));
    if (name.startsWith('node_modules/')) this.#addDescription(dirname(path));
  }

  /** A package's own `package.json` says which of its files are meant. */
  #addDescription(folder: string): void {
    const description = join(folder, 'package.json');
    if (lstatSync(description, { throwIfNoEntry: false }) !== undefined) this.add(description);
    else if (dirname(this.nameOf(folder)) !== '.') this.#addDescription(dirname(folder));
  }

  /** From the root of the tree, with slashes. */
  nameOf(path: string): string {
    return relative(this.#root, path).split(sep).join('/');
  }

  /** @throws Error where one was written meanwhile, or so shortly before that a second time would not show */
  unchanged(): ReadonlyMap<string, Stats> {
    for (const [name, before] of this.#stats) {
      const now = lstatSync(join(this.#root, name));
      const isSame = now.size === before.size && now.mtimeMs === before.mtimeMs && now.ctimeMs === before.ctimeMs;
      if (!now.isFile()) throw new Error(`${name} is no file`);
      const tickMs = now.ctimeMs % 1000 === 0 ? COARSE_TICK_MS : TICK_MS;
      if (!isSame || now.ctimeMs > this.#beganMs - tickMs) throw new Error(`${name} is being written`);
    }
    return this.#stats;
  }
}
