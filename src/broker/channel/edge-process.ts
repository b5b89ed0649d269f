import type { Duplex, Readable } from 'node:stream';
import type { Logger } from 'pino';
import type { CoreApi } from '../core-api.ts';
import type { RecordBodies } from '../journal/index.ts';
import { CoreChannel } from './core-channel.ts';
import { EdgeOutput } from './edge-output.ts';
import { type Violation, violations } from './violations.ts';

/** A process that was started to be the edge. */
export interface EdgeChild {
  readonly pid: number;
  readonly channel: Duplex;
  readonly output: readonly Readable[];
  /** SIGKILL. */
  kill(): void;
  /** Resolves once it has ended. Never rejects. */
  readonly ended: Promise<EdgeEnd>;
}

export interface EdgeEnd {
  readonly code: number | null;
  readonly signal: string | null;
}

export type EdgeRecord = RecordBodies['edge'];

/** Where the life of an edge is written down and counted. */
export interface EdgeAccounts {
  readonly log: Logger;
  /** Rejects where it cannot be recorded. */
  record(body: EdgeRecord, durable: boolean): Promise<void>;
  isUp(isUp: boolean): void;
  ended(reason: NonNullable<EdgeRecord['reason']>): void;
  violated(violation: Violation): void;
}

export interface EdgeProcessSettings {
  readonly core: CoreApi;
  readonly accounts: EdgeAccounts;
  /** Starts a process. @throws where it cannot be started at all */
  readonly spawn: () => EdgeChild;
  /** What the edge listens on and with. @param before what the one before it said when it was ready */
  readonly options: (before: unknown) => Promise<unknown>;
  /** What the edge may ask for besides `CoreApi`. */
  readonly onAsk: (asked: unknown) => Promise<unknown>;
  /** An edge is ready. @returns what is recorded about it @throws where what it says cannot be; it is ended then */
  readonly onReady?: (said: unknown, pid: number) => Promise<EdgeRecord['details']>;
  /** Pause between two questions for a sign of life, three of which it may leave unanswered; 10 s if not given. */
  readonly pingMs?: number;
  /** How long it may take until it is ready; 20 s if not given. */
  readonly readyMs?: number;
  /** How long `stop` waits for what is under way; 15 s if not given. */
  readonly stopMs?: number;
  /** Pause before a new edge is started, doubled each time up to the second number; 100 ms and 10 s if not given. */
  readonly pauseMs?: readonly [first: number, most: number];
}

/** The first edge was never ready. */
export class EdgeStartError extends Error {
  readonly code = 'EEDGE';
  readonly details: readonly string[];
  constructor(message: string, details: readonly string[]) {
    super(message);
    this.name = 'EdgeStartError';
    this.details = details;
  }
}

/** After so long an edge counts as one that runs, and the next pause is the first one again. */
const STEADY_MS = 30_000;

interface Life {
  readonly child: EdgeChild;
  readonly channel: CoreChannel;
  readonly output: EdgeOutput;
  readonly startedMs: number;
  violation?: Violation;
  /** It was ended for giving no sign of life. */
  isStalled?: true;
}

/**
 * Keeps an edge running. One that ends, or does what the table does not have, is ended, written down and followed by a new
 * one; the core keeps its devices and its journal meanwhile.
 */
export class EdgeProcess {
  private readonly settings: EdgeProcessSettings;
  private life: Life | undefined;
  private said: unknown;
  private pauseMs: number;
  private isStopping = false;
  private wake = (): void => {};
  private running: Promise<void> | undefined;

  constructor(settings: EdgeProcessSettings) {
    this.settings = settings;
    this.pauseMs = settings.pauseMs?.[0] ?? 100;
  }

  /** The process that is the edge now; undefined between two of them. */
  get pid(): number | undefined {
    return this.life?.child.pid;
  }

  /**
   * Starts the first one. @returns what it said when it was ready
   * @throws EdgeStartError
   */
  async start(): Promise<unknown> {
    const life = await this.begin();
    this.running = this.keep(life);
    return this.said;
  }

  /** New material for the edge that runs; the next one is given it with its options. */
  supply(material: unknown): void {
    this.life?.channel.supply(material);
  }

  /** Lets it finish what is under way, and starts no other. */
  async stop(): Promise<void> {
    this.isStopping = true;
    this.wake();
    const { life } = this;
    if (life !== undefined) await this.finish(life);
    await this.running;
  }

  private async finish({ channel, child }: Life): Promise<void> {
    channel.stop();
    const late = setTimeout(() => child.kill(), this.settings.stopMs ?? 15_000);
    await child.ended;
    clearTimeout(late);
  }

