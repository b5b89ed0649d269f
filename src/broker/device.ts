import { performance } from 'node:perf_hooks';
import { type Backend, BackendError, type CciReply } from '../backend/index.ts';
import {
  decodeRoutedReply,
  encodeRoute,
  hex16,
  isSuccess,
  opcode,
  type RoutedCommand,
  type RoutedReply,
} from '../cci/index.ts';
import {
  type Cancellation,
  everything,
  type Footprint,
  type Lane,
  type NoTurn,
  Scheduler,
  type Turn,
  type Unserved,
  unserved,
} from './schedule/index.ts';

/** Why a command did not come back with a reply. `unknown`: it may have been executed (R16). */
export interface DeviceFailure {
  readonly outcome: 'not-sent' | 'unknown';
  readonly errno: 'EIO' | 'ETIMEDOUT' | 'EAGAIN' | 'EBUSY' | 'ENOTTY';
  readonly text: string;
  /** Why its turn did not come, where that is what was in the way. */
  readonly noTurn?: NoTurn;
  /** When asking again may be worth while. */
  readonly retryAfterMs?: number;
  /** Nothing is sent until the switch has answered an Identify. */
  readonly quarantined?: true;
}

/** A reply that was held against its request, layer by layer. */
export type DeviceReply =
  | { readonly kind: 'reply'; readonly reply: RoutedReply }
  /** The reply breaks the protocol: the command was executed, its answer is not believed. Taint M. */
  | { readonly kind: 'malformed'; readonly text: string }
  | { readonly kind: 'failed'; readonly failure: DeviceFailure };

export interface DeviceOptions {
  /** Commands that may wait for the device. */
  readonly queueMax: number;
  /** Of these, how many may be of one tenant; all if not given. */
  readonly queuePerTenant?: number;
  /** Share of a tenant, 1 if not given. */
  readonly weightOf?: (tenant: string) => number;
  /** How long a command that names no deadline may wait; for ever if not given. */
  readonly waitMs?: number;
  /** How long a command may take once it was sent. */
  readonly timeoutMs: number;
  /** Opcodes that must not reach this device's own CCI, with the reason. */
  readonly neverSend: ReadonlyMap<number, string>;
  readonly onStateChange?: (state: DeviceState) => void;
  /** Told of each command that had to wait, when its turn came. */
  readonly onWaited?: (lane: Lane, waitedMs: number) => void;
}

/** Whose command it is and how it wants to wait. */
export interface Asker {
  readonly tenant: string;
  /** Where other work waits as well; `tenants` if not given. */
  readonly lane?: Lane;
  /** When its turn has to have come, on the clock of `performance.now()`. */
  readonly deadlineMs?: number;
  readonly cancellation?: Cancellation;
  /** What it touches. Without it, it is alone with the device. */
  readonly footprint?: () => Footprint;
}

export type DeviceState = 'closed' | 'serving' | 'quarantined';

/** Sends one of the broker's own commands in the turn of another. */
export type OwnSend = (command: RoutedCommand) => Promise<DeviceReply>;

/** The device is left to somebody beside the broker. */
export interface Hold {
  /** For the broker's own reads before anybody else has a turn. */
  readonly send: OwnSend;
  /** Turns are given again. Calling it again does nothing. */
  release(): void;
}

/** A first loss may be chance; the same port again is not. */
const SILENT_FIRST_MS = 1000;
const SILENT_LONGEST_MS = 60_000;

interface Silence {
  readonly pauseMs: number;
  readonly untilMs: number;
}

function portOf({ hops: [first] }: RoutedCommand): number | undefined {
  return first?.kind === 'port' ? first.port : undefined;
}

/** The broker's own traffic has a lane of its own; no tenant can have this name. */
const BROKER: Asker = {
  tenant: '',
  lane: 'broker',
  deadlineMs: Number.POSITIVE_INFINITY,
  footprint: () => ({ kind: 'resources', changes: false, paths: [] }),
};

/** Says that it is in use, and never by whom. */
const IN_USE = 'the switch is in use: try again later';

/** How long the queue of a device that is to be left to somebody else may take to become empty. */
const DRAIN_MS = 3000;

/** Timers cannot be longer. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

const QUARANTINED =
  'a command before it was cut off, and nothing is sent until the switch has answered an Identify again';

/**
 * The one owner of a backend: keeps to its `maxInFlight`, gives tenants their turns, and after an unknown outcome closes
 * and reopens it and sends nothing else until an Identify has succeeded.
 */
