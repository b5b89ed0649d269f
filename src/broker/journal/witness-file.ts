import { open } from 'node:fs/promises';
import type { DurableListener, DurableRecord } from './contract.ts';

/** Writes checkpoints to a file elsewhere as they are made. One that fails is made up for by the next. */
export class WitnessFile implements DurableListener {
  readonly #path: string;
  readonly #onError: (error: Error) => void;
  /** The newest checkpoint that is not written yet; older ones say less. */
  #waiting: string | undefined;
  #writing: Promise<void> | undefined;

  constructor(path: string, onError: (error: Error) => void) {
    this.#path = path;
    this.#onError = onError;
  }

  take(records: readonly DurableRecord[]): void {
    const newest = records.findLast(({ kind }) => kind === 'checkpoint');
    if (newest === undefined) return;
    this.#waiting = newest.text;
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined;
    });
  }

  async close(): Promise<void> {
    await this.#writing;
  }

  async #write(): Promise<void> {
    for (let text = this.#waiting; text !== undefined; text = this.#waiting) {
      this.#waiting = undefined;
      try {
        await append(this.#path, text);
      } catch (error) {
        this.#onError(error instanceof Error ? error : new Error(String(error)));
      }
    }
  }
}

/** Opened each time, so that whoever keeps the file may move it away at any moment. */
async function append(path: string, text: string): Promise<void> {
  const file = await open(path, 'a', 0o600);
  try {
    await file.writeFile(text);
    await file.datasync();
  } finally {
    await file.close();
  }
}
