import { decodePayload, isTyped, type Reply, rowByOpcode } from '../cci/index.ts';
import type { Device } from './device.ts';

/** Background work that somebody started through the broker (R17): it has an owner. */
export interface Operation {
  readonly id: string;
  readonly tenant: string;
  readonly principal: string;
  readonly command: string;
  readonly opcode: number;
  readonly startedAtMs: number;
  state: 'running' | 'done' | 'unknown';
  percent: number;
  returnCode?: number;
}

type Status = Reply<'background-operation-status'>;

/** How many finished operations are kept for their owners to ask about: of each tenant, so that none drives out others'. */
const KEPT = 64;
const POLL_FIRST_MS = 5;
const POLL_SLOWEST_MS = 1000;

/**
 * The background slot of one switch and the history of what ran in it. Progress is polled with the broker's own 0002h
 * until the operation ends; then `onEnd` runs, which reads the topology again.
 */
export class Operations {
  private readonly all = new Map<string, Operation>();
  private readonly device: Device;
  private readonly onEnd: (operation: Operation) => Promise<void>;
  private stopped = false;
  running: Operation | undefined;

  constructor(device: Device, onEnd: (operation: Operation) => Promise<void>) {
    this.device = device;
    this.onEnd = onEnd;
  }

  start(operation: Omit<Operation, 'state' | 'percent' | 'returnCode'>): Operation {
    const entry: Operation = { ...operation, state: 'running', percent: 0 };
    if (this.running !== undefined) this.running.state = 'unknown';
    this.running = entry;
    this.all.set(entry.id, entry);
    const finished = [...this.all.values()].filter(
      ({ tenant, state }) => tenant === entry.tenant && state !== 'running',
    );
    for (const { id } of finished.slice(0, Math.max(0, finished.length - KEPT))) this.all.delete(id);
    this.follow(entry).catch(() => {
      if (this.running !== entry) return;
      entry.state = 'unknown';
      this.running = undefined;
    });
    return entry;
  }

  /** Newest first; all for operators, else the tenant's own. */
  list(tenant: string, everything: boolean): readonly Operation[] {
    return [...this.all.values()].filter((entry) => everything || entry.tenant === tenant).reverse();
  }

  get(id: string, tenant: string, everything: boolean): Operation | undefined {
    const entry = this.all.get(id);
    return entry !== undefined && (everything || entry.tenant === tenant) ? entry : undefined;
  }

  /** The last operation of a tenant that ended, for his own view of 0002h. */
  lastEnded(tenant: string): Operation | undefined {
    return this.list(tenant, false).find((entry) => entry.state === 'done');
  }

  /** The device was lost: what ran has an unknown end. */
  lose(): void {
    if (this.running !== undefined) this.running.state = 'unknown';
    this.running = undefined;
  }

  stop(): void {
    this.stopped = true;
  }

  private async follow(entry: Operation): Promise<void> {
    for (
      let wait = POLL_FIRST_MS;
      this.running === entry && !this.stopped;
      wait = Math.min(wait * 2, POLL_SLOWEST_MS)
    ) {
      await new Promise((done) => setTimeout(done, wait).unref());
      if (this.running !== entry || this.stopped) return;
      const status = await this.status();
      if (status === undefined) continue;
      entry.percent = status.status.percentage_complete;
      if (status.status.background_operation_in_progress) continue;
      if (status.command_opcode === entry.opcode) {
        entry.percent = 100;
        entry.returnCode = status.return_code;
        entry.state = 'done';
      } else entry.state = 'unknown';
      this.running = undefined;
      await this.onEnd(entry);
    }
  }

  private async status(): Promise<Status | undefined> {
    const row = rowByOpcode(0x0002);
    if (row === undefined || !isTyped(row)) return undefined;
    const answer = await this.device.own({ hops: [], tags: [], opcode: row.opcode, payload: new Uint8Array(0) });
    if (answer.kind !== 'reply' || answer.reply.layers[0]?.returnCode !== 0) return undefined;
    const value = decodePayload(row.response, answer.reply.payload, { side: 'reply' });
    return value.ok ? (value.value as unknown as Status) : undefined;
  }
}
