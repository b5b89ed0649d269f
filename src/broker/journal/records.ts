import type { LockdownLevel, Profile, TaintLetter, UnderLockdown } from '../../taint/index.ts';

/** What a record may hold: plain JSON. A member that is undefined is left out. */
export type JournalValue =
  | null
  | boolean
  | number
  | string
  | readonly JournalValue[]
  | { readonly [name: string]: JournalValue | undefined };
export type JournalObject = { readonly [name: string]: JournalValue | undefined };

/** Marks that an inquiry looks for first. */
export type RecordFlag = 'unaudited' | 'denied' | 'cross-tenant' | 'shadow' | 'unknown-outcome';

/** Who asked. Every part but the switch is absent when the caller was not authenticated. */
export interface CallerFields {
  readonly requestId: string;
  readonly switch?: string;
  /** Principal: `user:ISSUER#SUB`. */
  readonly principal?: string;
  readonly tenant?: string;
  readonly tokenId?: string;
  /** Typed names of the groups that the token named: with the principal, what roles come from. */
  readonly groups?: readonly string[];
  /** Words of the token's `scope` claim. */
  readonly scopes?: readonly string[];
  /** Address and port of the peer. */
  readonly source?: string;
}

/** The posture that a decision rested on, in short. */
export interface PostureFields {
  readonly version: number;
  readonly lockdown: LockdownLevel;
  /** Letters of the register, `-` when none. */
  readonly taint: string;
  readonly profile?: Profile;
  readonly underLockdown?: UnderLockdown;
}

/** The command and what was decided about it. Shared by `decision` and `intent`. */
export interface CommandFields extends CallerFields {
  /** Slug, or `opcode:0xc010`. */
  readonly command?: string;
  readonly opcode?: number;
  /** `switch -> port 3 -> ld 1`, or the hops as data. */
  readonly path?: JournalValue;
  /** Decoded fields of the request, secret ones masked. */
  readonly fields?: JournalValue;
  readonly class?: 'allowlisted' | 'audited' | 'raw';
  readonly scope?: number;
  readonly reach?: string;
  /** Touched resources. */
  readonly touched?: readonly string[];
  /** Tenants that are reached. */
  readonly tenants?: readonly string[];
  readonly verdict: 'allow' | 'deny';
  /** Conditions on content and state that held, by name; what mandatory rows ask for with `if`. */
  readonly conditions?: readonly string[];
  /** Taint letters in force on what is touched. */
  readonly activeTaint?: readonly TaintLetter[];
  /** Errno that the caller got. */
  readonly outward?: string;
  /** Every reason with its rule; also those that the caller does not see. */
  readonly reasons?: readonly JournalValue[];
  /** Rows that allowed or denied, per resource. */
  readonly grants?: readonly JournalValue[];
  readonly narrowed?: { readonly asked: readonly number[]; readonly kept: readonly number[] };
  /** Id of the policy snapshot. */
  readonly snapshot?: string;
  readonly topology?: number;
  readonly posture?: PostureFields;
  readonly flags?: readonly RecordFlag[];
  /** SHA-256 of the payload sent, hex. */
  readonly payloadDigest?: string;
  readonly payloadBytes?: number;
  readonly details?: JournalObject;
}

/** How the device answered. */
export interface AnswerFields {
  /** Return codes of all layers, outermost first. */
  readonly returnCodes?: readonly number[];
  readonly replyDigest?: string;
  readonly replyBytes?: number;
  readonly durationMs?: number;
}

/** The broker has started; the first record of every run. */
export interface StartRecord {
  readonly version: string;
  readonly pid: number;
  readonly bootId?: string;
  readonly snapshot?: string;
  readonly details?: JournalObject;
}

/** A refusal; or a read that was carried out, with what the device answered. */
export interface DecisionRecord extends CommandFields, AnswerFields {}

/** Something is about to be sent. Durable before it is, when it changes state or is raw. */
export interface IntentRecord extends CommandFields {}

/** What became of an intent. */
export interface OutcomeRecord extends CallerFields, AnswerFields {
  /** Sequence of the intent; without it, every open intent of the request is meant. */
  readonly intent?: number;
  /** `not-sent`: nothing reached the device. `unknown`: it may have been executed. */
  readonly outcome: 'done' | 'not-sent' | 'unknown';
  readonly reason?: string;
  readonly posture?: PostureFields;
  readonly flags?: readonly RecordFlag[];
  readonly details?: JournalObject;
}

