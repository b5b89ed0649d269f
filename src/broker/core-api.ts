import type { Errno } from '../policy/index.ts';
import type { LockdownLevel } from '../taint/index.ts';
import type { ConsoleApi } from './console-api.ts';

export type * from './console-api.ts';

/**
 * The only door from the edge to the core. Everything that crosses it is plain structured-cloneable data, so that the
 * edge can live in a process of its own. The core verifies tokens itself and believes no identity that the edge asserts.
 */

/** What a client showed. The core decides what it is worth. */
export interface Credential {
  /** The token as it came, or empty. */
  readonly token: string;
  /** Address and port of the peer, for the journal and rate limits only. */
  readonly source: string;
  /** How the token was shown; `bearer` if not given. A token bound to a key is worth nothing as a bearer token. */
  readonly scheme?: 'bearer' | 'dpop';
  /** SHA-256 of the certificate (DER) that the client proved in the TLS handshake, base64url: `x5t#S256` of RFC 8705. */
  readonly certificate?: string;
  /** A DPoP proof (RFC 9449) as it came, with the request that it came with. */
  readonly proof?: { readonly jwt: string; readonly method: string; readonly url: string };
  /** Handle of a session that `begin` gave for this token: stands for the proof in whatever follows on a stream. */
  readonly session?: string;
}

/** One command, in one of three spellings. */
export type CommandRequest =
  /** By slug, with parameters as JSON; `via` such as `port:3/ld:1`. */
  | { readonly kind: 'named'; readonly command: string; readonly params?: unknown; readonly via?: string }
  /** The raw path: any opcode 0001h..FFFFh, payload as bytes. */
  | { readonly kind: 'raw'; readonly opcode: number; readonly payload: Uint8Array; readonly via?: string }
  /** A whole CCI message (12-byte header and payload), as on the stream. */
  | { readonly kind: 'message'; readonly bytes: Uint8Array };

/** How a command wants to wait for its turn. */
export interface SubmitOptions {
  /**
   * Name under which `cancel` takes the request back: unique among those that are under way. Whoever makes it sees to it
   * that nobody else can guess it.
   */
  readonly handle?: string;
  /** Milliseconds within which it has to be sent; the configured time if not given. It is no limit for the device. */
  readonly deadlineMs?: number;
}

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
  /** Decoded and filtered reply, JSON; absent for raw commands, errors, and whoever sent a message of bytes. */
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
  /** For EAUTH: what a client that proves a key has to know for its next proof (RFC 9449 sections 7.1 and 9). */
  readonly dpop?: { readonly error: 'invalid_dpop_proof' | 'use_dpop_nonce'; readonly nonce?: string };
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
  readonly limits: CallerLimits;
}

/** What the caller's tenant may use, on all switches together, and what is left of it now. */
export interface CallerLimits {
  /** Share of the turns with a switch. */
  readonly weight: number;
  /** Requests under way at once. */
  readonly concurrent: { readonly limit: number; readonly used: number };
  readonly commandsPerSecond?: RateLimit;
  /** Payload bytes of commands and replies. */
  readonly bytesPerSecond?: { readonly limit: number; readonly left: number };
  /** Operations that run in the background. */
  readonly background?: { readonly limit: number; readonly used: number };
  /** Further limits for the commands of one class. */
  readonly classes?: {
    readonly [C in 'allowlisted' | 'audited' | 'raw']?: {
      readonly concurrent?: { readonly limit: number; readonly used: number };
      readonly commandsPerSecond?: RateLimit;
    };
  };
}

