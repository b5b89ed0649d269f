import type { DcdState } from './dcd-state.ts';
import type { EventLogState } from './events.ts';
import type { FaultState } from './faults.ts';
import type { FeatureTransfer } from './feature-table.ts';
import type { FirmwareState } from './firmware-state.ts';
import type { MediaState } from './media-state.ts';

/**
 * Everything an emulated switch remembers, as plain data: no functions, no clock. Saving a state is writing this
 * down; two machines with equal states answer equal commands with equal bytes. Times are milliseconds since the
 * machine was made.
 */

export type ComponentKind = 'switch' | 'sld' | 'fm-owned-ld' | 'ld' | 'ld-pool-cci';

/** What a background operation does when it ends. */
export type Job =
  | {
      readonly kind: 'bind';
      readonly vcs: number;
      readonly vppb: number;
      readonly port: number;
      readonly ld: number | null;
    }
  | { readonly kind: 'unbind'; readonly vcs: number; readonly vppb: number; readonly waitsForLinkDown: boolean }
  | { readonly kind: 'sanitize' }
  | { readonly kind: 'scan'; readonly address: bigint; readonly length: bigint; readonly quiet: boolean }
  | {
      readonly kind: 'media';
      readonly subclass: number;
      readonly ranges: readonly { readonly address: bigint; readonly length: bigint }[];
    }
  | { readonly kind: 'populate-log'; readonly log: string }
  | { readonly kind: 'maintenance'; readonly operationClass: number; readonly address: bigint }
  | { readonly kind: 'fw-verify'; readonly slot: number }
  | { readonly kind: 'fw-activate'; readonly slot: number };

export interface BackgroundState {
  readonly opcode: number;
  readonly startMs: number;
  /** null: it never ends by itself. */
  endMs: number | null;
  readonly job: Job;
}

/** How the last background operation of a CCI ended. */
export interface BackgroundResult {
  readonly opcode: number;
  readonly returnCode: number;
  readonly percent: number;
}

/** One command interface. Parts that most CCIs never use are null until first touched: a large pool has thousands. */
export interface CciState {
  readonly path: string;
  readonly kind: ComponentKind;
  readonly serial: bigint;
  /** Response message limit, exponent of two. */
  limit: number;
  background: BackgroundState | null;
  lastBackground: BackgroundResult | null;
  timestamp: { readonly valueNs: bigint; readonly setAtMs: number } | null;
  events: EventLogState[] | null;
  nextEventHandle: number;
  /** Bytes of 0102h, one per log. */
  interruptPolicy: number[];
  /** Bits of 0104h. */
  mctpPolicy: number;
  /** Feature data that differs from the default, by UUID. */
  features: Map<string, { current: Uint8Array; saved: Uint8Array | null }> | null;
  featureTransfer: FeatureTransfer | null;
  /** Contents of logs that can change, by UUID. */
  logs: Map<string, Uint8Array> | null;
}

export interface PortState {
  readonly id: number;
  readonly role: 'usp' | 'dsp' | 'fabric';
  device: number | null;
  readonly head: number;
  readonly maximumWidth: number;
  readonly negotiatedWidth: number;
  readonly maximumSpeed: number;
  /** Codes of `ltssm_state`: 0 detect, 1 polling, 4 L0, 10 hot reset... */
  ltssm: number;
  perst: boolean;
  powerOff: boolean;
  /** Counts link trainings, so that a timer of an older one is recognised. */
  training: number;
  /** `bind-in-progress` or `unbind-in-progress` while the port changes hands. */
  transition: 'bind' | 'unbind' | null;
  /** The vPPB the whole port is bound to. */
  bound: { readonly vcs: number; readonly vppb: number } | null;
  /** Written configuration registers, by dword index. */
  config: Map<number, number> | null;
}

export type VppbStatus = 'unbound' | 'in-progress' | 'port' | 'ld';

export interface VppbState {
  status: VppbStatus;
  port: number;
  ld: number | null;
}

export interface VcsState {
  readonly id: number;
  readonly usp: number;
  readonly vppbs: VppbState[];
  /** Domain validation secret, UUID text. */
  secret: string | null;
}

export interface LdState {
  readonly id: number;
  readonly cci: CciState;
  /** The vPPB it is bound to. */
  bound: { readonly port: number; readonly vcs: number; readonly vppb: number } | null;
  /** Size of each range in granules. */
  range1: bigint;
  range2: bigint;
  /** First granule of each range inside the device. */
  base1: bigint;
  base2: bigint;
  qosFraction: number;
  qosLimit: number;
  config: Map<number, number> | null;
  memory: Map<number, Uint8Array> | null;
  media: MediaState | null;
}

/** Bytes 0 to 6 of 5403h, and of 4700h in their first four. */
export interface QosState {
  enables: number;
  moderate: number;
  severe: number;
  sampleInterval: number;
  requestBasis: number;
  completionInterval: number;
}

export interface DeviceState {
  readonly index: number;
  /** The SLD, or the FM-owned LD of an MLD. */
  readonly cci: CciState;
  /** The LD pool CCI of an MLD or multi-headed device. */
  readonly pool: CciState | null;
  readonly lds: LdState[];
  qos: QosState;
  firmware: FirmwareState;
  media: MediaState | null;
  dcd: DcdState | null;
  /** Registers of the FM-owned LD behind 5301h and 5302h. */
  config: Map<number, number> | null;
  memory: Map<number, Uint8Array> | null;
}

export type TimerEvent =
  | { readonly kind: 'background'; readonly cci: string }
  | { readonly kind: 'link-up'; readonly port: number; readonly training: number }
  | { readonly kind: 'host-answer'; readonly device: number; readonly host: number; readonly offer: number };

export interface Timer {
  readonly atMs: number;
  /** Orders timers of one instant. */
  readonly sequence: number;
  readonly event: TimerEvent;
}

export interface MachineState {
  /** State of the pseudo-random generator, 32 bits. */
  random: number;
  timerSequence: number;
  /** Ascending by `atMs`, then `sequence`. */
  timers: Timer[];
  readonly cci: CciState;
  /** Index is the port id. */
  readonly ports: (PortState | null)[];
  /** Index is the VCS id. */
  readonly vcss: (VcsState | null)[];
  readonly devices: DeviceState[];
  firmware: FirmwareState;
  /** The secret of the host mailbox 5104h and 5105h speak about. */
  hostSecret: string | null;
  faults: FaultState[];
  /** Commands that will still find the doorbell set. */
  stuckCommands: number;
  /** Opcodes that every CEL hides or invents. */
  celLies: { readonly hide: readonly number[]; readonly invent: readonly number[] } | null;
}
