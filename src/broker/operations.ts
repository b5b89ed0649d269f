import { decodePayload, formatVia, hex16, isTyped, type Reply, rowByOpcode } from '../cci/index.ts';
import { FABRIC_TENANT } from '../policy/index.ts';
import type { Device } from './device.ts';
import { type Operation, readOperation, type Work } from './operation.ts';
import type { StateFile } from './state-file.ts';

export type { Operation, Work } from './operation.ts';

type Status = Reply<'background-operation-status'>;

export interface OperationsOptions {
  /** Where they outlive the broker; without it they do not. */
  readonly file?: StateFile;
  /** How long an unbind may wait for its host before the operators are told; for ever if not given. */
  readonly unbindWaitMs?: number;
  /** Milliseconds since 1970. */
  readonly nowMs?: () => number;
  readonly onOverdue?: (operation: Operation) => void;
  /** Something could not be kept on disk, or what was there cannot be used. */
  readonly onTrouble?: (what: string, error?: unknown) => void;
}

/** How many finished operations are kept for their owners to ask about: of each tenant, so that none drives out others'. */
const KEPT = 64;
const POLL_FIRST_MS = 5;
const POLL_SLOWEST_MS = 1000;
/** Looks at a component that serves and does not tell, before its work is called lost. */
const SILENT_LOOKS = 20;
const OPCODE_STATUS = 0x0002;
/** Id of work that was found running and that nobody is known to have started. */
const FOUND_ID = 'found-at-start';

/**
 * The background slots of one switch and of what is behind it, and the history of what ran in them. Progress is polled
 * with the broker's own 0002h, less and less often, until the operation ends; then `onEnd` runs, which reads the
 * topology again.
 */
export class Operations {
  private readonly all = new Map<string, Operation>();
  /** What runs, by the path of the component: each has one slot. */
  private readonly slots = new Map<string, Operation>();
  private readonly device: Device;
  private readonly onEnd: (operation: Operation) => Promise<void>;
  private readonly options: OperationsOptions;
  private saving: Promise<void> = Promise.resolve();
  private stopped = false;

  constructor(device: Device, onEnd: (operation: Operation) => Promise<void>, options: OperationsOptions = {}) {
    this.device = device;
    this.onEnd = onEnd;
    this.options = options;
  }

  /** What holds the slot of the switch itself. */
  get running(): Operation | undefined {
    return this.slots.get('');
  }

  /** Operations that run for a tenant. */
  runningOf(tenant: string): number {
    let count = 0;
    for (const operation of this.slots.values()) if (operation.tenant === tenant) count++;
    return count;
  }

  get runningCount(): number {
    return this.slots.size;
  }

  /** Those that wait for a host longer than the configuration allows for. */
  get overdue(): number {
    let count = 0;
    for (const operation of this.slots.values()) if (operation.overdue === true) count++;
    return count;
  }

  start(work: Work): Operation {
    const entry: Operation = { ...work, state: 'running', percent: 0 };
    this.put(entry);
    this.hold(entry);
    this.save();
    return entry;
  }

  /**
   * A command was cut off that may have started work: nobody knows. Where the switch says, once it answers again, that
   * such work runs, it is this one's; the slot was free before.
   */
  suspect(work: Work): void {
    const entry: Operation = { ...work, state: 'unknown', percent: 0 };
    if (this.slots.has(slotOf(entry))) return;
    this.put(entry);
    this.save();
    this.confirm(entry).catch((error: unknown) =>
      this.options.onTrouble?.('a lost operation was not found again', error),
    );
  }

  /**
   * What ran when the broker ended last: the switch is asked what became of it. Call it once, with the device open and
   * before anything is started.
   */
  async recall(): Promise<void> {
    const loaded = await this.options.file?.load();
    if (loaded?.kind === 'damaged') this.options.onTrouble?.(`the file of operations is not used: ${loaded.why}`);
    const known = loaded?.kind === 'state' && Array.isArray(loaded.state) ? loaded.state.map(readOperation) : [];
    for (const entry of known) {
      if (entry === undefined) continue;
      this.all.set(entry.id, entry);
      if (entry.state === 'running') await this.look(entry, true);
    }
    const status = this.slots.has('') ? undefined : await this.status({ hops: [] });
    if (status?.status.background_operation_in_progress === true) this.adopt(status);
    if (this.all.size > 0) this.save();
  }

  /** Resolves when what is known now is on disk, or could not be put there. */
  saved(): Promise<void> {
    return this.saving;
  }

  /** Newest first; all for operators, else the tenant's own. */
  list(tenant: string, everything: boolean): readonly Operation[] {
    return [...this.all.values()].filter((entry) => everything || entry.tenant === tenant).reverse();
  }

  get(id: string, tenant: string, everything: boolean): Operation | undefined {
    const entry = this.all.get(id);
    return entry !== undefined && (everything || entry.tenant === tenant) ? entry : undefined;
  }

  /** The last operation of a tenant on the switch itself that ended, for his own view of 0002h. */
  lastEnded(tenant: string): Operation | undefined {
    return this.list(tenant, false).find((entry) => entry.state === 'done' && entry.hops === undefined);
  }

  /** No more polling. What runs, runs on, and is asked for by the next `recall`. */
  stop(): void {
    this.stopped = true;
  }

  private put(entry: Operation): void {
    this.all.set(entry.id, entry);
    const finished = [...this.all.values()].filter(
      ({ tenant, state }) => tenant === entry.tenant && state !== 'running',
    );
    for (const { id } of finished.slice(0, Math.max(0, finished.length - KEPT))) this.all.delete(id);
  }

