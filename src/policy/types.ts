import type { CommandTable, Component, Hop, RoutedCommand, Scope } from '../cci/index.ts';
import type { LockdownLevel, Posture, TaintLetter } from '../taint/index.ts';

// ---- who ----

/** What the `scope` claim of a token may hold. A scope never grants, it only caps. */
export const tokenScopes = [
  'cci:read',
  'cci:config',
  'cci:debug-read',
  'cci:debug-write',
  'cci:debug-write-full',
  'cci:raw',
  'cci:posture',
  'cci:policy',
  'cci:audit',
  'cci:console',
  'cci:approve',
] as const;
export type TokenScope = (typeof tokenScopes)[number];

/** The tenant of the operators, which owns everything that nobody else owns. */
export const FABRIC_TENANT = 'fabric';

/**
 * A verified caller. Names are typed and built by the authenticator with `userName` and friends, never taken from a
 * claim as they are, so that no claim can produce another prefix.
 */
export interface Principal {
  /** `user:ISSUER#SUB` */
  readonly name: string;
  /** Every typed name it goes by: `user:...`, `group:ISSUER#NAME` for each group, `group:tenant/T`. */
  readonly names: readonly string[];
  readonly tenant: string;
  readonly scopes: readonly TokenScope[];
  readonly issuer: string;
  readonly subject: string;
  /** `jti`, or a digest of the token where it has none. */
  readonly tokenId: string;
  /** Milliseconds since 1970. */
  readonly expiresAtMs: number;
  /** RFC 7638 thumbprint of the key that signed the token. For the journal; no decision rests on it. */
  readonly keyThumbprint?: string;
  /** Thumbprints of the key and of the certificate that the token is bound to. For the journal, too. */
  readonly bound?: { readonly dpop?: string; readonly certificate?: string };
}

// ---- what ----

/** A canonical path such as `/switches/sw0/ports/3/lds/1`; ids in decimal without leading zeros. */
export type ResourcePath = `/switches/${string}`;

export type CommandClass = 'allowlisted' | 'audited' | 'raw';

/** Whose resources a command touches or disturbs, from narrow to wide. */
export type Reach = 'query' | 'own' | 'cross-tenant' | 'switch' | 'opaque';

/** How a command came in. `typed`: by slug, or bytes of an opcode with a codec. `raw`: through the raw path. */
export type SubmittedAs = 'typed' | 'raw';

/** A command as the pipeline has decoded it, before policy. */
export interface Submission {
  readonly switch: string;
  readonly submittedAs: SubmittedAs;
  readonly command: RoutedCommand;
  /** Capacity in bytes that the caller gave for the reply, where his interface has one (R5). */
  readonly outputCapacity?: number;
}

// ---- the fabric as it is now (implemented by the broker) ----

export type DeviceKind = 'none' | 'sld' | 'mld' | 'other' | 'unknown';

export interface PortView {
  readonly id: number;
  readonly role: 'usp' | 'dsp' | 'disabled' | 'fabric' | 'unknown';
  readonly device: DeviceKind;
  /** LDs of an MLD, 0 for anything else. */
  readonly ldCount: number;
  /** Other ports that lead to the same device: it has several heads, and belongs to whoever owns all of them. */
  readonly beside?: readonly number[];
}

export type Binding =
  | { readonly kind: 'unbound' }
  | { readonly kind: 'port'; readonly port: number }
  | { readonly kind: 'ld'; readonly port: number; readonly ld: number }
  /** in progress, never read, or contradictory: whatever rests on it is refused */
  | { readonly kind: 'unknown' };

export interface VcsView {
  readonly id: number;
  /** Port id of the upstream port. */
  readonly usp: number;
  /** Binding of vPPB `index`. */
  readonly vppbs: readonly Binding[];
}

