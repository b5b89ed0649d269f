/** State of the memory behind an SLD, an LD or a FM-owned LD, for the command sets 41h to 46h. */
export interface MediaState {
  readonly capacityBytes: bigint;
  /** Volatile share of the capacity now and after the next cold reset; null: as now. */
  volatileBytes: bigint;
  nextVolatileBytes: bigint | null;
  /** Written pages of the label storage area, by page index. */
  readonly labels: Map<number, Uint8Array>;
  readonly alerts: AlertState;
  dirty: boolean;
  dirtyShutdowns: number;
  /** Poisoned 64-byte lines by DPA. */
  readonly poison: Map<bigint, 'injected' | 'internal'>;
  poisonOverflow: bigint | null;
  /** Where the next Get Poison List goes on. */
  poisonCursor: { readonly address: bigint; readonly length: bigint; readonly next: bigint } | null;
  scan: {
    readonly records: readonly bigint[];
    next: number;
    readonly restart: bigint;
    readonly restartLength: bigint;
    readonly stopped: boolean;
  } | null;
  readonly security: SecurityState;
  /** What 4600h left for 4601h. */
  passthrough: Uint8Array;
}

export interface AlertState {
  enabled: number;
  lifeUsedWarning: number;
  overTemperatureWarning: number;
  underTemperatureWarning: number;
  volatileErrorWarning: number;
  persistentErrorWarning: number;
}

export interface SecurityState {
  /** Hex of 32 bytes each. */
  user: string | null;
  master: string | null;
  locked: boolean;
  frozen: boolean;
  userFailures: number;
  masterFailures: number;
}

export function newMedia(capacityBytes: bigint, persistentBytes: bigint): MediaState {
  return {
    capacityBytes,
    volatileBytes: capacityBytes - persistentBytes,
    nextVolatileBytes: null,
    labels: new Map(),
    alerts: {
      enabled: 0,
      lifeUsedWarning: 75,
      overTemperatureWarning: 85,
      underTemperatureWarning: -10,
      volatileErrorWarning: 0,
      persistentErrorWarning: 0,
    },
    dirty: false,
    dirtyShutdowns: 0,
    poison: new Map(),
    poisonOverflow: null,
    poisonCursor: null,
    scan: null,
    security: { user: null, master: null, locked: false, frozen: false, userFailures: 0, masterFailures: 0 },
    passthrough: new Uint8Array(0),
  };
}
