import { performance } from 'node:perf_hooks';
import type { Logger } from 'pino';
import { decodeEventRecord, enumText, eventTypes, formatVia, type Hop, portId } from '../../cci/index.ts';
import { FABRIC_TENANT, type Fabric, type TopologyView } from '../../policy/index.ts';
import type { DeviceState, OwnSend } from '../device.ts';
import type { Journal, SwitchEventRecord } from '../journal/index.ts';
import { seesSwitch } from '../pipeline/seen-switch.ts';
import { bodyOf, copiesOf, type Ground, mayConcern } from './attribute.ts';
import { DeviceLogs, type Page } from './device-log.ts';
import { type Entry, EVENT_LOGS, type Line } from './lines.ts';
import { describedRecord, digestOf, handleOf, lostSince, nameOf, type Overflow } from './record-facts.ts';
import { type EventState, takeHandles } from './state.ts';

/** What the drain needs of the rest of the broker. */
export interface DrainParts {
  readonly switch: string;
  readonly send: OwnSend;
  readonly deviceState: () => DeviceState;
  readonly topology: TopologyView & { refresh(): Promise<unknown> };
  readonly fabric: () => Fabric;
  readonly state: EventState;
  /** Durable when it resolves. Only then are the lines applied, and only then is anything cleared on the device. */
  readonly keep: (lines: readonly Line[]) => Promise<void>;
  /** Not durable: losing it means that a record is looked at twice. */
  readonly note: (line: Line) => void;
  readonly journal: Pick<Journal, 'append'>;
  readonly log: Logger;
  readonly nowMs: () => number;
  readonly onDrained: (log: string, records: number, lost: number) => void;
}

export interface DrainOptions {
  /** Pause between two looks at the logs; 0 never looks. */
  readonly pollMs: number;
  /** Look at the CCIs of the devices behind the ports as well. */
  readonly components: boolean;
}

/** Pages of one log in one look: a device that always has more must not keep the broker busy for ever. */
const PAGES_MAX = 16;
/** However much happens, this much time is left to others between two looks. */
const BETWEEN_MS = 20;
const OPCODE_READ = 0x0100;
const OPCODE_CLEAR = 0x0101;
const OPCODE_CLOCK = 0x0300;
const MS = 1_000_000n;

/** One CCI whose logs are drained. */
interface Source {
  readonly hops: readonly Hop[];
  readonly path: string;
  readonly logs: DeviceLogs;
  readonly mayClear: boolean;
  readonly mayReadClock: boolean;
  /** The device's clock against ours, once it was asked in this look; `undefined` where it has none. */
  clock: { readonly aheadNs: bigint | undefined } | undefined;
}

/** What of a log is known that does not stand in the state: nothing is lost with it. */
interface Seen {
  absent: boolean;
  overflow: Overflow | undefined;
}

/**
 * Empties the event logs of a switch into the broker's own. A record is kept durably before it is cleared on the device;
 * one that was kept and could not be cleared is known when it comes again.
 */
export class Drain {
  readonly #parts: DrainParts;
  readonly #options: DrainOptions;
  readonly #seen = new Map<string, Seen>();
  #running: Promise<void> | undefined;
  #again = false;
  #timer: NodeJS.Timeout | undefined;
  #endedMs = 0;
  #stopped = true;
  #closed = false;
  #complaint = '';

  constructor(parts: DrainParts, options: DrainOptions) {
    this.#parts = parts;
    this.#options = options;
  }

