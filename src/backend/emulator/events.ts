import type { Machine } from './machine.ts';
import type { CciState } from './state.ts';

/** Codes of `event_log`. */
export const LOG = { informational: 0, warning: 1, failure: 2, fatal: 3, dynamicCapacity: 4 } as const;
export const EVENT_LOGS = 5;

/** What a record says; encoded only when somebody reads it. */
export type EventBody =
  | {
      readonly kind: 'physical-switch';
      readonly port: number;
      readonly type: 'link-state-change' | 'slot-status-register-updated';
      readonly slotStatus: number;
      /** The port information block at that moment. */
      readonly block: Uint8Array;
    }
  | {
      readonly kind: 'virtual-switch';
      readonly vcs: number;
      readonly vppb: number;
      readonly type: 'binding-change' | 'secondary-bus-reset' | 'link-control-register-updated';
      /** Code of `vppb_binding_status`. */
      readonly status: number;
      readonly port: number;
      readonly ld: number;
    }
  | {
      readonly kind: 'mld-port';
      readonly port: number;
      readonly type: 'correctable-error-message' | 'nonfatal-error-message' | 'fatal-error-message';
      /** 8 bytes. */
      readonly message: Uint8Array;
    }
  | {
      readonly kind: 'dynamic-capacity';
      readonly type:
        | 'add-capacity'
        | 'release-capacity'
        | 'forced-release-capacity'
        | 'region-configuration-updated'
        | 'add-capacity-response'
        | 'capacity-released';
      readonly host: number;
      readonly region: number;
      readonly more: boolean;
      readonly dpa: bigint;
      readonly length: bigint;
      /** 16 bytes. */
      readonly tag: Uint8Array;
      readonly sequence: number;
      readonly availableExtents: number;
      readonly availableTags: number;
    };

export interface StoredEvent {
  readonly handle: number;
  readonly timestampNs: bigint;
  readonly log: number;
  readonly body: EventBody;
}

export interface EventLogState {
  readonly records: StoredEvent[];
  overflowCount: number;
  firstOverflowNs: bigint;
  lastOverflowNs: bigint;
}

/** What observers of a machine hear about. */
export interface EmulatorEvent {
  /** Path of the CCI: `switch`, `d0`, `d0/ld1`. */
  readonly cci: string;
  readonly atMs: number;
  /** Index of the event log; `background` when an operation ended; `aer` when a host was sent an AER error. */
  readonly log: number | 'background' | 'aer';
  /** Handle of the record; 0 when it was lost to an overflow. */
  readonly handle: number;
}

/** The logs of a CCI, made when first used. */
export function logsOf(cci: CciState): EventLogState[] {
  cci.events ??= Array.from({ length: EVENT_LOGS }, () => ({
    records: [],
    overflowCount: 0,
    firstOverflowNs: 0n,
    lastOverflowNs: 0n,
  }));
  return cci.events;
}

/** Nanoseconds since 1970 on the clock of a CCI, 0 while it was never set. */
export function timestampOf(machine: Machine, cci: CciState): bigint {
  const { timestamp } = cci;
  if (timestamp === null) return 0n;
  return timestamp.valueNs + BigInt(Math.floor((machine.nowMs - timestamp.setAtMs) * 1_000_000));
}

/** Adds a record. A full log keeps the oldest, drops the new one and counts it. */
export function emit(machine: Machine, cci: CciState, log: number, body: EventBody): void {
  const target = logsOf(cci)[log];
  if (target === undefined) throw new RangeError(`event log ${log}`);
  const timestampNs = timestampOf(machine, cci);
  let handle = 0;
  if (target.records.length >= machine.options.eventLogSize) {
    if (target.overflowCount === 0) target.firstOverflowNs = timestampNs;
    target.lastOverflowNs = timestampNs;
    target.overflowCount = Math.min(target.overflowCount + 1, 0xffff);
  } else {
    handle = cci.nextEventHandle;
    cci.nextEventHandle = handle === 0xffff ? 1 : handle + 1;
    target.records.push({ handle, timestampNs, log, body });
  }
  machine.tell({ cci: cci.path, atMs: machine.nowMs, log, handle });
}
