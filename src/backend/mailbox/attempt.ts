import { BackendError, type BackendErrorCode, type BackendFailure } from '../backend.ts';
import { type MailboxClock, within } from './clock.ts';
import type { Eventually, RegisterIo } from './register-io.ts';
import { ALL_ONES_32, ALL_ONES_64 } from './registers.ts';

/**
 * Register accesses of one unit of work (opening the mailbox, or one command). Each access is bounded in time where its
 * carrier takes any, checked against the block's size, and turned into a `BackendError` that tells rightly whether a
 * command may have run.
 */
export class Attempt {
  readonly #io: RegisterIo;
  readonly #clock: MailboxClock;
  readonly #graceMs: number;
  #limitAtMs: number;
  #outcome: BackendFailure = 'not-sent';
  #cancelled = false;
  #carrierFailed = false;

  /** @param graceMs how long past the limit an access that already began may take before it is given up */
  constructor(io: RegisterIo, clock: MailboxClock, limitAtMs: number, graceMs: number) {
    this.#io = io;
    this.#clock = clock;
    this.#limitAtMs = limitAtMs;
    this.#graceMs = graceMs;
  }

  /** Whether the device may have been told to run something. */
  get outcome(): BackendFailure {
    return this.#outcome;
  }

  /** Whether an access failed or went unanswered, so that nothing can be assumed about the registers any more. */
  get carrierFailed(): boolean {
    return this.#carrierFailed;
  }

  /** Ends this unit of work at its next access: it must not go on against a device that was opened anew. */
  cancel(): void {
    this.#cancelled = true;
  }

  /** Accesses from now on have until `atMs`. */
  limit(atMs: number): void {
    this.#limitAtMs = atMs;
  }

  /** From here on nobody can say that the command was not executed. Call it before the doorbell store, not after. */
  markSent(): void {
    this.#outcome = 'unknown';
  }

  error(code: BackendErrorCode, message: string, options?: ErrorOptions): BackendError {
    return new BackendError(code, this.#outcome, message, options);
  }

  #removed(where: string): BackendError {
    this.#carrierFailed = true;
    return this.error('EIO', `the device is gone: ${where} reads as all ones`);
  }

  /** @throws BackendError also for all ones: no 32-bit register read by this driver has that value on a live device */
  async read32(offset: number, name: string): Promise<number> {
    const value = await this.#access(offset, 4, 4, name, () => this.#io.read32(offset));
    if (value === ALL_ONES_32) throw this.#removed(name);
    return value;
  }

  /** @throws BackendError also for all ones, as `read32` */
  async read64(offset: number, name: string): Promise<bigint> {
    const value = await this.#access(offset, 8, 8, name, () => this.#io.read64(offset));
    if (value === ALL_ONES_64) throw this.#removed(name);
    return value;
  }

  write32(offset: number, value: number, name: string): Promise<void> {
    return this.#access(offset, 4, 4, name, () => this.#io.write32(offset, value));
  }

  write64(offset: number, value: bigint, name: string): Promise<void> {
    return this.#access(offset, 8, 8, name, () => this.#io.write64(offset, value));
  }

  readPayload(offset: number, length: number): Promise<Uint8Array> {
    return this.#access(offset, roundUp4(length), 4, 'payload', () => this.#io.readPayload(offset, length));
  }

  writePayload(offset: number, bytes: Uint8Array): Promise<void> {
    return this.#access(offset, roundUp4(bytes.length), 4, 'payload', () => this.#io.writePayload(offset, bytes));
  }

  async #access<T>(offset: number, bytes: number, align: number, name: string, go: () => Eventually<T>): Promise<T> {
    if (!Number.isInteger(offset) || offset < 0 || offset % align !== 0 || offset + bytes > this.#io.size) {
      throw this.error('EPROTO', `${name} at 0x${offset.toString(16)} is outside the register block or not aligned`);
    }
    this.#checkNotCancelled();
    const late = () => this.error('ETIMEDOUT', `no answer from the carrier while accessing ${name}`);
    try {
      const work = go();
      const value =
        work instanceof Promise ? await within(this.#clock, this.#limitAtMs + this.#graceMs, work, late) : work;
      this.#checkNotCancelled();
      return value;
    } catch (cause) {
      this.#carrierFailed = true;
      if (cause instanceof BackendError && cause.outcome === this.#outcome) throw cause;
      const text = cause instanceof Error ? cause.message : String(cause);
      throw this.error('EIO', `access to ${name} failed: ${text}`, { cause });
    }
  }

  #checkNotCancelled(): void {
    if (this.#cancelled) throw this.error('EIO', 'the mailbox was closed');
  }
}

function roundUp4(length: number): number {
  return Math.ceil(length / 4) * 4;
}