export class Device {
  private readonly backend: Backend;
  private readonly options: DeviceOptions;
  private readonly scheduler: Scheduler;
  private current: DeviceState = 'closed';
  private recovering: Promise<void> | undefined;
  private stopping = false;
  /** Ports behind which something did not answer, and until when they are left alone. */
  private readonly silent = new Map<number, Silence>();
  /** What becomes of commands while the device is left to somebody else; undefined while it is not. */
  private held: 'wait' | 'refuse' | undefined;
  /** It is left to somebody else, and nothing waits any more that was there before. */
  private isLeft = false;
  /** Who waits for the end of that. */
  private readonly waitingForEnd = new Set<() => void>();
  /** Ends the pause between two attempts to recover. */
  private wake = (): void => {};

  constructor(backend: Backend, options: DeviceOptions) {
    this.backend = backend;
    this.options = options;
    const { queueMax, queuePerTenant = queueMax, weightOf = () => 1, onWaited } = options;
    this.scheduler = new Scheduler({
      slots: () => (this.isLeft ? 0 : this.backend.maxInFlight),
      queueMax,
      queuePerTenant,
      weightOf,
      ...(onWaited === undefined ? {} : { onWaited }),
    });
  }

  get state(): DeviceState {
    return this.current;
  }

  /** Commands that wait for their turn. */
  get waiting(): number {
    return this.scheduler.waiting;
  }

  waitingIn(lane: Lane): number {
    return this.scheduler.waitingIn(lane);
  }

  waitingOf(tenant: string): number {
    return this.scheduler.waitingOf(tenant);
  }

  /** Is the order of commands kept by resource, because several may be in flight? */
  get ordersByResource(): boolean {
    return this.backend.maxInFlight > 1;
  }

  /** Is it left to somebody beside the broker? */
  get isHeld(): boolean {
    return this.held !== undefined;
  }

  get identity(): Backend['identity'] {
    return this.backend.identity;
  }

  get maxPayload(): number {
    return this.backend.maxPayload;
  }

  get touchesHostHardware(): boolean {
    return this.backend.touchesHostHardware;
  }

  /** @throws BackendError */
  async open(): Promise<void> {
    await this.backend.open();
    this.enter('serving');
  }

  /** Lets what is in flight finish, refuses what waits, then lets go of the device. */
  async close(): Promise<void> {
    this.stopping = true;
    this.wake();
    this.scheduler.close();
    const deadline = performance.now() + this.options.timeoutMs + 500;
    while (this.scheduler.running > 0 && performance.now() < deadline) await new Promise((done) => setTimeout(done, 5));
    await this.recovering;
    await this.backend.close();
    this.enter('closed');
  }

  /**
   * Sends one command when its turn comes.
   *
   * @param dispatch asked when the turn has come, immediately before the bytes leave: this is where a command is
   *   decided again and its intent recorded. A refusal sends nothing.
   * @param settle runs after the reply and before the turn ends, so that what the command changed is known before
   *   anything that rests on it is decided; `send` is for the broker's own reads
   */
  async execute<R>(
    asker: Asker,
    dispatch: () => Promise<
      { readonly go: true; readonly command: RoutedCommand } | { readonly go: false; readonly refusal: R }
    >,
    settle?: (reply: DeviceReply, send: OwnSend) => Promise<void>,
  ): Promise<DeviceReply | { readonly kind: 'refused'; readonly refusal: R }> {
    if (this.held === 'refuse' && asker !== BROKER) return failed('not-sent', 'EBUSY', IN_USE);
    const asked = this.scheduler.ask(this.turnRequest(asker));
    const turn: Turn | Unserved = asked instanceof Promise ? await asked : asked;
    if (turn.kind === 'unserved') return noTurn(turn);
    try {
      if (this.stopping) return failed('not-sent', 'EIO', 'the broker is stopping');
      if (this.current !== 'serving') return this.notServing();
      const verdict = await dispatch();
      if (!verdict.go) return { kind: 'refused', refusal: verdict.refusal };
      const reply = await this.send(verdict.command);
      await settle?.(reply, (command) => this.send(command));
      return reply;
    } finally {
      turn.end();
    }
  }

