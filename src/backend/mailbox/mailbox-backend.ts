import { hex16 } from '../../cci/index.ts';
import { type Backend, BackendError, type BackendIdentity, type CciReply, type CciRequest } from '../backend.ts';
import { Attempt } from './attempt.ts';
import { type MailboxLocation, measureMailbox, readCapabilities } from './capabilities.ts';
import { type MailboxClock, systemClock, within } from './clock.ts';
import { Completion } from './completion.ts';
import { DOORBELL_LIMIT_MS, type DrivenMailbox, doorbellClears, runCommand } from './doorbell.ts';
import { mailboxReady } from './ready.ts';
import type { RegisterIo } from './register-io.ts';
import { type BackgroundStatus, decodeBackgroundStatus, MAILBOX } from './registers.ts';

/** How long `open` may take in all, in milliseconds; the kernel gives a mailbox as long to become ready. */
const OPEN_LIMIT_MS = 60_000;
/** How long the accesses before a doorbell may take, in milliseconds, however far away the deadline is. */
const PREPARE_LIMIT_MS = 2000;
/** An access that began in time may end this much later, in milliseconds, before its carrier is given up. */
const ACCESS_GRACE_MS = 250;
/** How long `close` waits for the carrier, in milliseconds. */
const CLOSE_LIMIT_MS = 5000;

export interface MailboxBackendOptions {
  /** Where time comes from; tests give their own. */
  readonly clock?: MailboxClock;
}

interface OpenMailbox {
  readonly identity: BackendIdentity;
  readonly mailbox: DrivenMailbox;
}

type State =
  | { readonly name: 'closed' }
  | { readonly name: 'opening' }
  | ({ readonly name: 'open' } & OpenMailbox)
  /** A command was cut off or the device vanished: nobody knows what the mailbox holds. Only `close` leads out. */
  | ({ readonly name: 'lost'; readonly reason: string } & OpenMailbox);

/**
 * The register driver of a CXL mailbox, over any `RegisterIo`. One command at a time; polled, with interrupts where the
 * device and the transport have them; a command that was cut
 * off after its doorbell is reported as `unknown` and makes every later one fail with EIO `not-sent` until the backend
 * has been closed and opened again.
 */
export class MailboxBackend implements Backend {
  readonly maxInFlight = 1;
  readonly #io: RegisterIo;
  readonly #clock: MailboxClock;
  #state: State = { name: 'closed' };
  /** The command in the mailbox, if any. */
  #running: Attempt | undefined;

  constructor(io: RegisterIo, options: MailboxBackendOptions = {}) {
    this.#io = io;
    this.#clock = options.clock ?? systemClock;
  }

  get touchesHostHardware(): boolean {
    return this.#io.touchesHostHardware;
  }

  get identity(): BackendIdentity {
    const state = this.#state;
    if (state.name === 'open' || state.name === 'lost') return state.identity;
    throw new BackendError('EINVAL', 'not-sent', 'the mailbox is not open');
  }

  /** Payload size of the mailbox in bytes, or 0 before `open`. */
  get maxPayload(): number {
    const state = this.#state;
    return state.name === 'open' || state.name === 'lost' ? state.mailbox.payloadBytes : 0;
  }