  /** Gives it the slot. Whatever was thought to be there has ended unseen. */
  private hold(entry: Operation): void {
    const slot = slotOf(entry);
    const before = this.slots.get(slot);
    if (before !== undefined && before !== entry) this.end(before, 'unknown');
    this.slots.set(slot, entry);
    this.follow(entry).catch((error: unknown) => {
      this.options.onTrouble?.('an operation cannot be followed any more', error);
      if (this.holds(entry)) this.end(entry, 'unknown');
    });
  }

  private holds(entry: Operation): boolean {
    return this.slots.get(slotOf(entry)) === entry;
  }

  private end(entry: Operation, state: 'done' | 'unknown', returnCode?: number): void {
    entry.state = state;
    entry.endedAtMs = this.nowMs();
    delete entry.overdue;
    if (returnCode !== undefined) {
      entry.returnCode = returnCode;
      entry.percent = 100;
    }
    if (this.holds(entry)) this.slots.delete(slotOf(entry));
    this.save();
  }

  private adopt(status: Status): void {
    const opcode = status.command_opcode;
    this.options.onTrouble?.(`${hex16(opcode)} runs on the switch, and nobody is known to have started it`);
    this.start({
      id: `${FOUND_ID}-${this.nowMs()}`,
      tenant: FABRIC_TENANT,
      principal: 'unknown',
      command: rowByOpcode(opcode)?.slug ?? `opcode:0x${opcode.toString(16).padStart(4, '0')}`,
      opcode,
      startedAtMs: this.nowMs(),
    });
  }

  private async follow(entry: Operation): Promise<void> {
    let silent = 0;
    for (let wait = POLL_FIRST_MS; this.follows(entry); wait = Math.min(wait * 2, POLL_SLOWEST_MS)) {
      await pause(wait);
      if (!this.follows(entry)) return;
      this.checkOverdue(entry);
      const told = await this.look(entry, false);
      silent = told || this.device.state !== 'serving' ? 0 : silent + 1;
      if (silent >= SILENT_LOOKS && this.holds(entry)) this.end(entry, 'unknown');
      if (entry.state !== 'running') await this.onEnd(entry);
    }
  }

  private follows(entry: Operation): boolean {
    return this.holds(entry) && !this.stopped;
  }

  /**
   * Asks the component once.
   *
   * @param again it was running before the broker was: where it still is, it is followed
   * @returns false when nothing was told
   */
  private async look(entry: Operation, again: boolean): Promise<boolean> {
    const status = await this.status(entry);
    if (again) {
      // Nothing was told: it may run still, so it keeps its slot and is asked again.
      if (status === undefined || isIn(status, entry)) this.hold(entry);
      else this.endBy(entry, status);
      return status !== undefined;
    }
    if (status === undefined || !this.follows(entry)) return status !== undefined;
    if (isIn(status, entry)) entry.percent = status.status.percentage_complete;
    else this.endBy(entry, status);
    return true;
  }

  /** The component is idle, or at something else: does what it did last tell of this one? */
  private endBy(entry: Operation, status: Status): void {
    const isLast = !status.status.background_operation_in_progress && status.command_opcode === entry.opcode;
    this.end(entry, isLast ? 'done' : 'unknown', isLast ? status.return_code : undefined);
  }

  private async confirm(entry: Operation): Promise<void> {
    for (let wait = POLL_FIRST_MS; !this.stopped; wait = Math.min(wait * 2, POLL_SLOWEST_MS)) {
      await pause(wait);
      if (this.stopped || this.slots.has(slotOf(entry))) return;
      const status = await this.status(entry);
      if (status === undefined && this.device.state !== 'serving') continue;
      // What has ended may be what was there before; only what runs can be nobody else's.
      if (status === undefined || !isIn(status, entry) || this.slots.has(slotOf(entry))) return;
      entry.state = 'running';
      this.hold(entry);
      this.save();
      return;
    }
  }

  private checkOverdue(entry: Operation): void {
    const { unbindWaitMs, onOverdue } = this.options;
    if (entry.waitsForHost !== true || entry.overdue === true || unbindWaitMs === undefined) return;
    if (this.nowMs() - entry.startedAtMs < unbindWaitMs) return;
    entry.overdue = true;
    this.save();
    onOverdue?.(entry);
  }

  private save(): void {
    const { file, onTrouble } = this.options;
    if (file === undefined) return;
    this.saving = file
      .save(() => [...this.all.values()])
      .catch((error: unknown) => onTrouble?.('the operations could not be kept on disk', error));
  }

  private async status({ hops = [] }: Pick<Work, 'hops'>): Promise<Status | undefined> {
    const row = rowByOpcode(OPCODE_STATUS);
    if (row === undefined || !isTyped(row)) return undefined;
    const command = { hops, tags: hops.map(() => 0), opcode: row.opcode, payload: new Uint8Array(0) };
    const answer = await this.device.own(command);
    if (answer.kind !== 'reply' || answer.reply.layers.some(({ returnCode }) => returnCode !== 0)) return undefined;
    const value = decodePayload(row.response, answer.reply.payload, { side: 'reply' });
    return value.ok ? (value.value as unknown as Status) : undefined;
  }

  private nowMs(): number {
    return this.options.nowMs?.() ?? Date.now();
  }
}

function slotOf({ hops = [] }: Pick<Work, 'hops'>): string {
  return formatVia(hops);
}

function isIn({ status, command_opcode }: Status, { opcode }: Work): boolean {
  return status.background_operation_in_progress && command_opcode === opcode;
}

function pause(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms).unref());
}
