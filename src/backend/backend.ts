import type { Hop, Opcode } from '../cci/index.ts';

/** One command for the CCI that a backend owns: a whole payload, no CCI header (a mailbox has none). */
export interface CciRequest {
  readonly opcode: Opcode;
  /** At most `Backend.maxPayload` bytes; a backend refuses more with `not-sent` instead of cutting it. */
  readonly payload: Uint8Array;
}

/** What came back. `returnCode` speaks for the device; a device error is a completed call (R11). */
export interface CciReply {
  /** 16 bits. 0000h success, 0001h background operation started. */
  readonly returnCode: number;
  /** Vendor specific extended status, 16 bits. */
  readonly vendorStatus: number;
  /** True when the carrier said that a background operation runs on this CCI. */
  readonly background: boolean;
  readonly payload: Uint8Array;
}

/**
 * What is known about the CCI once it is open. Nothing here comes from the CEL; the broker reads that itself.
 */
export interface BackendIdentity {
  /** `emulator`, `mailbox/qtest`, ... */
  readonly kind: string;
  /** One line for people: "emulated switch, seed 1", "QEMU over qtest at /run/x.sock". */
  readonly description: string;
  /**
   * Identifies the boot that taint lasts for. Backends that touch this host's hardware give the host's boot id;
   * the emulator and QEMU have a boot of their own.
   */
  readonly bootId: string;
  /**
   * One life of a device whose state begins anew with its backend, such as an emulator in this process: another one is
   * another life, and what was bound before is gone by our own doing. Absent where the state outlives the backend.
   */
  readonly session?: string;
  /** What an operator has to know about this way to the device, in sentences; said when the broker starts. */
  readonly notes?: readonly string[];
}

/**
 * - `not-sent`: nothing reached the device; the command may be tried again.
 * - `unknown`: it may have been executed. Never reported as failed (R16).
 */
export type BackendFailure = 'not-sent' | 'unknown';

export type BackendErrorCode =
  /** the device or its carrier is gone */
  | 'EIO'
  /** no reply before the deadline */
  | 'ETIMEDOUT'
  /** the doorbell was set before we began, or the one slot is taken */
  | 'EBUSY'
  /** the caller broke the contract of `execute` (payload over `maxPayload`, not open) */
  | 'EINVAL'
  /** the reply broke the protocol: length over the mailbox, wrong tag, all ones */
  | 'EPROTO';

/** The only error that `Backend` methods throw. */
export class BackendError extends Error {
  readonly code: BackendErrorCode;
  readonly outcome: BackendFailure;

  constructor(code: BackendErrorCode, outcome: BackendFailure, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'BackendError';
    this.code = code;
    this.outcome = outcome;
  }
}

/**
 * One Switch CCI that somebody answers for. Implementations keep to `maxInFlight` by refusing with EBUSY `not-sent`;
 * queueing is the broker's work.
 */
export interface Backend {
  /** Takes the device and makes it ready for commands. Sends no CCI command itself. @throws BackendError */
  open(): Promise<void>;
  /** Lets go of the device. Never throws; a second call does nothing. */
  close(): Promise<void>;
  /** @throws BackendError EINVAL before `open` */
  readonly identity: BackendIdentity;
  /** Largest request and reply payload in bytes, known after `open`. */
  readonly maxPayload: number;
  /** Commands that may be in `execute` at once: 1 for a mailbox. */
  readonly maxInFlight: number;
  /** True when this drives hardware of this host, so that the kernel's own lockdown level counts. */
  readonly touchesHostHardware: boolean;
  /**
   * For a device without a Command Effects Log (`cel: none`): what is assumed in its place for the component at the end
   * of a path, opcode to effect bits. Such a device is never asked for its logs. Absent: it is read.
   */
  readonly assumedCel?: ((hops: readonly Hop[]) => ReadonlyMap<number, number>) | undefined;
  /**
   * Sends one command and waits for its reply.
   *
   * @param deadlineMs on the clock of `performance.now()`
   * @throws BackendError; after `unknown` the broker closes and reopens the backend
   */
  execute(request: CciRequest, deadlineMs: number): Promise<CciReply>;
}