  start(): void {
    if (this.#options.pollMs === 0) return;
    this.#stopped = false;
    this.wake();
  }

  /** Ends looking; what is under way comes to its end. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#running;
  }

  /** Something happened on the switch: look soon. */
  wake(): void {
    if (this.#stopped) return;
    // Also where nothing is under way: a look may have ended just now and not have planned the next one yet.
    this.#again = true;
    if (this.#running !== undefined) return;
    this.#plan(Math.max(0, BETWEEN_MS - (performance.now() - this.#endedMs)));
  }

  /** The device was lost: what comes back may have other logs. */
  forget(): void {
    this.#seen.clear();
  }

  /** Did the switch itself say that it has no such log? */
  isAbsent(log: number): boolean {
    return this.#seen.get(` ${log}`)?.absent === true;
  }

  /** Looks once, after what is under way; never rejects. */
  async look(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
    this.#running = this.#look()
      .catch((error: unknown) => this.#complain(error instanceof Error ? error.message : String(error)))
      .finally(() => {
        this.#running = undefined;
        this.#endedMs = performance.now();
      });
    await this.#running;
  }

  #plan(pauseMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(async () => {
      this.#again = false;
      await this.look();
      if (this.#stopped) return;
      this.#plan(this.#again ? BETWEEN_MS : this.#options.pollMs);
    }, pauseMs);
    this.#timer.unref();
  }

  async #look(): Promise<void> {
    if (this.#parts.deviceState() !== 'serving') return;
    let changesFabric = false;
    for (const source of await this.#sources()) {
      for (let log = 0; log < EVENT_LOGS && !this.#closed; log++) {
        const drained = await this.#drainLog(source, log);
        changesFabric ||= drained.changesFabric;
        if (drained.failed !== undefined) {
          this.#complain(drained.failed);
          break;
        }
      }
    }
    if (changesFabric) await this.#parts.topology.refresh().catch(() => undefined);
  }

  /** The switch; and where that is asked for each device whose CEL was read and has 0100h. */
  async #sources(): Promise<readonly Source[]> {
    const { topology } = this.#parts;
    const found = [this.#source([], topology.neverSend)];
    if (this.#options.components && !topology.neverSend.has(0x5300)) {
      for (const { id, device } of topology.ports.values()) {
        if (device !== 'sld' && device !== 'mld') continue;
        const hops: readonly Hop[] = [{ kind: 'port', port: portId(id) }];
        found.push(this.#source(hops, new Map()));
      }
    }
    return found.filter((source) => source !== undefined);
  }

  #source(hops: readonly Hop[], neverSend: ReadonlyMap<number, string>): Source | undefined {
    const { topology, send } = this.#parts;
    const cel = topology.cel(hops);
    // A device's CEL is read when somebody first sends it a command: until then nobody knows that it has logs.
    const has = (opcode: number): boolean => cel?.has(opcode) === true && !neverSend.has(opcode);
    if (!has(OPCODE_READ)) return undefined;
    return {
      hops,
      path: formatVia(hops),
      logs: new DeviceLogs(send, hops),
      mayClear: has(OPCODE_CLEAR),
      mayReadClock: has(OPCODE_CLOCK),
      clock: undefined,
    };
  }

  async #drainLog(source: Source, log: number): Promise<{ readonly changesFabric: boolean; readonly failed?: string }> {
    const seen = this.#seenOf(source, log);
    let changesFabric = false;
    if (seen.absent) return { changesFabric };
    for (let turn = 0; turn < PAGES_MAX; turn++) {
      const page = await source.logs.read(log);
      if (page.kind === 'absent') {
        seen.absent = true;
        return { changesFabric };
      }
      if (page.kind === 'failed') return { changesFabric, failed: page.text };
      changesFabric = (await this.#keepPage(source, log, page, seen)) || changesFabric;
      const handles = page.records.map(handleOf);
      if (handles.length === 0) return { changesFabric };
      if (!source.mayClear) return { changesFabric };
      const cleared = await source.logs.clear(log, handles);
      if (cleared.length > 0) this.#parts.note({ kind: 'done', cci: source.path, log, handles: cleared });
      if (cleared.length < handles.length) return { changesFabric, failed: '0101h: not everything was cleared' };
      if (!page.more) return { changesFabric };
    }
    // The rest is for the next look, which begins soon.
    this.#again = true;
    return { changesFabric };
  }

  /** Keeps what is new on a page. True where one of the records tells that the fabric changed. */
  async #keepPage(source: Source, log: number, page: Page & { kind: 'page' }, seen: Seen): Promise<boolean> {
    const { state, topology } = this.#parts;
    const known = new Set(state.pending(source.path, log).map(nameOf));
    const records = page.records.map((bytes) => ({ bytes, kept: [handleOf(bytes), digestOf(bytes)] as const }));
    const fresh = records.filter(({ kept }) => !known.has(nameOf(kept)));
    if (!page.more) this.#dropPending(source, log, new Set(records.map(({ kept }) => nameOf(kept))));
    const lost = lostSince(seen.overflow, page.overflow);
    if (fresh.length === 0 && lost === 0) {
      seen.overflow = page.overflow;
      return false;
    }
    const times: bigint[] = [];
    for (const { bytes } of fresh) times.push(await this.#timeOf(source, bytes));
    // INVARIANT: no turn between here and the moment the lines are handed over, or two would get one number.
    const numbers = new Map<string, number>();
    const ground: Ground = { switch: this.#parts.switch, hops: source.hops, fabric: this.#parts.fabric(), topology };
    const lines: Line[] = [];
    const handles = this.#handles(source, log);
    fresh.forEach(({ bytes, kept }, i) => {
      const to = copiesOf(bytes, ground).map(({ tenant, ...copy }) => {
        const entry: Entry = {
          seq: this.#nextSeq(numbers, tenant),
          kind: 'record',
          log,
          source: source.path,
          atNs: times[i] ?? 0n,
          handle: handles(tenant),
          deviceHandle: kept[0],
          ...copy,
          lost: undefined,
        };
        return [tenant, entry] as const;
      });
      lines.push({ kind: 'add', cci: source.path, log, kept, to });
    });
    if (lost > 0) lines.push(this.#lostLine(source, log, lost, numbers, ground));
    await this.#parts.keep(lines);
    seen.overflow = page.overflow;
    this.#record(
      source,
      log,
      fresh.map(({ bytes }) => bytes),
      lines,
      lost,
    );
    return fresh.some(({ bytes }) => {
      const body = bodyOf(bytes);
      return body !== undefined && body.type !== 'unknown' && eventTypes[body.type].changesFabric;
    });
  }

  #nextSeq(numbers: Map<string, number>, tenant: string): number {
    const seq = (numbers.get(tenant) ?? this.#parts.state.of(tenant).lastSeq) + 1;
    numbers.set(tenant, seq);
    return seq;
  }

  /** Gives each tenant his handles one after the other. Records of devices are in nobody's log of the switch. */
  #handles({ path }: Source, log: number): (tenant: string) => number {
    const queues = new Map<string, { taken: number; handles: readonly number[] }>();
    return (tenant) => {
      if (path !== '') return 0;
      // More than one page can hold; taken once, so that none is given twice.
      const queue = queues.get(tenant) ?? {
        taken: 0,
        handles: takeHandles(this.#parts.state.of(tenant), log, 256),
      };
      queues.set(tenant, queue);
      return queue.handles[queue.taken++] ?? 0;
    };
  }

  /**
   * The device's log was full. Nobody knows whose records were lost, so everybody whom they could concern is told that
   * some were; how many, only operators: it would tell how busy the others are.
   */
  #lostLine(source: Source, log: number, lost: number, numbers: Map<string, number>, ground: Ground): Line {
    const { fabric } = ground;
    const atNs = BigInt(this.#parts.nowMs()) * MS;
    const tenants = fabric.tenants.filter(
      (tenant) => seesSwitch(fabric, tenant, this.#parts.switch) && mayConcern(tenant, ground),
    );
    const to = tenants.map((tenant) => {
      const entry: Entry = {
        seq: this.#nextSeq(numbers, tenant),
        kind: 'overflow',
        log,
        source: source.path,
        atNs,
        handle: 0,
        deviceHandle: 0,
        bytes: new Uint8Array(0),
        others: false,
        lost: tenant === FABRIC_TENANT ? lost : undefined,
      };
      return [tenant, entry] as const;
    });
    return { kind: 'lost', to };
  }

  /** What was kept and is not there any more has been cleared, whether or not we heard of it. */
  #dropPending(source: Source, log: number, there: ReadonlySet<string>): void {
    const gone = this.#parts.state.pending(source.path, log).filter((kept) => !there.has(nameOf(kept)));
    if (gone.length === 0) return;
    this.#parts.note({ kind: 'done', cci: source.path, log, handles: gone.map(([handle]) => handle) });
  }

  /** When it happened, on the broker's clock: by the device's clock where it runs, else now. */
  async #timeOf(source: Source, bytes: Uint8Array): Promise<bigint> {
    const record = decodeEventRecord(bytes);
    const stamp = record.ok ? record.value.header.event_record_timestamp : 0n;
    const nowNs = (): bigint => BigInt(this.#parts.nowMs()) * MS;
    if (stamp === 0n) return nowNs();
    if (source.clock === undefined) {
      const device = source.mayReadClock ? await source.logs.clock() : undefined;
      source.clock = { aheadNs: device === undefined || device === 0n ? undefined : device - nowNs() };
    }
    const { aheadNs } = source.clock;
    const at = stamp - (aheadNs ?? 0n);
    const now = nowNs();
    return at > now || at < 0n ? now : at;
  }

  #record(source: Source, log: number, records: readonly Uint8Array[], lines: readonly Line[], lost: number): void {
    const name = enumText('event_log', log) ?? String(log);
    this.#parts.onDrained(name, records.length, lost);
    const base = { switch: this.#parts.switch, from: source.path === '' ? 'switch' : source.path, log: name };
    records.forEach((bytes, i) => {
      const line = lines[i];
      const tenants = line?.kind === 'add' ? line.to.map(([tenant]) => tenant) : [];
      this.#write({ ...base, change: 'drained', tenants, ...describedRecord(bytes) });
    });
    if (lost > 0) this.#write({ ...base, change: 'lost', count: lost });
  }

  #write(body: SwitchEventRecord): void {
    this.#parts.journal
      .append('event', body, { durable: false })
      .catch((error: unknown) => this.#parts.log.error({ err: error }, 'an event could not be recorded'));
  }

  #seenOf(source: Source, log: number): Seen {
    const name = `${source.path} ${log}`;
    const seen = this.#seen.get(name) ?? { absent: false, overflow: undefined };
    this.#seen.set(name, seen);
    return seen;
  }

  /** Once for each thing that goes wrong, not once a second. */
  #complain(text: string): void {
    if (text === this.#complaint) return;
    this.#complaint = text;
    this.#parts.log.warn({ switch: this.#parts.switch, text }, 'the event logs could not be drained');
  }
}