  /**
   * Opens the carrier, finds the mailbox, waits until it is ready (60 s at most, as the kernel) and idle: a predecessor may
   * have left a command in flight.
   *
   * @throws BackendError, always `not-sent`: EINVAL when already open, EIO, ETIMEDOUT, EPROTO for a layout that breaks
   * the rules, EBUSY when the doorbell is still set after 2 s
   */
  async open(): Promise<void> {
    if (this.#state.name !== 'closed') throw new BackendError('EINVAL', 'not-sent', 'the mailbox is already open');
    const opening: State = { name: 'opening' };
    this.#state = opening;
    try {
      const opened = await this.#find();
      if (this.#state !== opening) throw new BackendError('EIO', 'not-sent', 'the mailbox was closed while it opened');
      this.#state = { name: 'open', ...opened };
    } catch (error) {
      if (this.#state === opening) await this.close();
      throw error instanceof BackendError ? error : carrierError(error);
    }
  }

  async close(): Promise<void> {
    this.#state = { name: 'closed' };
    this.#running?.cancel();
    this.#running = undefined;
    const late = () => new Error('the carrier did not close in time');
    const closing = (async () => this.#io.close())();
    // A carrier that can't be closed has nothing left that a caller could do about it.
    await within(this.#clock, this.#clock.now() + CLOSE_LIMIT_MS, closing, late).catch(() => undefined);
  }

  async execute(request: CciRequest, deadlineMs: number): Promise<CciReply> {
    const state = this.#ready();
    const { opcode } = request;
    if (!Number.isInteger(opcode) || opcode < 0 || opcode > 0xffff) refuse('EINVAL', 'the opcode is not 16 bits');
    if (request.payload.length > state.mailbox.payloadBytes) {
      refuse(
        'EINVAL',
        `a payload of ${request.payload.length} bytes is over the ${state.mailbox.payloadBytes} of the mailbox`,
      );
    }
    if (this.#running !== undefined) refuse('EBUSY', 'another command is in the mailbox');
    if (!(this.#clock.now() < deadlineMs)) refuse('ETIMEDOUT', 'the deadline has already passed');

    const attempt = this.#attempt(Math.min(deadlineMs, this.#clock.now() + PREPARE_LIMIT_MS));
    this.#running = attempt;
    try {
      // Copied, so that the bytes that were decided on are the bytes sent whatever the caller does to its buffer.
      const payload = request.payload.slice();
      return await runCommand(attempt, state.mailbox, opcode, payload, deadlineMs);
    } catch (cause) {
      const error = cause instanceof BackendError ? cause : attempt.error('EIO', 'internal error', { cause });
      this.#loseAfter(state, attempt, error, `command ${hex16(opcode)}`);
      throw error;
    } finally {
      if (this.#running === attempt) this.#running = undefined;
    }
  }

  /**
   * Reads the background command status register; sends no command, and may be called while one runs.
   *
   * @throws BackendError, always `not-sent`
   */
  async readBackgroundStatus(deadlineMs: number): Promise<BackgroundStatus> {
    const state = this.#ready();
    const attempt = this.#attempt(Math.min(deadlineMs, this.#clock.now() + PREPARE_LIMIT_MS));
    try {
      const offset = state.mailbox.offset + MAILBOX.backgroundStatus;
      return decodeBackgroundStatus(await attempt.read64(offset, 'background status'));
    } catch (error) {
      if (error instanceof BackendError) this.#loseAfter(state, attempt, error, 'reading the background status');
      throw error;
    }
  }

  async #find(): Promise<OpenMailbox> {
    const limitAtMs = this.#clock.now() + OPEN_LIMIT_MS;
    const late = () => new BackendError('ETIMEDOUT', 'not-sent', 'the carrier did not open in time');
    const carrier = await within(this.#clock, limitAtMs, (async () => this.#io.open())(), late);
    const attempt = this.#attempt(limitAtMs);
    const { mailbox: place, deviceStatus } = await readCapabilities(attempt, this.#io.size);
    if (deviceStatus !== undefined) await mailboxReady(attempt, deviceStatus.offset, this.#clock, limitAtMs);
    const location = await measureMailbox(attempt, place);
    const mailbox = { ...location, clock: this.#clock, completion: await this.#listen(location) };
    const idleAtMs = Math.min(this.#clock.now() + DOORBELL_LIMIT_MS, limitAtMs);
    if (!(await doorbellClears(attempt, mailbox, idleAtMs))) {
      throw attempt.error('EBUSY', 'the doorbell is set and does not clear: the mailbox is stuck or somebody uses it');
    }
    const { transport, description, bootId, notes } = carrier;
    const said = notes === undefined ? {} : { notes };
    return { identity: { kind: `mailbox/${transport}`, description, bootId, ...said }, mailbox };
  }

  /** The doorbell's interrupts, if the device has them and the carrier delivers them; without them the driver polls. */
  async #listen({ doorbellMessage }: MailboxLocation): Promise<Completion | undefined> {
    const { messages = 0, listen } = this.#io;
    if (doorbellMessage === undefined || doorbellMessage >= messages || listen === undefined) return undefined;
    const completion = new Completion();
    try {
      await listen.call(this.#io, doorbellMessage, completion.signal);
      return completion;
    } catch {
      return undefined;
    }
  }

  #attempt(limitAtMs: number): Attempt {
    return new Attempt(this.#io, this.#clock, limitAtMs, ACCESS_GRACE_MS);
  }

  #ready(): OpenMailbox {
    const state = this.#state;
    if (state.name === 'open') return state;
    if (state.name === 'lost') refuse('EIO', `${state.reason}; the mailbox has to be closed and opened again`);
    return refuse('EINVAL', 'the mailbox is not open');
  }

  /** A doorbell that was set before we began, or a deadline that passed before we rang it, leaves the mailbox as it was. */
  #loseAfter(state: OpenMailbox, attempt: Attempt, error: BackendError, what: string): void {
    if (error.outcome === 'not-sent' && !attempt.carrierFailed) return;
    if (this.#state !== state) return;
    const { identity, mailbox } = state;
    this.#state = { name: 'lost', identity, mailbox, reason: `${what} ended with ${error.code}` };
  }
}

function refuse(code: 'EBUSY' | 'EINVAL' | 'EIO' | 'ETIMEDOUT', message: string): never {
  throw new BackendError(code, 'not-sent', message);
}

function carrierError(cause: unknown): BackendError {
  const text = cause instanceof Error ? cause.message : String(cause);
  return new BackendError('EIO', 'not-sent', `the carrier failed: ${text}`, { cause });
}
