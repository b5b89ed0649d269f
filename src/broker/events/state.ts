import { type Entry, EVENT_LOGS, type Kept, type Line } from './lines.ts';

/** Records that one log of a tenant holds until he clears them, as a device's log would. */
export const LOG_SIZE = 256;
const LAST_HANDLE = 0xffff;
const MOST_OVERFLOWS = 0xffff;

/** One event log of one tenant. */
export interface TenantLog {
  /** Oldest first. */
  readonly records: Entry[];
  overflow: number;
  firstNs: bigint;
  lastNs: bigint;
}

/** Everything that one tenant has on one switch. */
export interface TenantState {
  readonly tenant: string;
  /** Last number given in his feed. */
  lastSeq: number;
  lastHandle: number;
  /** Exponent of his response message limit; undefined while he never set one. */
  limit: number | undefined;
  /** His clock against the broker's; undefined while he never set it. */
  offsetNs: bigint | undefined;
  /** The newest ones, ascending. */
  readonly feed: Entry[];
  readonly logs: readonly TenantLog[];
}

export interface StateOptions {
  readonly epoch: string;
  readonly key: string;
  /** Entries of a tenant's feed that are kept. */
  readonly keep: number;
}

/** What is kept of one switch's events. Changes by lines alone, so that a file of lines gives it back. */
export class EventState {
  epoch: string;
  key: string;
  readonly #keep: number;
  readonly #tenants = new Map<string, TenantState>();
  readonly #pending = new Map<string, { cci: string; log: number; kept: Kept[] }>();

  constructor({ epoch, key, keep }: StateOptions) {
    this.epoch = epoch;
    this.key = key;
    this.#keep = keep;
  }

  /** What a tenant has; nothing yet where he never got anything. */
  of(tenant: string): TenantState {
    const known = this.#tenants.get(tenant);
    if (known !== undefined) return known;
    const made = emptyTenant(tenant);
    this.#tenants.set(tenant, made);
    return made;
  }

  /** Records that are kept and that the device may still have. */
  pending(cci: string, log: number): readonly Kept[] {
    return this.#pending.get(`${cci} ${log}`)?.kept ?? [];
  }

  /** Gives what belongs to tenants that are no more free. */
  retain(tenants: readonly string[]): void {
    for (const name of this.#tenants.keys()) if (!tenants.includes(name)) this.#tenants.delete(name);
  }

  apply(line: Line): void {
    switch (line.kind) {
      case 'head':
        this.epoch = line.epoch;
        this.key = line.key;
        return;
      case 'add':
        this.#keepPending(line.cci, line.log).push(line.kept);
        for (const [tenant, entry] of line.to) this.#deliver(tenant, entry);
        return;
      case 'lost':
        for (const [tenant, entry] of line.to) this.#deliver(tenant, entry);
        return;
      case 'done': {
        const kept = this.#keepPending(line.cci, line.log);
        const left = kept.filter(([handle]) => !line.handles.includes(handle));
        kept.splice(0, kept.length, ...left);
        return;
      }
      case 'clear': {
        const log = this.of(line.tenant).logs[line.log];
        if (log !== undefined) clearLog(log, line.handles);
        return;
      }
      case 'view': {
        const state = this.of(line.tenant);
        if (line.limit !== undefined) state.limit = line.limit;
        if (line.offsetNs !== undefined) state.offsetNs = line.offsetNs;
        return;
      }
      case 'tenant': {
        const { tenant, lastSeq, lastHandle, limit, offsetNs, feed, logs } = line;
        this.#tenants.set(tenant, {
          tenant,
          lastSeq,
          lastHandle,
          limit,
          offsetNs,
          feed: feed.slice(-this.#keep),
          logs: logs.map((log) => ({ ...log, records: [...log.records] })),
        });
        return;
      }
      case 'pending':
        this.#keepPending(line.cci, line.log).push(...line.kept);
    }
  }

  /** Lines that make the same state from nothing. */
  lines(): readonly Line[] {
    return [
      { kind: 'head', epoch: this.epoch, key: this.key },
      ...[...this.#tenants.values()].map(({ limit, offsetNs, ...rest }) => ({
        kind: 'tenant' as const,
        ...rest,
        ...(limit === undefined ? {} : { limit }),
        ...(offsetNs === undefined ? {} : { offsetNs }),
      })),
      ...[...this.#pending.values()]
        .filter(({ kept }) => kept.length > 0)
        .map((one) => ({ kind: 'pending' as const, ...one })),
    ];
  }

  #keepPending(cci: string, log: number): Kept[] {
    const name = `${cci} ${log}`;
    const known = this.#pending.get(name) ?? { cci, log, kept: [] };
    this.#pending.set(name, known);
    return known.kept;
  }

  #deliver(tenant: string, entry: Entry): void {
    const state = this.of(tenant);
    // A line that was applied before, as part of a snapshot.
    if (entry.seq <= state.lastSeq) return;
    state.lastSeq = entry.seq;
    state.feed.push(entry);
    if (state.feed.length > this.#keep) state.feed.splice(0, state.feed.length - this.#keep);
    const log = entry.source === '' ? state.logs[entry.log] : undefined;
    if (log === undefined) return;
    if (entry.handle !== 0) {
      state.lastHandle = entry.handle;
      log.records.push(entry);
      return;
    }
    if (log.overflow === 0) log.firstNs = entry.atNs;
    log.lastNs = entry.atNs;
    log.overflow = Math.min(log.overflow + (entry.lost ?? 1), MOST_OVERFLOWS);
  }
}

function emptyTenant(tenant: string): TenantState {
  return {
    tenant,
    lastSeq: 0,
    lastHandle: 0,
    limit: undefined,
    offsetNs: undefined,
    feed: [],
    logs: Array.from({ length: EVENT_LOGS }, () => ({ records: [], overflow: 0, firstNs: 0n, lastNs: 0n })),
  };
}

function clearLog(log: TenantLog, handles: readonly number[]): void {
  const left = log.records.filter(({ handle }) => !handles.includes(handle));
  log.records.splice(0, log.records.length, ...left);
  log.overflow = 0;
  log.firstNs = 0n;
  log.lastNs = 0n;
}

/**
 * Handles for new records of one log, in the order in which they come: 1 to FFFFh and around, none that is still in use;
 * 0 where the log is full.
 */
export function takeHandles(state: TenantState, log: number, count: number): readonly number[] {
  const used = new Set(state.logs.flatMap(({ records }) => records.map(({ handle }) => handle)));
  const taken: number[] = [];
  let free = LOG_SIZE - (state.logs[log]?.records.length ?? 0);
  let next = state.lastHandle;
  for (let i = 0; i < count; i++) {
    if (free-- <= 0) {
      taken.push(0);
      continue;
    }
    do next = next === LAST_HANDLE ? 1 : next + 1;
    while (used.has(next));
    used.add(next);
    taken.push(next);
  }
  return taken;
}