  /**
   * Leaves the device to somebody beside the broker: lets what is in flight finish and gives no more turns, not to the
   * broker either, until `release`.
   * @throws Error where it is left to somebody already, or what is in flight does not end
   */
  async hold(others: 'wait' | 'refuse'): Promise<Hold> {
    if (this.held !== undefined) throw new Error('the device is left to somebody already');
    this.held = others;
    const release = (): void => {
      this.held = undefined;
      this.isLeft = false;
      for (const done of [...this.waitingForEnd]) done();
      this.scheduler.slotsChanged();
    };
    // What waits already may be something that a decision waits for: it comes to its end first.
    const deadline = performance.now() + this.options.timeoutMs + DRAIN_MS;
    while (this.scheduler.running > 0 || this.scheduler.waiting > 0) {
      if (performance.now() > deadline || this.stopping) {
        release();
        throw new Error('what was sent to the device does not come to its end');
      }
      await new Promise((done) => setTimeout(done, 5));
    }
    this.isLeft = true;
    let isHeld = true;
    return {
      send: (command) => this.send(command),
      release: () => {
        if (isHeld) release();
        isHeld = false;
      },
    };
  }

  /**
   * Resolves when the device is not left to somebody else any more, at once where it is not. What a command rests on
   * cannot be read meanwhile, so it waits for that before it is decided about.
   * @returns why it is of no use to go on; undefined where it is
   */
  async untilFree({
    deadlineMs,
    cancellation,
  }: Pick<Asker, 'deadlineMs' | 'cancellation'>): Promise<DeviceFailure | undefined> {
    if (this.held === undefined) return undefined;
    if (this.held === 'refuse') return failed('not-sent', 'EBUSY', IN_USE).failure;
    const now = performance.now();
    const until = deadlineMs ?? (this.options.waitMs === undefined ? undefined : now + this.options.waitMs);
    await new Promise<void>((resolve) => {
      let timer: NodeJS.Timeout | undefined;
      const done = (): void => {
        clearTimeout(timer);
        cancellation?.onCancel(undefined);
        this.waitingForEnd.delete(done);
        resolve();
      };
      if (until !== undefined) timer = setTimeout(done, Math.min(until - now, LONGEST_TIMER_MS));
      cancellation?.onCancel(done);
      this.waitingForEnd.add(done);
    });
    if (cancellation?.cancelled === true) return noTurn(unserved('cancelled', 0)).failure;
    return this.held === undefined ? undefined : noTurn(unserved('deadline', 1000)).failure;
  }

  private turnRequest(asker: Asker) {
    const { tenant, lane = 'tenants', cancellation, footprint = () => everything } = asker;
    const { waitMs } = this.options;
    const deadlineMs = asker.deadlineMs ?? (waitMs === undefined ? undefined : performance.now() + waitMs);
    return {
      tenant,
      lane,
      footprint,
      ...(deadlineMs === undefined ? {} : { deadlineMs }),
      ...(cancellation === undefined ? {} : { cancellation }),
    };
  }

  private notServing() {
    if (this.current !== 'quarantined') return failed('not-sent', 'EIO', 'the switch is not available');
    const { kind, failure } = failed('not-sent', 'EIO', QUARANTINED);
    return { kind, failure: { ...failure, quarantined: true } } as const;
  }

  /**
   * The broker's own traffic: bound by the same quirks, with nothing to decide. A full queue does not refuse it: callers
   * who fill the queue must not be able to keep the broker from knowing the fabric.
   */
  async own(command: RoutedCommand): Promise<DeviceReply> {
    const result = await this.execute<never>(BROKER, async () => ({ go: true, command }));
    return result.kind === 'refused' ? failed('not-sent', 'EIO', 'refused') : result;
  }

  private forbidden(command: RoutedCommand): string | undefined {
    if (command.hops.length > 0) return undefined;
    const reason = this.options.neverSend.get(command.opcode);
    return reason === undefined ? undefined : `${hex16(command.opcode)} is never sent to this device: ${reason}`;
  }

  private async send(command: RoutedCommand): Promise<DeviceReply> {
    const forbidden = this.forbidden(command);
    if (forbidden !== undefined) return failed('not-sent', 'ENOTTY', forbidden);
    if (this.current !== 'serving') return this.notServing();
    const port = portOf(command);
    const silence = port === undefined ? undefined : this.silent.get(port);
    if (silence !== undefined && performance.now() < silence.untilMs) {
      return failed('not-sent', 'EIO', `what is behind port ${port} did not answer and is left alone for a while`);
    }
    const outer = encodeRoute(command);
    let reply: CciReply;
    try {
      reply = await this.backend.execute(
        { opcode: opcode(outer.opcode), payload: outer.payload },
        performance.now() + this.options.timeoutMs,
      );
    } catch (error) {
      const failure = this.failure(error);
      if (port !== undefined && this.recovering !== undefined) this.leaveAlone(port, silence);
      return failure;
    }
    if (port !== undefined) this.silent.delete(port);
    return believed(command, reply);
  }

