import { BackendError } from '../backend.ts';
import type { DeviceMemory } from '../native/index.ts';
import { loadWords, storeWords } from './payload-words.ts';
import type { RegisterIo, RegisterIoIdentity } from './register-io.ts';

/** A PCI function of this host that is ours: its device registers, and how to let go of it. */
export interface ClaimedFunction {
  readonly identity: RegisterIoIdentity;
  /** Holds the register block. */
  readonly memory: DeviceMemory;
  /** Where the register block begins in `memory`, in bytes; it goes on to the end. */
  readonly offset: number;
  /** Why the function can't be used any more, when the host took it away; undefined while it is there. */
  gone(): string | undefined;
  readonly messages: number;
  listen?(message: number, onInterrupt: () => void): void;
  /** Lets go of everything, the memory too. Never throws; a second call does nothing. */
  release(): void;
}

/** Registers of a function of this host, once claimed. All accesses are synchronous. */
export class FunctionRegisterIo implements RegisterIo {
  readonly touchesHostHardware = true;
  readonly #claim: () => Promise<ClaimedFunction>;
  #claimed: ClaimedFunction | undefined;
  /** Counts openings and closings: a claim that comes after a close is let go of. */
  #turn = 0;

  /** @param claim takes the function, or leaves nothing behind when it throws */
  constructor(claim: () => Promise<ClaimedFunction>) {
    this.#claim = claim;
  }

  get size(): number {
    const claimed = this.#claimed;
    return claimed === undefined ? 0 : claimed.memory.bytes - claimed.offset;
  }

  get messages(): number {
    return this.#claimed?.messages ?? 0;
  }

  async open(): Promise<RegisterIoIdentity> {
    const turn = ++this.#turn;
    const claimed = await this.#claim();
    if (turn !== this.#turn) {
      claimed.release();
      throw new BackendError('EIO', 'not-sent', 'the device was closed while it opened');
    }
    this.#claimed = claimed;
    return claimed.identity;
  }

  async close(): Promise<void> {
    this.#turn++;
    const claimed = this.#claimed;
    this.#claimed = undefined;
    claimed?.release();
  }

  listen(message: number, onInterrupt: () => void): void {
    const { listen } = this.#live();
    if (listen === undefined) throw new Error('this transport delivers no interrupts');
    listen(message, onInterrupt);
  }

  read32(offset: number): number {
    const { memory, offset: start } = this.#live();
    return memory.read32(start + offset);
  }

  read64(offset: number): bigint {
    const { memory, offset: start } = this.#live();
    return memory.read64(start + offset);
  }

  write32(offset: number, value: number): void {
    const { memory, offset: start } = this.#live();
    memory.write32(start + offset, value);
  }

  write64(offset: number, value: bigint): void {
    const { memory, offset: start } = this.#present();
    memory.write64(start + offset, value);
  }

  readPayload(offset: number, length: number): Uint8Array {
    const { memory, offset: start } = this.#live();
    return loadWords(length, (at) => memory.read32(start + offset + at));
  }

  writePayload(offset: number, bytes: Uint8Array): void {
    const { memory, offset: start } = this.#present();
    storeWords(bytes, (at, word) => memory.write32(start + offset + at, word));
  }

  /**
   * The function, while the host lets us have it. A command begins with its payload or with the command register, so
   * this is where one is stopped: a mapping outlives its function and then reaches nothing, or somebody else.
   */
  #present(): ClaimedFunction {
    const claimed = this.#live();
    const why = claimed.gone();
    if (why !== undefined) throw new Error(why);
    return claimed;
  }

  #live(): ClaimedFunction {
    if (this.#claimed === undefined) throw new Error('the device is not open');
    return this.#claimed;
  }
}
