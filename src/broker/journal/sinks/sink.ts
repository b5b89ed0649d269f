import { setTimeout as pause } from 'node:timers/promises';
import type { DurableListener, DurableRecord } from '../contract.ts';
import { JournalError } from '../errors.ts';
import type { SinkTransport } from './transport.ts';

export interface SinkOptions {
  readonly name: string;
  readonly transport: SinkTransport;
  /** Bytes of records that may wait. */
  readonly bufferBytes: number;
  /** Milliseconds within which an intent must be delivered; undefined: best effort. */
  readonly deadlineMs: number | undefined;
  /** Milliseconds after which a delivery counts as failed. Default 5000. */
  readonly timeoutMs?: number;
  /** Milliseconds to the first new attempt; doubles up to 5000. Default 250. */
  readonly retryAfterMs?: number;
  /** Milliseconds that closing waits for what is still to be delivered. Default 2000. */
  readonly closeWithinMs?: number;
  /** Called when records were lost to it. Must not throw. */
  readonly onLost?: (count: number) => void;
  /** Called when it takes records again, with what it lost since the last time. Must not throw. */
  readonly onRecovered?: (loss: Loss) => void;
  /** Called when it begins to fail, once until it works again. Must not throw. */
  readonly onError?: (error: Error) => void;
}

/** Records that a sink did not get. */
export interface Loss {
  readonly count: number;
  /** Sequences; some between them may have arrived. */
  readonly first: number;
  readonly last: number;
}

const BATCH_RECORDS = 512;
const BATCH_BYTES = 1 << 20;
const MAX_RETRY_MS = 5000;
const FULL = 'its buffer is full';

interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: JournalError) => void;
  readonly timer: NodeJS.Timeout;
}

/**
 * A bounded queue before one transport. Taking records costs next to nothing and never waits; what does not fit is lost
 * to the sink, which is counted and told when it works again.
 */
export class Sink implements DurableListener {
  readonly name: string;
  readonly isEnforced: boolean;
  readonly #options: SinkOptions;
  #queue: DurableRecord[] = [];
  #bytes = 0;
  /** Sequence up to which nothing waits any more. */
  #passed = 0;
  #loss: Loss | undefined;
  /** Lost ones that somebody may still ask for, only of enforced sinks, and why. */
  readonly #lost = new Map<number, string>();
  readonly #waiters = new Map<number, Waiter>();
  /** The highest sequence that was not delivered in time; until it is, nothing more is promised. */
  #missed = 0;
  #failing = false;
  #pumping: Promise<void> | undefined;
  readonly #stop = new AbortController();
  #sending: AbortController | undefined;

  constructor(options: SinkOptions) {
    this.name = options.name;
    this.isEnforced = options.deadlineMs !== undefined;
    this.#options = options;
  }

  /** Bytes that wait for it. */
  get waitingBytes(): number {
    return this.#bytes;
  }

  /** Does it take records as they come? */
  get isUp(): boolean {
    return !this.#failing && !this.isBehind;
  }

  /** An intent was not delivered in time, and still is not. */
  get isBehind(): boolean {
    return this.#missed > this.#passed;
  }

