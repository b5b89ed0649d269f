import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import type { Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { encodeFrame, type Frame, FrameError, type FrameKind, FrameReader } from './frames.ts';
import { oneLine } from './messages.ts';

/** Place of the channel among the descriptors of the worker. */
export const CHANNEL_FD = 3;

/** What the worker prints is looked at for a reason when it dies; more than this ends it being read, in bytes. */
const PRINTED_MAX = 65_536;
const PRINTED_KEPT = 2048;

/**
 * - `died`: it ended, by itself or by a signal.
 * - `hung`: it did not answer in time and was killed.
 * - `rules`: it broke the rules of the channel and was killed.
 */
export type LossKind = 'died' | 'hung' | 'rules';

/** The worker is gone. */
export class WorkerLost extends Error {
  override readonly name = 'WorkerLost';
  readonly kind: LossKind;
  /** False when it is certain that nothing of the request was given to the worker. */
  readonly wasWritten: boolean;

  constructor(kind: LossKind, wasWritten: boolean, message: string) {
    super(message);
    this.kind = kind;
    this.wasWritten = wasWritten;
  }
}

interface Pending {
  readonly resolve: (frame: Frame) => void;
  readonly reject: (error: WorkerLost) => void;
  readonly timer: NodeJS.Timeout;
}

/**
 * One worker process from start to end. It gets a channel and nothing else: no environment but where compiled code is
 * kept, no other descriptor of the broker, `/` as its working directory. Every answer has a limit in time; a worker
 * that misses one, or breaks a rule of the channel, is killed.
 */
export class WorkerProcess {
  readonly startedAtMs = performance.now();
  /** Resolves once the process is gone and has been reaped: only then is the device free for another. */
  readonly exited: Promise<void>;
  readonly #child: ChildProcess;
  /** None where the system has no descriptors left to make one. */
  readonly #channel: Duplex | undefined;
  readonly #pending = new Map<number, Pending>();
  #sequence = 0;
  #loss: { readonly kind: LossKind; readonly text: string } | undefined;
  #hasExited = false;
  #printed = '';
  #printedBytes = 0;

  /** @param main the program's file */
  constructor(main: string) {
    const child = spawn(process.execPath, ['--max-old-space-size=96', main], {
      cwd: '/',
      env: compileCache(),
      stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
      windowsHide: true,
    });
    this.#child = child;
    // Absent, whatever its type says, when the process could not be made for want of descriptors.
    const streams = child.stdio as typeof child.stdio | undefined;
    this.#channel = (streams?.[CHANNEL_FD] ?? undefined) as Duplex | undefined;
    this.exited = new Promise((done) => {
      child.once('exit', (code, signal) => {
        this.#hasExited = true;
        done();
        // After what it wrote last was read: an answer may still be among it.
        setImmediate(() =>
          this.#lose('died', `the device worker ended by ${signal ?? `exit ${code}`}${this.#lastWords()}`),
        );
      });
      child.once('error', (error) => {
        // No process came to be.
        if (child.pid === undefined) {
          this.#hasExited = true;
          done();
        }
        this.#lose('died', `the device worker can't be started: ${error.message}`);
      });
    });
    this.#listen();
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  get hasExited(): boolean {
    return this.#hasExited;
  }

  /** Why nothing can be asked any more. */
  get loss(): string | undefined {
    return this.#loss?.text;
  }

  /** The first frame of a worker that is up. @throws WorkerLost */
  ready(limitAtMs: number): Promise<Frame> {
    return this.#expect(0, limitAtMs);
  }

  /**
   * Sends a request and waits for the frame that answers it.
   *
   * @param limitAtMs on the clock of `performance.now()`; the worker is killed when it has not answered by then
   * @throws WorkerLost
   */
  ask(kind: FrameKind, body: Uint8Array, limitAtMs: number): Promise<Frame> {
    const channel = this.#channel;
    if (this.#loss !== undefined || channel === undefined || channel.destroyed) {
      const { kind: how, text } = this.#loss ?? { kind: 'died', text: 'the channel to the device worker is closed' };
      return Promise.reject(new WorkerLost(how, false, text));
    }
    this.#sequence = (this.#sequence % 0xffff_ffff) + 1;
    const sequence = this.#sequence;
    const frame = encodeFrame({ kind, sequence, body });
    const answer = this.#expect(sequence, limitAtMs);
    channel.write(frame);
    return answer;
  }

  /** Ends it whatever it does, and lets go of those who wait for an answer. */
  kill(kind: LossKind, text: string): void {
    // Stopped or spinning, it ends by this signal; in the kernel, as soon as the kernel lets go of it.
    this.#child.kill('SIGKILL');
    this.#lose(kind, text);
  }

  /** Closes the channel, upon which the worker ends by itself. */
  hangUp(): void {
    this.#channel?.destroy();
  }

  #listen(): void {
    const reader = new FrameReader('worker');
    this.#channel?.on('data', (chunk: Buffer) => {
      try {
        for (const frame of reader.take(chunk)) this.#answered(frame);
      } catch (error) {
        const text = error instanceof FrameError ? error.message : String(error);
        this.kill('rules', `the device worker sent ${oneLine(text)}`);
        this.#channel?.destroy();
      }
    });
    this.#channel?.on('error', () => undefined);
    // A worker without its channel is of no use, whether it lives or not.
    this.#channel?.once('close', () => {
      setImmediate(() => {
        if (!this.#hasExited) this.#child.kill('SIGKILL');
      });
    });
    const printed = this.#child.stderr;
    printed?.on('data', (chunk: Buffer) => {
      this.#printed = (this.#printed + chunk.toString('latin1')).slice(-PRINTED_KEPT);
      this.#printedBytes += chunk.length;
      if (this.#printedBytes > PRINTED_MAX) printed.destroy();
    });
    printed?.on('error', () => undefined);
  }

  #answered(frame: Frame): void {
    const pending = this.#pending.get(frame.sequence);
    if (pending === undefined) throw new FrameError('an answer to nothing that was asked');
    this.#pending.delete(frame.sequence);
    clearTimeout(pending.timer);
    pending.resolve(frame);
  }

  #expect(sequence: number, limitAtMs: number): Promise<Frame> {
    return new Promise((resolve, reject) => {
      const late = () => {
        // One look at the channel first: after a hold-up of this process the answer may be waiting there.
        setImmediate(() => {
          if (this.#pending.has(sequence)) this.kill('hung', 'the device worker did not answer in time and was killed');
        });
      };
      const timer = setTimeout(late, Math.min(Math.max(1, limitAtMs - performance.now()), 0x7fff_ffff));
      this.#pending.set(sequence, { resolve, reject, timer });
      if (this.#loss !== undefined) this.#rejectAll();
    });
  }

  #lose(kind: LossKind, text: string): void {
    this.#loss ??= { kind, text };
    this.#rejectAll();
    this.#channel?.destroy();
  }

  #rejectAll(): void {
    const loss = this.#loss;
    if (loss === undefined) return;
    for (const { reject, timer } of this.#pending.values()) {
      clearTimeout(timer);
      reject(new WorkerLost(loss.kind, true, loss.text));
    }
    this.#pending.clear();
  }

  /** What it printed at last, such as why it could not start; Node's own remarks begin with the line of the program. */
  #lastWords(): string {
    const found = /(?:Error|error)[^\n]*/.exec(this.#printed)?.[0];
    return found === undefined ? '' : ` (${oneLine(found).slice(0, 200)})`;
  }
}

/**
 * Most of the start of a worker is compiling, its own program included, so that only a variable of its environment
 * helps. Kept where `cci` keeps it: beside the packages, or where the broker's own environment says.
 */
function compileCache(): NodeJS.ProcessEnv {
  const { NODE_COMPILE_CACHE: chosen, NODE_COMPILE_CACHE_PORTABLE: portable } = process.env;
  if (chosen !== undefined) {
    return { NODE_COMPILE_CACHE: chosen, ...(portable === undefined ? {} : { NODE_COMPILE_CACHE_PORTABLE: portable }) };
  }
  const packages = fileURLToPath(new URL('../../../node_modules', import.meta.url));
  return existsSync(packages) ? { NODE_COMPILE_CACHE: `${packages}/.cache/cci` } : {};
}
