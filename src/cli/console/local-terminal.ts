import { spawnSync } from 'node:child_process';
import { write, writeSync } from 'node:fs';

/** Signals that end a session in order. What kills the process at once can't be caught: `stty sane` mends that. */
const ENDING: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGHUP', 'SIGINT', 'SIGQUIT'];
const STDOUT = 1;
/** Before text of our own: ends a sequence that was cut in the middle. */
const CANCEL = '\u0018';

export interface Size {
  readonly columns: number;
  readonly rows: number;
}

/**
 * The terminal that this process has. From `enter` to `restore` it is raw: no echo, no signals from keys, nothing
 * changed on the way out. `restore` comes by itself with the end of the process, however that ends, short of SIGKILL.
 */
export class LocalTerminal {
  readonly #reset: () => string;
  readonly #told = new AbortController();
  readonly #onSignal = (signal: NodeJS.Signals): void => this.#told.abort(signal);
  readonly #onExit = (): void => this.restore();
  #onInput: ((bytes: Uint8Array) => void) | undefined;
  readonly #onData = (chunk: Buffer): void => this.#onInput?.(chunk);
  #onResize: (() => void) | undefined;
  #writing: Promise<void> = Promise.resolve();
  #isRestored = false;

  /** @param reset what undoes the effects of what was shown; asked for when it is needed */
  constructor(reset: () => string) {
    this.#reset = reset;
    process.once('exit', this.#onExit);
    for (const signal of ENDING) process.on(signal, this.#onSignal);
    process.stdin.setRawMode(true);
    // Node leaves output processing on: a line feed of a full-screen program would begin a line. What was is restored
    // with the rest.
    spawnSync('stty', ['-opost'], { stdio: ['inherit', 'ignore', 'ignore'] });
    process.stdin.on('data', this.#onData);
    process.stdin.resume();
  }

  /** Is there a terminal to work with? */
  static get isThere(): boolean {
    return process.stdin.isTTY === true && process.stdout.isTTY === true;
  }

  /** Aborted by a signal that ends the process; its name is the reason. */
  get told(): AbortSignal {
    return this.#told.signal;
  }

  get size(): Size {
    const { columns = 80, rows = 24 } = process.stdout;
    return { columns: Math.max(1, columns), rows: Math.max(1, rows) };
  }

  onInput(take: (bytes: Uint8Array) => void): void {
    this.#onInput = take;
  }

  /** Stops reading, so that what is typed or pasted waits in the terminal. */
  pause(): void {
    process.stdin.pause();
  }

  resume(): void {
    if (!this.#isRestored) process.stdin.resume();
  }

  onResize(changed: () => void): void {
    this.#onResize = changed;
    process.stdout.on('resize', changed);
  }

  /** In order; resolves when the terminal has taken it. A terminal that takes nothing does not stop anything else. */
  write(text: string | Uint8Array): Promise<void> {
    const bytes = typeof text === 'string' ? Buffer.from(text) : text;
    this.#writing = this.#writing.then(() => (this.#isRestored ? undefined : writeAll(bytes)));
    return this.#writing;
  }

  /** Gives the terminal back as it was. May be called again. */
  restore(): void {
    if (this.#isRestored) return;
    this.#isRestored = true;
    process.off('exit', this.#onExit);
    for (const signal of ENDING) process.off(signal, this.#onSignal);
    process.stdin.off('data', this.#onData);
    if (this.#onResize !== undefined) process.stdout.off('resize', this.#onResize);
    try {
      writeSync(STDOUT, CANCEL + this.#reset());
    } catch {
      // A terminal that is gone needs nothing.
    }
    try {
      process.stdin.setRawMode(false);
    } catch {
      // The same.
    }
    process.stdin.pause();
  }
}

/** Not by `process.stdout`: that would stop this process for as long as the terminal takes nothing. */
async function writeAll(bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    done += await new Promise<number>((resolve, reject) => {
      write(STDOUT, bytes, done, bytes.length - done, null, (error, count) => {
        if (error === null) resolve(count);
        else if (error.code === 'EAGAIN') setTimeout(resolve, 5, 0);
        else reject(error);
      });
    });
  }
}
