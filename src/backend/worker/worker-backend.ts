import { performance } from 'node:perf_hooks';
import { hex16 } from '../../cci/index.ts';
import { type Backend, BackendError, type BackendIdentity, type CciReply, type CciRequest } from '../backend.ts';
import { type Frame, FrameError } from './frames.ts';
import { decodeFailed, decodeOpened, decodeReply, encodeExecute, type OpenedMessage } from './messages.ts';
import { WorkerLost, WorkerProcess } from './worker-process.ts';

/** Limits in milliseconds. */
export interface WorkerLimits {
  /** From the start of the process to its first frame. */
  readonly startMs: number;
  /** The register driver gives a mailbox a minute to become ready, and a bit to say that it did not. */
  readonly openMs: number;
  /** How long after its deadline a command may still be answered: the driver reads a reply back after it. */
  readonly graceMs: number;
  /** For letting go of the device in order; then it is taken by killing. */
  readonly closeMs: number;
  /** How long `close` and `open` wait for a killed process to be gone. */
  readonly deathMs: number;
  /** A worker that lived shorter counts as one that keeps dying. */
  readonly shortLifeMs: number;
  /** Pause before the second start in a row; doubled for each further one up to `pauseMaxMs`. */
  readonly pauseMs: number;
  readonly pauseMaxMs: number;
}

export const workerLimits: WorkerLimits = {
  startMs: 60_000,
  openMs: 65_000,
  graceMs: 2500,
  closeMs: 6000,
  deathMs: 2000,
  shortLifeMs: 30_000,
  pauseMs: 100,
  pauseMaxMs: 5000,
};

export interface WorkerBackendOptions {
  /** Which backend the worker makes, and with what. Plain data. */
  readonly kind: string;
  readonly options: unknown;
  /** The worker's program. */
  readonly main: string;
  readonly limits?: Partial<WorkerLimits>;
}

type State =
  | { readonly name: 'closed' }
  | { readonly name: 'opening'; worker?: WorkerProcess }
  | ({ readonly name: 'open'; readonly worker: WorkerProcess } & OpenedMessage);

/**
 * A backend that lives in a process of its own, for devices whose accesses can block, fault or never return. When that
 * process dies, hangs or breaks the rules of the channel, the command in flight is `unknown`, every later one is
 * refused `not-sent`, and `close` and `open` bring a new process, which is started only after the former one is gone.
 */
export class WorkerBackend implements Backend {
  readonly maxInFlight = 1;
  /**
   * Whether the kernel's own lockdown counts must not hang on what a worker says.
   */
  readonly touchesHostHardware = true;
  readonly #options: WorkerBackendOptions;
  readonly #limits: WorkerLimits;
  #state: State = { name: 'closed' };
  /** The last process that was started, until it is known to be gone. */
  #former: WorkerProcess | undefined;
  #shortLives = 0;
  #isRunning = false;

  constructor(options: WorkerBackendOptions) {
    this.#options = options;
    this.#limits = { ...workerLimits, ...options.limits };
  }

