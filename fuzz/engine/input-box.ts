import { MAX_INPUT } from './target.ts';

const HEADER = 16;
const COUNT = 0;
const LENGTH = 1;
const RUNNING = 2;

/**
 * The input that a worker executes just now, in memory that its watchdog shares: when the worker hangs or dies, this is
 * what it was about.
 */
export class InputBox {
  readonly memory: SharedArrayBuffer;
  private readonly state: Int32Array;
  private readonly bytes: Uint8Array;

  constructor(memory = new SharedArrayBuffer(HEADER + MAX_INPUT)) {
    this.memory = memory;
    this.state = new Int32Array(memory, 0, HEADER / 4);
    this.bytes = new Uint8Array(memory, HEADER);
  }

  begin(input: Uint8Array): void {
    this.bytes.set(input);
    Atomics.store(this.state, LENGTH, input.length);
    Atomics.add(this.state, COUNT, 1);
    Atomics.store(this.state, RUNNING, 1);
  }

  end(): void {
    Atomics.store(this.state, RUNNING, 0);
  }

  /** Executions begun. */
  get executions(): number {
    return Atomics.load(this.state, COUNT);
  }

  get isRunning(): boolean {
    return Atomics.load(this.state, RUNNING) === 1;
  }

  input(): Uint8Array {
    return this.bytes.slice(0, Atomics.load(this.state, LENGTH));
  }
}