  private async begin(): Promise<Life> {
    const { accounts, core, options, onAsk, onReady, spawn, readyMs = 20_000 } = this.settings;
    const given = await options(this.said);
    const child = spawn();
    const output = new EdgeOutput(accounts.log);
    for (const stream of child.output) output.read(stream);
    const ready = Promise.withResolvers<unknown>();
    const channel: CoreChannel = new CoreChannel(child.channel, {
      core,
      onAsk,
      onReady: ready.resolve,
      onViolation: (violation) => {
        life.violation = violation;
        child.kill();
        accounts.violated(violation);
        accounts.log.error({ violation }, `the edge was ended: it sent ${violations[violation]}`);
      },
    });
    const life: Life = { child, channel, output, startedMs: performance.now() };
    channel.start(given);
    const late = setTimeout(() => child.kill(), readyMs);
    let details: EdgeRecord['details'];
    try {
      const first = await Promise.race([ready.promise, child.ended.then(() => ended)]);
      if (first === ended) throw new EdgeStartError('the edge ended before it was ready', output.last);
      this.said = first;
      details = await onReady?.(first, child.pid);
    } catch (error) {
      child.kill();
      channel.close();
      const how = await child.ended;
      await this.record(life, how, 'no-start');
      throw error;
    } finally {
      clearTimeout(late);
    }
    this.life = life;
    accounts.isUp(true);
    const about = details === undefined ? {} : { details };
    await this.write({ change: 'started', pid: child.pid, ...about }, false);
    return life;
  }

  /** Until it is told to stop: waits for the end of one edge, writes it down, starts the next. */
  private async keep(first: Life): Promise<void> {
    const { accounts } = this.settings;
    for (let life: Life | undefined = first; ; ) {
      if (life !== undefined) {
        const watch = this.watch(life);
        const how = await life.child.ended;
        clearInterval(watch);
        this.life = undefined;
        accounts.isUp(false);
        life.channel.close();
        await this.record(life, how, reasonOf(life, how, this.isStopping));
        if (performance.now() - life.startedMs > STEADY_MS) this.pauseMs = this.settings.pauseMs?.[0] ?? 100;
      }
      if (this.isStopping) return;
      await this.pause();
      if (this.isStopping) return;
      life = await this.begin().catch((error: unknown) => {
        accounts.log.error({ err: error }, 'no new edge could be started; it is tried again');
        return undefined;
      });
      if (this.isStopping && life !== undefined) await this.finish(life);
    }
  }

  private watch(life: Life): NodeJS.Timeout {
    const timer = setInterval(() => {
      if (life.channel.ping()) return;
      life.isStalled = true;
      life.child.kill();
    }, this.settings.pingMs ?? 10_000);
    return timer.unref();
  }

  private async pause(): Promise<void> {
    const [, most = 10_000] = this.settings.pauseMs ?? [];
    const pause = this.pauseMs;
    this.pauseMs = Math.min(most, pause * 2);
    await new Promise<void>((done) => {
      const timer = setTimeout(done, pause);
      this.wake = () => {
        clearTimeout(timer);
        done();
      };
    });
  }

  private async record(
    { channel, child, violation }: Life,
    { code, signal }: EdgeEnd,
    reason: NonNullable<EdgeRecord['reason']>,
  ): Promise<void> {
    this.settings.accounts.ended(reason);
    const body: EdgeRecord = {
      change: 'ended',
      pid: child.pid,
      reason,
      ...(violation === undefined ? {} : { violation }),
      ...(code === null ? {} : { exitCode: code }),
      ...(signal === null ? {} : { signal }),
      underWay: channel.unheard,
    };
    await this.write(body, reason !== 'asked');
    if (reason !== 'asked') this.settings.accounts.log.error(body, 'the edge has ended');
  }

  private async write(body: EdgeRecord, durable: boolean): Promise<void> {
    const { accounts } = this.settings;
    // A journal that fails refuses commands; the edge is not what has to say so.
    await accounts
      .record(body, durable)
      .catch((error: unknown) => accounts.log.error({ err: error, ...body }, 'the edge could not be recorded'));
  }
}

const ended = Symbol('ended');

function reasonOf(
  { isStalled, violation }: Life,
  { signal }: EdgeEnd,
  isStopping: boolean,
): NonNullable<EdgeRecord['reason']> {
  if (violation !== undefined) return 'violation';
  if (isStalled === true) return 'stalled';
  // What the filter of system calls ends.
  if (signal === 'SIGSYS') return 'forbidden-call';
  if (isStopping) return 'asked';
  return signal === null ? 'exit' : 'signal';
}
