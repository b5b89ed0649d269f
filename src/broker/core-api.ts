import type { Errno } from '../policy/index.ts';
import type { LockdownLevel } from '../taint/index.ts';

/**
 * The only door from the edge to the core. Everything that crosses it is plain structured-cloneable data, so that the
 * edge can live in a process of its own. The core verifies tokens itself and believes no identity that the edge asserts.
 */

/** What a client showed. The core decides what it is worth. */
export interface Credential {
  /** The bearer token as it came, or empty. */
  readonly token: string;
  /** Address and port of the peer, for the journal and rate limits only. */
  readonly source: string;
}

/** One command, in one of three spellings. */
export type CommandRequest =
  /** By slug, with parameters as JSON; `via` such as `port:3/ld:1`. */
  | { readonly kind: 'named'; readonly command: string; readonly params?: unknown; readonly via?: string }
  /** The raw path: any opcode 0001h..FFFFh, payload as bytes. */
  | { readonly kind: 'raw'; readonly opcode: number; readonly payload: Uint8Array; readonly via?: string }
  /** A whole CCI message (12-byte header and payload), as on the stream. */
  | { readonly kind: 'message'; readonly bytes: Uint8Array };

/** The device answered. `returnCode` may still be an error: the call was completed (R11). */
export interface CommandAnswer {
  readonly requestId: string;
  readonly class: 'allowlisted' | 'audited' | 'raw';
  /** Return code of the innermost layer that answered. */
  readonly returnCode: number;
  readonly returnCodeName: string;
  readonly vendorStatus: number;
  /** Return codes of all layers, outermost first, where the command was tunnelled. */
  readonly layers?: readonly number[];
  /** Present when the command runs on in the background. */
  readonly background?: { readonly operation: string };
  /** Decoded and filtered reply, JSON; absent for raw commands and errors. */
  readonly result?: unknown;
  /** Filtered reply payload of the innermost layer. */
  readonly payload: Uint8Array;
  /** For `message` requests: the whole CCI reply message, tag echoed. */
  readonly message?: Uint8Array;
}

/** Stable codes of refusals: the errno classes and the four of the interface itself. */
export type ProblemCode =
  | Errno
  /** no token, or not a valid one */
  | 'EAUTH'
  /** the request itself is malformed: unknown slug, bad parameter, bad JSON */
  | 'EPARAM'
  /** no such switch, operation or route for this caller */
  | 'ENOENT'
  /** a defect of the broker; refused, journaled, logged */
  | 'EINTERNAL';

/** Why a step stands against a command; only for those who may see it. */
export interface DisclosedReason {
  readonly step: string;
  readonly rule: string;
  readonly errno: string;
  readonly text: string;
  readonly source?: string;
}

/** A refusal. Never carries anything about objects that are not the caller's. */
export interface Problem {
  readonly code: ProblemCode;
  /** One clear sentence. */
  readonly detail: string;
  readonly requestId: string;
  /** CCI return code for callers that speak CCI. */
  readonly returnCode: number;
  readonly reasons?: readonly DisclosedReason[];
  /** For EPARAM: dotted path of the parameter. */
  readonly field?: string;
  readonly retryAfterMs?: number;
  /** For `message` requests: the CCI reply message that says the same. */
  readonly message?: Uint8Array;
}

export type CoreResult<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly problem: Problem };

/** `cci can`: what would happen. For callers without insight it says no more than the refusal would. */
export interface DecisionAnswer {
  readonly requestId: string;
  readonly verdict: 'allow' | 'deny';
  readonly class?: string;
  readonly scope?: number;
  readonly reach?: string;
  readonly touched?: readonly string[];
  readonly command?: string;
  readonly narrowed?: { readonly asked: readonly number[]; readonly kept: readonly number[] };
  /** Rows that allowed or denied, per touched resource. */
  readonly grants?: readonly {
    readonly resource: string;
    readonly allowed: boolean;
    readonly rule?: string;
    readonly source?: string;
  }[];
  readonly reasons?: readonly DisclosedReason[];
  /** What would have to be granted, and who can. */
  readonly wouldNeed?: readonly string[];
  readonly outward?: { readonly code: string; readonly detail: string };
  readonly snapshot: string;
}