/** Lockdown or taint has changed. */
export interface PostureRecord {
  readonly switch: string;
  readonly requestId?: string;
  readonly change: 'taint' | 'acknowledgement' | 'lockdown' | 'kernel-lockdown' | 'option';
  readonly by: string;
  readonly letter?: TaintLetter;
  readonly scope?: string;
  readonly level?: LockdownLevel;
  readonly reason?: string;
  readonly before?: PostureFields;
  readonly after?: PostureFields;
  readonly details?: JournalObject;
}

/** A policy came into force, or was refused and the old one stayed. */
export interface PolicyRecord {
  readonly requestId?: string;
  readonly by?: string;
  readonly change: 'loaded' | 'refused';
  /** In force after this record. */
  readonly snapshot: string;
  readonly previous?: string;
  readonly rules?: number;
  /** Shipped mandatory rows that it loosens. */
  readonly loosened?: readonly string[];
  readonly reason?: string;
  readonly details?: JournalObject;
}

/** A credential was refused. Accepted ones are seen on the records of their commands. */
export interface AuthenticationRecord {
  readonly requestId?: string;
  readonly source?: string;
  readonly result: 'refused';
  readonly reason: string;
  readonly issuer?: string;
  readonly details?: JournalObject;
}

/** The journal was mended. Written by the journal itself. */
export interface RecoveryRecord {
  readonly reason: string;
  /** Bytes that did not make a whole record and were cut off the end. */
  readonly tornBytes?: number;
  /** Name of the file beside the journal that keeps them. */
  readonly keptAs?: string;
  /** Records that were accepted before the failure and written after it. */
  readonly rewritten?: number;
  /** Sequences of records in this journal whose caller was told that they could not be recorded: nothing was sent. */
  readonly refused?: readonly number[];
  readonly details?: JournalObject;
}

/** The broker stops in order; the last record of such a run. */
export interface StopRecord {
  readonly reason: string;
  readonly details?: JournalObject;
}

/** A console session was opened or closed, or a line of it. */
export interface ConsoleRecord extends CallerFields {
  readonly change: 'opened' | 'input' | 'output' | 'closed';
  readonly details?: JournalObject;
}

/** The picture of the fabric changed. */
export interface TopologyRecord {
  readonly switch: string;
  readonly requestId?: string;
  readonly change: string;
  readonly by?: string;
  readonly details?: JournalObject;
}

/** Kinds of records and what each holds. */
export interface RecordBodies {
  readonly start: StartRecord;
  readonly decision: DecisionRecord;
  readonly intent: IntentRecord;
  readonly outcome: OutcomeRecord;
  readonly posture: PostureRecord;
  readonly policy: PolicyRecord;
  readonly authentication: AuthenticationRecord;
  readonly recovery: RecoveryRecord;
  readonly stop: StopRecord;
  readonly console: ConsoleRecord;
  readonly topology: TopologyRecord;
}
export type RecordKind = keyof RecordBodies;

export const recordKinds: readonly RecordKind[] = [
  'start',
  'decision',
  'intent',
  'outcome',
  'posture',
  'policy',
  'authentication',
  'recovery',
  'stop',
  'console',
  'topology',
];

/** What the journal adds to a body. No body may use these names. */
export interface RecordFrame {
  /** Version of the format. */
  readonly v: 1;
  /** From 1, without gaps. */
  readonly seq: number;
  /** Wall clock, ISO 8601 with milliseconds, UTC. */
  readonly at: string;
  /** Milliseconds on a clock that never goes back, comparable within one run of the broker. */
  readonly mono: number;
  /** Hash of the record before; 64 zeros in the first one. */
  readonly prev: string;
  /** SHA-256 of this line up to, and without, its `,"hash":` part; hex. */
  readonly hash: string;
}

/** A record as it is read back. Bodies written by a newer broker may hold more. */
export type JournalRecord = {
  readonly [K in RecordKind]: RecordFrame & { readonly kind: K } & RecordBodies[K];
}[RecordKind];