/** Read-only picture of one switch. Undefined always means "not known", never "not there". */
export interface TopologyView {
  /** Grows whenever the picture changes. */
  readonly version: number;
  /** False until the switch was read once, and after a change that the broker did not cause. */
  readonly known: boolean;
  readonly ports: ReadonlyMap<number, PortView>;
  readonly vcss: ReadonlyMap<number, VcsView>;
  /** Which CCI class the switch itself is. */
  readonly switchCci: 'fm-interface' | 'host-mailbox';
  /** What executes at the end of a path. */
  component(hops: readonly Hop[]): Component | 'unknown';
  /** CEL of the CCI at the end of a path: opcode to effect bits. Undefined: not read yet. */
  cel(hops: readonly Hop[]): ReadonlyMap<number, number> | undefined;
  /** Opcodes that must never be sent to this device, with the reason (device quirk rows). */
  readonly neverSend: ReadonlyMap<number, string>;
  /** Effect bits per opcode that this device is known to declare above the catalogue (device quirk rows). */
  readonly toleratedEffects?: ReadonlyMap<number, number>;
  /** Largest payload in bytes that the carrier holds; 2^20 where nothing is said. */
  readonly maxPayload?: number;
  /** Tenant that first added a capacity tag (UUID text) below a port. Undefined: no record. */
  tagOwner?(port: number, tag: string): string | undefined;
}

// ---- the decision ----

/** Errno classes of refusals; the stable `code` of every error document. */
export type Errno = 'EPERM' | 'ENOTTY' | 'EBUSY' | 'EINVAL' | 'ENOMEM' | 'EAGAIN' | 'EIO' | 'ETIMEDOUT';

/** The steps of `policy.md` section 3, in order. */
export type Step =
  | 'structure'
  | 'raw-gate'
  | 'payload'
  | 'cel'
  | 'exclusive'
  | 'offered'
  | 'mandatory'
  | 'scope'
  | 'ownership'
  | 'grant'
  | 'quota';

/** One thing that stands against a command. */
export interface Reason {
  readonly step: Step;
  readonly errno: Errno;
  /** Rule id: `R7.2`, `L1`, `T1`, `B2`, `grant`, ... */
  readonly rule: string;
  /** One sentence for people. */
  readonly text: string;
  /** The policy row that decided, as `file:line`, where one did. */
  readonly source?: string;
  /** Code on the wire where it differs from the errno's (`EBUSY` of a bound target is 0002h). */
  readonly returnCode?: number;
}

/** What the command was turned into: the facts that every rule looked at. */
export interface CommandFacts {
  readonly opcode: number;
  /** Slug of the row, or `opcode:0xc010`. */
  readonly command: string;
  readonly class: CommandClass;
  readonly scope: Scope;
  readonly mutating: boolean;
  readonly hops: readonly Hop[];
  readonly touched: readonly ResourcePath[];
  /** Tenants whose resources are touched or disturbed. */
  readonly tenants: readonly string[];
  readonly reach: Reach;
  /** Names of the conditions on content and state that hold (`engine.ts`), for the journal and for replays of it. */
  readonly conditions: readonly string[];
  /** Letters raised on, above or below anything touched, and not acknowledged. */
  readonly activeTaint: readonly TaintLetter[];
}

/** A filterable read cut down to what exists and is the caller's. */
export interface Narrowing {
  /** Ids as asked for and as left. */
  readonly asked: readonly number[];
  readonly kept: readonly number[];
  /** 5200h: the vPPB window asked for. The device is asked from 0 with limit 255; the broker cuts the window (D11). */
  readonly window?: { readonly start: number; readonly limit: number };
  /**
   * Positional lists: the range that is sent, from the first to the last kept id. Ids between that were not kept are
   * masked in place when the reply is filtered.
   */
  readonly range?: { readonly start: number; readonly count: number };
}

/** The rule that allowed or denied one touched resource. */
export interface GrantVerdict {
  readonly resource: ResourcePath;
  readonly allowed: boolean;
  /** Deciding row with its `file:line`; absent when nothing matched. */
  readonly rule?: { readonly source: string; readonly text: string };
}

