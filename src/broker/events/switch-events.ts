import { randomBytes } from 'node:crypto';
import { FABRIC_TENANT } from '../../policy/index.ts';
import type { EventPage } from '../core-api.ts';
import type { JournalFileSystem } from '../journal/index.ts';
import { type Cursor, formatCursor } from './cursor.ts';
import { Drain, type DrainOptions, type DrainParts } from './drain.ts';
import { EventFile } from './event-file.ts';
import { pageOf, startOf, Waiters } from './feed.ts';
import { formatLine, type Line, parseLine } from './lines.ts';
import { onHisClock, type Show } from './shown.ts';
import { EventState } from './state.ts';
import { clearLog, type LogAnswer, readLog } from './tenant-logs.ts';

export interface SwitchEventsOptions extends DrainOptions {
  /** Entries of each tenant's feed that are kept. */
  readonly keep: number;
  readonly directory: string;
  readonly fileSystem: JournalFileSystem;
}

type Parts = Omit<DrainParts, 'state' | 'keep' | 'note'> & {
  /** Row L7 holds: operators get pseudonyms in place of others' details. */
  readonly hidesOthers: () => boolean;
};

const MS = 1_000_000n;
const DYNAMIC_CAPACITY = 'dynamic-capacity';

/**
 * The events of one switch: drained from the device, kept on disk, and shown to each tenant as logs, a clock and a feed
 * of his own.
 */
export class SwitchEvents {
  readonly #parts: Parts;
  readonly #state: EventState;
  readonly #file: EventFile;
  readonly #drain: Drain;
  readonly #waiters = new Waiters();

  private constructor(parts: Parts, options: SwitchEventsOptions) {
    this.#parts = parts;
    this.#state = new EventState({
      epoch: randomBytes(4).toString('hex'),
      key: randomBytes(16).toString('hex'),
      keep: options.keep,
    });
    this.#file = new EventFile({
      fileSystem: options.fileSystem,
      directory: options.directory,
      name: `events-${parts.switch}.jsonl`,
      snapshot: () => this.#state.lines().map(formatLine),
    });
    const keep = (lines: readonly Line[]): Promise<void> => this.#keep(lines);
    const note = (line: Line): void => this.#note(line);
    this.#drain = new Drain({ ...parts, state: this.#state, keep, note }, options);
  }

  /** What was kept before; a file that cannot be read is put aside, and readers are told of a gap. */
  static async open(parts: Parts, options: SwitchEventsOptions): Promise<SwitchEvents> {
    const events = new SwitchEvents(parts, options);
    await events.#load(options.keep);
    events.#state.retain(parts.fabric().tenants);
    return events;
  }

  start(): void {
    this.#drain.start();
  }

  /** Something happened on the switch: look soon. */
  wake(): void {
    this.#drain.wake();
  }

  /** Looks once, now; never rejects. */
  look(): Promise<void> {
    return this.#drain.look();
  }

  /** The device was lost. */
  forget(): void {
    this.#drain.forget();
  }

  /** Waits for what is under way; who waits for events is told that there are none. */
  async close(): Promise<void> {
    await this.#drain.stop();
    this.#waiters.wakeAll();
    await this.#file
      .close()
      .catch((error: unknown) => this.#parts.log.error({ err: error }, 'the events could not be closed in order'));
  }

  /**
   * The tenant's next events behind `after` (an id of an event, `now`, or from the oldest).
   *
   * @returns undefined where `after` is no id
   */
  page(tenant: string, after: string | undefined, limit: number): EventPage | undefined {
    const show = this.#show(tenant);
    const start = startOf(after, show);
    return start === undefined ? undefined : pageOf(start, limit, show);
  }

  /** Is there room for one more reader of that tenant who waits? */
  hasRoom(tenant: string): boolean {
    return this.#waiters.hasRoom(tenant);
  }

  /** Resolves when something came for the tenant, or after `ms`. */
  wait(tenant: string, ms: number): Promise<void> {
    return this.#waiters.wait(tenant, ms);
  }

  /** The tenant's last event, for readers who want only what comes. */
  last(tenant: string): string {
    const cursor: Cursor = { epoch: this.#state.epoch, seq: this.#state.of(tenant).lastSeq };
    return formatCursor(cursor);
  }

  /** 0100h on the tenant's own log. */
  read(tenant: string, log: unknown, budget: number): LogAnswer {
    return readLog(this.#known(log), budget, this.#show(tenant));
  }

  /** 0101h on the tenant's own log. */
  clear(tenant: string, log: unknown, all: boolean, handles: readonly number[]): LogAnswer {
    const answer = clearLog(this.#known(log), all, handles, this.#show(tenant));
    if (answer.line !== undefined) this.#note(answer.line);
    return answer;
  }

  /** Exponent of the response message limit that the tenant set; undefined while he never did. */
  limit(tenant: string): number | undefined {
    return this.#state.of(tenant).limit;
  }

  setLimit(tenant: string, limit: number): void {
    this.#note({ kind: 'view', tenant, limit });
  }

  /** Time on the tenant's clock, nanoseconds since 1970: the broker's, until he sets his own. */
  clock(tenant: string): bigint {
    return onHisClock(this.#state.of(tenant), this.#nowNs());
  }

  setClock(tenant: string, timestamp: bigint): void {
    this.#note({ kind: 'view', tenant, offsetNs: timestamp - this.#nowNs() });
  }

  /** A log that the switch says it does not have, its tenants do not have either. */
  #known(log: unknown): unknown {
    return log === DYNAMIC_CAPACITY && this.#drain.isAbsent(4) ? undefined : log;
  }

  #show(tenant: string): Show {
    const hides = tenant === FABRIC_TENANT && this.#parts.hidesOthers();
    return {
      epoch: this.#state.epoch,
      state: this.#state.of(tenant),
      pseudonyms: hides ? this.#state.key : undefined,
    };
  }

  #nowNs(): bigint {
    return BigInt(this.#parts.nowMs()) * MS;
  }

  async #keep(lines: readonly Line[]): Promise<void> {
    await this.#file.append(lines.map(formatLine), true);
    for (const line of lines) this.#state.apply(line);
    const tenants = lines.flatMap((line) => (line.kind === 'add' || line.kind === 'lost' ? line.to : []));
    for (const tenant of new Set(tenants.map(([name]) => name))) this.#waiters.wake(tenant);
  }

  #note(line: Line): void {
    this.#state.apply(line);
    this.#file
      .append([formatLine(line)], false)
      .catch((error: unknown) => this.#parts.log.error({ err: error }, 'what was set could not be kept on disk'));
  }

  async #load(keep: number): Promise<void> {
    const loaded = new EventState({ epoch: this.#state.epoch, key: this.#state.key, keep });
    try {
      const lines = (await this.#file.read()).map(parseLine);
      for (const line of lines) loaded.apply(line);
    } catch (error) {
      const aside = await this.#file.setAside(`unreadable-${this.#parts.nowMs()}`);
      this.#parts.log.error({ err: error, aside }, 'the kept events cannot be read and were put aside');
      return;
    }
    for (const line of loaded.lines()) this.#state.apply(line);
  }
}