  take(records: readonly DurableRecord[]): void {
    for (const record of records) {
      if (this.#bytes + record.bytes > this.#options.bufferBytes) this.#lose([record], FULL);
      else {
        this.#queue.push(record);
        this.#bytes += record.bytes;
      }
    }
    this.#pumping ??= this.#pump().finally(() => {
      this.#pumping = undefined;
    });
  }

  /** Resolves when the record was delivered. @throws JournalError `undelivered` after the deadline, or when it was lost */
  delivered(sequence: number): Promise<void> {
    const { deadlineMs = 0 } = this.#options;
    const why = this.#lost.get(sequence);
    if (why !== undefined) {
      this.#lost.delete(sequence);
      return Promise.reject(this.#undelivered(why));
    }
    if (sequence <= this.#passed) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiters.delete(sequence);
        this.#missed = Math.max(this.#missed, sequence);
        reject(this.#undelivered(`it took longer than ${deadlineMs} ms`));
      }, deadlineMs);
      this.#waiters.set(sequence, { resolve, reject, timer });
    });
  }

  async close(): Promise<void> {
    const { closeWithinMs = 2000 } = this.#options;
    const patience = new AbortController();
    const over = pause(closeWithinMs, undefined, { signal: patience.signal }).catch(() => undefined);
    await Promise.race([this.#pumping ?? Promise.resolve(), over]);
    patience.abort();
    this.#stop.abort();
    this.#sending?.abort(new Error('it was closed'));
    await this.#pumping;
    this.#lose(this.#queue, 'it was closed');
    this.#queue = [];
    this.#bytes = 0;
    this.#options.transport.reset();
  }

  async #pump(): Promise<void> {
    const { retryAfterMs = 250, transport, onError } = this.#options;
    // What is appended in this turn goes together.
    await Promise.resolve();
    let pauseMs = retryAfterMs;
    while (this.#queue.length > 0 && !this.#stop.signal.aborted) {
      const batch = this.#batch();
      try {
        const rejected = await this.#send(batch);
        this.#done(batch, rejected);
        pauseMs = retryAfterMs;
      } catch (error) {
        transport.reset();
        if (!this.#failing) onError?.(error instanceof Error ? error : new Error(String(error)));
        this.#failing = true;
        await pause(pauseMs, undefined, { signal: this.#stop.signal, ref: false }).catch(() => undefined);
        pauseMs = Math.min(2 * pauseMs, MAX_RETRY_MS);
      }
    }
  }

  #batch(): readonly DurableRecord[] {
    let bytes = 0;
    let end = 0;
    for (const record of this.#queue) {
      bytes += record.bytes;
      if (end > 0 && (end >= BATCH_RECORDS || bytes > BATCH_BYTES)) break;
      end += 1;
    }
    return this.#queue.slice(0, end);
  }

  async #send(batch: readonly DurableRecord[]): Promise<number> {
    const { timeoutMs = 5000, transport } = this.#options;
    // One of its own for each: signals that are derived from a long-lived one add up.
    const over = new AbortController();
    const { signal } = over;
    this.#sending = over;
    const timer = setTimeout(() => over.abort(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
    try {
      // A transport that does not look at the signal must not keep anybody waiting either.
      return await Promise.race([transport.send(batch, signal), aborted(signal)]);
    } finally {
      clearTimeout(timer);
      this.#sending = undefined;
    }
  }

  #done(batch: readonly DurableRecord[], rejected: number): void {
    this.#queue = this.#queue.slice(batch.length);
    for (const { bytes } of batch) this.#bytes -= bytes;
    this.#passed = batch.at(-1)?.sequence ?? this.#passed;
    this.#failing = false;
    // Which of them is not known: then all of them count as not delivered to who waits.
    if (rejected > 0) this.#lose(batch, 'it was refused there', rejected);
    else for (const { sequence } of batch) this.#settle(sequence, undefined);
    const loss = this.#loss;
    if (loss === undefined || this.#bytes > this.#options.bufferBytes / 2) return;
    this.#loss = undefined;
    this.#options.onRecovered?.(loss);
  }

  #settle(sequence: number, why: string | undefined): void {
    const waiter = this.#waiters.get(sequence);
    if (waiter === undefined) return;
    this.#waiters.delete(sequence);
    clearTimeout(waiter.timer);
    if (why === undefined) waiter.resolve();
    else waiter.reject(this.#undelivered(why));
  }

  #lose(records: readonly DurableRecord[], why: string, count: number = records.length): void {
    const [first, last] = [records[0], records.at(-1)];
    if (first === undefined || last === undefined) return;
    const before = this.#loss;
    this.#loss = {
      count: (before?.count ?? 0) + count,
      first: before?.first ?? first.sequence,
      last: last.sequence,
    };
    for (const { kind, sequence } of records) {
      if (this.isEnforced && kind === 'intent' && !this.#waiters.has(sequence)) this.#lost.set(sequence, why);
      this.#settle(sequence, why);
    }
    this.#options.onLost?.(count);
  }

  #undelivered(why: string): JournalError {
    return new JournalError('undelivered', `sink \`${this.name}\` did not take the intent: ${why}`);
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const fail = () => reject(signal.reason instanceof Error ? signal.reason : new Error('given up'));
    if (signal.aborted) fail();
    else signal.addEventListener('abort', fail, { once: true });
  });
}