export interface Decision {
  readonly verdict: 'allow' | 'deny';
  readonly facts: CommandFacts;
  /**
   * The command to send: decoded, narrowed, re-encoded. Never the bytes that came in.
   * With `answer: 'empty'` nothing is sent and the reply is success with an empty list.
   */
  readonly command: RoutedCommand;
  readonly answer: 'device' | 'empty';
  readonly narrowing?: Narrowing;
  readonly grants: readonly GrantVerdict[];
  /** Everything that failed, in the order of the steps; empty when allowed. */
  readonly reasons: readonly Reason[];
  /** What the caller gets: a foreign resource looks like one that does not exist, whatever else failed. */
  readonly outward?: { readonly errno: Errno; readonly returnCode: number; readonly text: string };
  /** May the reasons be shown to the caller (`disclose_reasons`)? */
  readonly disclosed: boolean;
  /** Bits to raise if the command is carried on, with the subtree they restrict. */
  readonly taints: readonly { readonly letter: TaintLetter; readonly scope: ResourcePath; readonly reason: string }[];
  /** Some CEL on the path was not read yet: read it and decide again. */
  readonly needsCel?: readonly Hop[];
  /** What the decision rested on. If one differs at dispatch, it is decided again. */
  readonly basis: {
    readonly snapshot: string;
    readonly posture: number;
    readonly topology: number;
    readonly tokenExpiresAtMs: number;
  };
}

export interface DecisionInput {
  readonly principal: Principal;
  readonly submission: Submission;
  readonly posture: Posture;
  readonly topology: TopologyView;
}

/**
 * The raw gate (section 4), on its own because an accepted raw command taints durably before its payload is looked at.
 * `notRaw`: the command is of another class and the gate has nothing to say.
 */
export type RawGate =
  | { readonly kind: 'notRaw' }
  | { readonly kind: 'refused'; readonly reason: Reason }
  | { readonly kind: 'accepted'; readonly taints: Decision['taints'] };

export interface Counters {
  readonly rules: number;
  readonly tenants: number;
  readonly roles: number;
}

/** An immutable, complete policy: what every decision is taken with. */
export interface PolicySnapshot {
  /** SHA-256 over its files, hex. */
  readonly id: string;
  readonly counters: Counters;
  /** Tenants and what each owns. */
  readonly fabric: Fabric;
  /** Shipped mandatory rows that this policy loosened (profile bmc only; raises taint B). */
  readonly loosened: readonly string[];
  /** The commands of this policy: the catalogue, and reviewed vendor commands. */
  readonly commands: CommandTable;
  /** Gate for raw commands; evaluated by the pipeline before `decide`. */
  rawGate(input: DecisionInput): RawGate;
  /** All steps; pure. `gate` is what `rawGate` said of the same input. */
  decide(input: DecisionInput, gate: RawGate): Decision;
  /** Answers casbin's question for one resource, for `can` and the tools. */
  grant(principal: Principal, resource: ResourcePath, command: string): GrantVerdict;
}

/** `config/fabric.yaml`: which objects exist and who owns them. */
export interface Fabric {
  readonly tenants: readonly string[];
  readonly switches: ReadonlyMap<string, FabricSwitch>;
  /** Owner of a path by the nearest owned ancestor; `fabric` where nobody is. Undefined: no such object. */
  ownerOf(path: ResourcePath): string | undefined;
  /** True when the path names an object of the file (or something below a tag, host or head, which are not listed). */
  exists(path: ResourcePath): boolean;
  /** All paths of objects, canonical order. */
  readonly objects: readonly ResourcePath[];
}

export interface FabricSwitch {
  readonly name: string;
  readonly ports: ReadonlyMap<number, { readonly lds: number }>;
  readonly vcss: ReadonlyMap<number, { readonly vppbs: number }>;
}

export type { LockdownLevel };