export interface WhoAmI {
  readonly principal: string;
  readonly tenant: string;
  readonly issuer: string;
  readonly subject: string;
  readonly names: readonly string[];
  readonly scopes: readonly string[];
  /** Milliseconds since 1970. */
  readonly expiresAtMs: number;
  readonly owns: readonly string[];
  readonly roles: readonly string[];
}

export interface SwitchSummary {
  readonly name: string;
  readonly backend: string;
  readonly state: 'serving' | 'unavailable';
  readonly resources: readonly string[];
}

/** One row of what a caller may run on a switch, the ground for `cci show commands`. */
export interface OfferedCommand {
  readonly opcode: number;
  readonly slug: string;
  readonly name: string;
  readonly class: string;
  readonly scope: number;
  /** True when at least one resource of the caller's can be its target now. */
  readonly allowed: boolean;
}

export interface PostureAnswer {
  readonly switch: string;
  readonly profile: string;
  readonly lockdown: {
    readonly effective: LockdownLevel;
    readonly kernel: string;
    readonly config: LockdownLevel;
    readonly runTime: LockdownLevel;
  };
  readonly rawCommands: string;
  readonly rawAllowAll: boolean;
  readonly underLockdown: string;
  readonly taint: { readonly mask: number; readonly letters: string };
}

export interface TaintAnswer {
  readonly switch: string;
  readonly mask: number;
  readonly letters: string;
  readonly entries: readonly {
    readonly letter: string;
    readonly bit: number;
    readonly meaning: string;
    readonly atMs: number;
    readonly by: string;
    readonly record: string;
    readonly scope: string;
    readonly reason: string;
    readonly acknowledged: boolean;
  }[];
}

export interface OperationView {
  readonly id: string;
  readonly switch: string;
  readonly command: string;
  readonly opcode: number;
  readonly state: 'running' | 'done' | 'unknown';
  readonly percent: number;
  readonly returnCode?: number;
  readonly startedAtMs: number;
}

export interface Readiness {
  readonly ready: boolean;
  readonly checks: readonly { readonly name: string; readonly ok: boolean; readonly detail: string }[];
}

export interface CoreApi {
  submit(credential: Credential, switchName: string, request: CommandRequest): Promise<CoreResult<CommandAnswer>>;
  decide(credential: Credential, switchName: string, request: CommandRequest): Promise<CoreResult<DecisionAnswer>>;
  whoami(credential: Credential): Promise<CoreResult<WhoAmI>>;
  switches(credential: Credential): Promise<CoreResult<readonly SwitchSummary[]>>;
  commands(credential: Credential, switchName: string): Promise<CoreResult<readonly OfferedCommand[]>>;
  operations(credential: Credential, switchName: string): Promise<CoreResult<readonly OperationView[]>>;
  operation(credential: Credential, switchName: string, id: string): Promise<CoreResult<OperationView>>;
  posture(credential: Credential): Promise<CoreResult<readonly PostureAnswer[]>>;
  raiseLockdown(
    credential: Credential,
    level: LockdownLevel,
    reason: string,
  ): Promise<CoreResult<readonly PostureAnswer[]>>;
  taint(credential: Credential): Promise<CoreResult<readonly TaintAnswer[]>>;
  reloadPolicy(credential: Credential): Promise<CoreResult<{ readonly snapshot: string; readonly rules: number }>>;
  /** No credential: says nothing about tenants or devices. */
  readiness(): Promise<Readiness>;
  /** Prometheus text of the core's counters. */
  metrics(): Promise<string>;
}
