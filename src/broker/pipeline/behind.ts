/**
 * Work that no reply waits for: done one turn of the event loop later, in the order in which it came. Replies of this turn
 * may leave at its end, and go first. Nothing that has to be kept may rest on it.
 */
export class Behind {
  #tasks: (() => void)[] = [];
  readonly #onError: (error: unknown) => void;

  constructor(onError: (error: unknown) => void) {
    this.#onError = onError;
  }

  add(task: () => void): void {
    if (this.#tasks.push(task) === 1) setImmediate(() => setImmediate(() => this.#run()));
  }

  #run(): void {
    const tasks = this.#tasks;
    this.#tasks = [];
    for (const task of tasks) {
      try {
        task();
      } catch (error) {
        this.#onError(error);
      }
    }
  }
}