  get identity(): BackendIdentity {
    if (this.#state.name !== 'open') throw new BackendError('EINVAL', 'not-sent', 'the device is not open');
    return this.#state.identity;
  }

  /** Bytes; 0 before `open`. */
  get maxPayload(): number {
    return this.#state.name === 'open' ? this.#state.maxPayload : 0;
  }

  /** Of the process that runs now; for operators and tests. */
  get workerPid(): number | undefined {
    return this.#former?.hasExited === false ? this.#former.pid : undefined;
  }

  /** Starts a process and has it open the device. @throws BackendError, always `not-sent` */
  async open(): Promise<void> {
    if (this.#state.name !== 'closed') throw new BackendError('EINVAL', 'not-sent', 'the device is already open');
    const opening: State & { name: 'opening' } = { name: 'opening' };
    this.#state = opening;
    try {
      await this.#pauseIfItKeepsDying();
      await this.#formerIsGone();
      if (this.#state !== opening) throw notSent('the device was closed while it opened');
      const worker = this.#start();
      opening.worker = worker;
      const ready = await worker.ready(performance.now() + this.#limits.startMs);
      if (ready.kind !== 'ready') throw new FrameError(`\`${ready.kind}\` before \`ready\``);
      const { kind, options } = this.#options;
      const body = Buffer.from(JSON.stringify({ kind, options }));
      const answer = await worker.ask('open', body, performance.now() + this.#limits.openMs);
      const opened = decodeOpened(bodyOf(answer, 'opened'));
      if (this.#state !== opening) throw notSent('the device was closed while it opened');
      this.#state = { name: 'open', worker, ...opened };
    } catch (cause) {
      const error = asNotSent(cause);
      if (cause instanceof FrameError) opening.worker?.kill('rules', error.message);
      if (this.#state === opening) await this.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    const state = this.#state;
    this.#state = { name: 'closed' };
    const worker = state.name === 'closed' ? undefined : state.worker;
    if (worker === undefined) return;
    const limitAtMs = performance.now() + this.#limits.closeMs;
    // In order, where it still can; a command in the mailbox is given up by its driver and answered `unknown`.
    if (state.name === 'open') await worker.ask('close', new Uint8Array(0), limitAtMs).catch(() => undefined);
    worker.hangUp();
    if (await settled(worker.exited, this.#limits.deathMs)) return;
    worker.kill('hung', 'the device worker did not end and was killed');
    await settled(worker.exited, this.#limits.deathMs);
  }

  async execute(request: CciRequest, deadlineMs: number): Promise<CciReply> {
    const state = this.#state;
    if (state.name !== 'open') throw new BackendError('EINVAL', 'not-sent', 'the device is not open');
    const { opcode, payload } = request;
    if (!Number.isInteger(opcode) || opcode < 0 || opcode > 0xffff) {
      throw new BackendError('EINVAL', 'not-sent', 'the opcode is not 16 bits');
    }
    if (payload.length > state.maxPayload) {
      const text = `a payload of ${payload.length} bytes is over the ${state.maxPayload} of the mailbox`;
      throw new BackendError('EINVAL', 'not-sent', text);
    }
    if (this.#isRunning) throw new BackendError('EBUSY', 'not-sent', 'another command is in the mailbox');
    const leftMs = deadlineMs - performance.now();
    if (!(leftMs > 0)) throw new BackendError('ETIMEDOUT', 'not-sent', 'the deadline has already passed');
    this.#isRunning = true;
    try {
      const body = encodeExecute({ opcode, leftMs: Math.max(1, leftMs), payload });
      const answer = await state.worker.ask('execute', body, deadlineMs + this.#limits.graceMs);
      return decodeReply(bodyOf(answer, 'reply'), state.maxPayload);
    } catch (cause) {
      if (cause instanceof FrameError) {
        const text = `the device worker sent ${cause.message}`;
        state.worker.kill('rules', text);
        throw new BackendError('EPROTO', 'unknown', text, { cause });
      }
      if (!(cause instanceof WorkerLost)) throw cause;
      const outcome = cause.wasWritten ? 'unknown' : 'not-sent';
      const code = cause.kind === 'hung' ? 'ETIMEDOUT' : cause.kind === 'rules' ? 'EPROTO' : 'EIO';
      throw new BackendError(code, outcome, `command ${hex16(opcode)}: ${cause.message}`, { cause });
    } finally {
      this.#isRunning = false;
    }
  }

  #start(): WorkerProcess {
    const worker = new WorkerProcess(this.#options.main);
    this.#former = worker;
    void worker.exited.then(() => {
      const isShort = performance.now() - worker.startedAtMs < this.#limits.shortLifeMs;
      // One that was let go of in order says nothing about the next.
      const wasLost = this.#state.name !== 'closed' && this.#state.worker === worker;
      if (wasLost) this.#shortLives = isShort ? this.#shortLives + 1 : 0;
    });
    return worker;
  }

  /** The first death in a row costs nothing: most are one of a kind. */
  async #pauseIfItKeepsDying(): Promise<void> {
    const { pauseMs, pauseMaxMs } = this.#limits;
    if (this.#shortLives < 2) return;
    const doubled = pauseMs * 2 ** Math.min(this.#shortLives - 2, 30);
    await new Promise((done) => setTimeout(done, Math.min(doubled, pauseMaxMs)));
  }

  /** INVARIANT: never two processes on one device. */
  async #formerIsGone(): Promise<void> {
    const former = this.#former;
    if (former === undefined || former.hasExited) return;
    former.kill('hung', 'the device worker was replaced');
    if (await settled(former.exited, this.#limits.deathMs)) return;
    throw notSent('the former device worker has not ended yet: the kernel still works for it');
  }
}

function bodyOf(answer: Frame, wanted: 'opened' | 'reply'): Uint8Array {
  if (answer.kind === 'failed') throw decodeFailed(answer.body);
  if (answer.kind !== wanted) throw new FrameError(`\`${answer.kind}\` in place of \`${wanted}\``);
  return answer.body;
}

/** Nothing but the opening was asked of the worker, and that sends no command. */
function asNotSent(cause: unknown): BackendError {
  if (cause instanceof BackendError) {
    return cause.outcome === 'not-sent' ? cause : new BackendError(cause.code, 'not-sent', cause.message, { cause });
  }
  if (cause instanceof FrameError) {
    return new BackendError('EPROTO', 'not-sent', `the device worker sent ${cause.message}`, { cause });
  }
  const code = cause instanceof WorkerLost && cause.kind === 'hung' ? 'ETIMEDOUT' : 'EIO';
  return new BackendError(code, 'not-sent', cause instanceof Error ? cause.message : String(cause), { cause });
}

function notSent(text: string): BackendError {
  return new BackendError('EIO', 'not-sent', text);
}

/** Whether the promise settles within this time. */
function settled(promise: Promise<void>, limitMs: number): Promise<boolean> {
  return new Promise((done) => {
    const timer = setTimeout(() => done(false), limitMs);
    promise.finally(() => {
      clearTimeout(timer);
      done(true);
    });
  });
}