/** `burst` is what may come at once after a quiet time, `left` what may come now. */
export interface RateLimit {
  readonly limit: number;
  readonly burst: number;
  readonly left: number;
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
  /** Only on a vendor's command that the policy describes. */
  readonly vendor?: {
    readonly reviewer: string;
    /** `2026-11-02` */
    readonly date: string;
    readonly reference: string;
    readonly reason: string;
    /** The command as the policy has it, JSON: layouts, sizes, targets. */
    readonly definition: unknown;
    /** JSON Schemas of parameters and result. */
    readonly params: unknown;
    readonly result: unknown;
  };
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

/** The picture of the fabric: all of a switch for operators, his own part for a tenant. */
export interface TopologyAnswer {
  readonly switch: string;
  /** False while it cannot be read: what rests on it is refused. */
  readonly known: boolean;
  /** False while something moved without the broker and nobody has accepted it. */
  readonly accepted: boolean;
  /** Name of the picture, for operators: what they accept. */
  readonly picture?: string;
  readonly ports: readonly {
    readonly id: number;
    readonly role: string;
    readonly device: string;
    readonly lds: number;
    readonly serial?: string;
  }[];
  readonly vcss: readonly {
    readonly id: number;
    readonly usp: number;
    readonly vppbs: readonly { readonly kind: string; readonly port?: number; readonly ld?: number }[];
  }[];
  /** What moved without the broker, oldest first. */
  readonly differences: readonly {
    readonly what: string;
    readonly before: string;
    readonly after: string;
    /** Milliseconds since 1970. */
    readonly atMs: number;
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
  /** Milliseconds since 1970. */
  readonly startedAtMs: number;
  readonly endedAtMs?: number;
  /** Tunnel path of the component that does it, such as `port:3`. */
  readonly via?: string;
  /** It has waited for its host longer than the operators allow for; it goes on waiting. */
  readonly overdue?: true;
}

/** One entry of a caller's events on a switch. */
export type FabricEvent =
  | {
      readonly kind: 'record';
      /** Names its place among the caller's own events; reading goes on behind it. */
      readonly id: string;
      /** Event log: informational, warning, failure, fatal or dynamic-capacity. */
      readonly log: string;
      /** `switch`, or the path of the device that it came from, such as `port:3`. */
      readonly source: string;
      /** Nanoseconds since 1970 on the caller's clock (0301h), decimal text. */
      readonly timestamp: string;
      /** In the caller's own event log; 0 where it is in none. */
      readonly handle: number;
      /** The record of 128 bytes as the caller may see it, hex. */
      readonly record: string;
      /** physical-switch, virtual-switch, mld-port, dynamic-capacity, unknown or malformed. */
      readonly type: string;
      readonly uuid?: string;
      readonly severity?: string;
      /** Decoded data, JSON; absent where the kind is not known. */
      readonly details?: unknown;
    }
  /** Records were lost on the device before anybody read them. `lost` is for operators. */
  | {
      readonly kind: 'overflow';
      readonly id: string;
      readonly log: string;
      readonly source: string;
      readonly timestamp: string;
      readonly lost?: number;
    }
  /** Events between the id asked for and this one are not kept any more. `lost`: how many, where that is known. */
  | { readonly kind: 'gap'; readonly id: string; readonly lost?: number };

/** Where to begin: behind the event `after`, at the end (`now`), or with the oldest that is kept. */
export interface EventQuery {
  readonly after?: string;
  /** 1 to 1000; 100 if not given. */
  readonly limit?: number;
  /** How long to wait where there is nothing yet, at most 60000; 0 if not given. Ends when the token does. */
  readonly waitMs?: number;
}

export interface EventPage {
  readonly events: readonly FabricEvent[];
  /** `after` of the next question. */
  readonly next: string;
  /** There are more behind these. */
  readonly more: boolean;
}

/** What is to be revoked, or which revocation is to be taken back. */
export type RevocationWish =
  | {
      readonly kind: 'token' | 'subject' | 'tenant' | 'key';
      /**
       * As records name it: `jti:ISSUER#JTI` or `sha256:DIGEST`, `user:ISSUER#SUB`, a tenant, a thumbprint or
       * `kid:ISSUER#KID`. With `issuer` the bare `jti`, `sub` or `kid`.
       */
      readonly name: string;
      readonly issuer?: string;
      readonly reason: string;
      /** Milliseconds since 1970; for good if not given. */
      readonly expiresAtMs?: number;
    }
  | { readonly lift: string; readonly reason: string };

/** A revocation that is in force. */
export interface RevocationView {
  readonly id: string;
  readonly kind: 'token' | 'subject' | 'tenant' | 'key';
  readonly name: string;
  readonly by: string;
  /** Milliseconds since 1970. */
  readonly atMs: number;
  readonly reason: string;
  readonly expiresAtMs?: number;
}

export interface Readiness {
  readonly ready: boolean;
  readonly checks: readonly { readonly name: string; readonly ok: boolean; readonly detail: string }[];
}

export interface CoreApi extends ConsoleApi {
  submit(
    credential: Credential,
    switchName: string,
    request: CommandRequest,
    options?: SubmitOptions,
  ): Promise<CoreResult<CommandAnswer>>;
  /**
   * The sender of a request went away: it is not sent any more. A request that has left for its device goes on, and one
   * that is not there is no error. `submit` answers all the same.
   */
  cancel(handle: string): Promise<void>;
  decide(credential: Credential, switchName: string, request: CommandRequest): Promise<CoreResult<DecisionAnswer>>;
  whoami(credential: Credential): Promise<CoreResult<WhoAmI>>;
  switches(credential: Credential): Promise<CoreResult<readonly SwitchSummary[]>>;
  commands(credential: Credential, switchName: string): Promise<CoreResult<readonly OfferedCommand[]>>;
  operations(credential: Credential, switchName: string): Promise<CoreResult<readonly OperationView[]>>;
  operation(credential: Credential, switchName: string, id: string): Promise<CoreResult<OperationView>>;
  /** The caller's events on a switch, oldest first. */
  events(credential: Credential, switchName: string, query?: EventQuery): Promise<CoreResult<EventPage>>;
  posture(credential: Credential): Promise<CoreResult<readonly PostureAnswer[]>>;
  raiseLockdown(
    credential: Credential,
    level: LockdownLevel,
    reason: string,
  ): Promise<CoreResult<readonly PostureAnswer[]>>;
  taint(credential: Credential): Promise<CoreResult<readonly TaintAnswer[]>>;
  /** Operators say that they have looked at a bit; the bit stays. `scope` is the path that it was raised on. */
  acknowledgeTaint(
    credential: Credential,
    letter: string,
    scope: string,
    reason: string,
  ): Promise<CoreResult<readonly TaintAnswer[]>>;
  topology(credential: Credential, switchName: string): Promise<CoreResult<TopologyAnswer>>;
  /** Operators take the fabric as it is. @param picture what they have looked at */
  acceptTopology(
    credential: Credential,
    switchName: string,
    reason: string,
    picture?: string,
  ): Promise<CoreResult<TopologyAnswer>>;
  /**
   * For whoever opens a stream: the credential to show from then on. A proof counts once, so where the token is bound to a
   * key it holds a session in its place, as good as the token, until `end`.
   */
  begin(credential: Credential): Promise<CoreResult<Credential>>;
  /** The stream of a session has ended. One that is not there is no error. */
  end(session: string): Promise<void>;
  /** Revocations in force, oldest first; for operators. */
  revocations(credential: Credential): Promise<CoreResult<readonly RevocationView[]>>;
  /** Revokes, or takes a revocation back; in force at once, and those in force then are the answer. */
  revoke(credential: Credential, wish: RevocationWish): Promise<CoreResult<readonly RevocationView[]>>;
  reloadPolicy(credential: Credential): Promise<CoreResult<{ readonly snapshot: string; readonly rules: number }>>;
  /** No credential: says nothing about tenants or devices. */
  readiness(): Promise<Readiness>;
  /** Prometheus text of the core's counters. Those of single switches and tenants are for operators. */
  metrics(credential?: Credential): Promise<string>;
}