  private failure(error: unknown): DeviceReply {
    // Anything that is no BackendError is a defect below: nobody knows what reached the device.
    const known = error instanceof BackendError ? error : undefined;
    const outcome = known?.outcome ?? 'unknown';
    const text = error instanceof Error ? error.message : String(error);
    // A busy doorbell leaves the mailbox usable; after anything else nobody knows its state (R16).
    if (known?.code !== 'EBUSY' && known?.code !== 'EINVAL') this.quarantine();
    return failed(outcome, outcome === 'unknown' ? 'ETIMEDOUT' : 'EIO', text);
  }

  /**
   * Every command that is lost behind a port costs all callers of the switch a timeout and a recovery. So what does not
   * answer is asked less and less often.
   */
  private leaveAlone(port: number, before: Silence | undefined): void {
    const pauseMs = before === undefined ? SILENT_FIRST_MS : Math.min(before.pauseMs * 2, SILENT_LONGEST_MS);
    this.silent.set(port, { pauseMs, untilMs: performance.now() + pauseMs });
  }

  private quarantine(): void {
    if (this.recovering !== undefined || this.stopping) return;
    this.enter('quarantined');
    this.recovering = this.recover();
  }

  private async recover(): Promise<void> {
    for (let attempt = 0; !this.stopping; attempt++) {
      try {
        await this.backend.close();
        await this.backend.open();
        // R16: only a successful command says that the mailbox is in a known state again.
        const { returnCode } = await this.backend.execute(
          { opcode: opcode(0x0001), payload: new Uint8Array(0) },
          performance.now() + this.options.timeoutMs,
        );
        if (isSuccess(returnCode)) break;
      } catch {
        // tried again
      }
      await this.pause(Math.min(50 * 2 ** attempt, 2000));
    }
    // Before anybody hears of it: what is sent from then on may fail, and must find the way into quarantine again.
    this.recovering = undefined;
    if (!this.stopping) this.enter('serving');
  }

  /** Ends early when the device is closed: the timer alone would not keep the process alive to see its end. */
  private pause(ms: number): Promise<void> {
    if (this.stopping) return Promise.resolve();
    return new Promise((done) => {
      this.wake = done;
      setTimeout(done, ms).unref();
    });
  }

  private enter(state: DeviceState): void {
    this.current = state;
    this.options.onStateChange?.(state);
  }
}

/** Bytes that our own decoder stumbles over are as little to be believed as those that it refuses. */
function believed(command: RoutedCommand, reply: CciReply): DeviceReply {
  try {
    const routed = decodeRoutedReply(command, reply);
    if (routed.ok) return { kind: 'reply', reply: routed.value };
    return { kind: 'malformed', text: `layer ${routed.error.layer}: ${routed.error.message}` };
  } catch (error) {
    return { kind: 'malformed', text: error instanceof Error ? error.message : String(error) };
  }
}

function failed(
  outcome: DeviceFailure['outcome'],
  errno: DeviceFailure['errno'],
  text: string,
): { readonly kind: 'failed'; readonly failure: DeviceFailure } {
  return { kind: 'failed', failure: { outcome, errno, text } };
}

/** What the caller is told. */
const noTurnTexts: { readonly [W in NoTurn]: string } = {
  'queue-full': 'too many commands wait for the switch',
  'tenant-queue-full': 'too many commands of yours wait for the switch',
  'too-late': 'so many commands wait for the switch that it could not be sent before its deadline',
  deadline: 'its deadline passed before it could be sent',
  cancelled: 'the client went away before it was sent',
  closed: 'the broker is stopping',
};

function noTurn({ why, retryAfterMs }: Unserved): { readonly kind: 'failed'; readonly failure: DeviceFailure } {
  const errno = why === 'closed' ? 'EIO' : 'EAGAIN';
  return { kind: 'failed', failure: { outcome: 'not-sent', errno, text: noTurnTexts[why], noTurn: why, retryAfterMs } };
}
