import type { Logger } from 'pino';
import type { CommandTable, Value } from '../../cci/index.ts';
import type { Decision, Principal, Submission } from '../../policy/index.ts';
import type { PostureRegister } from '../../taint/index.ts';
import type { Authenticator, RevocationList, Revocations } from '../auth/index.ts';
import type { JournalSettings } from '../config/index.ts';
import type { DisclosedReason, Problem, ProblemCode } from '../core-api.ts';
import type { Crosscheck } from '../crosscheck.ts';
import type { Device } from '../device.ts';
import type { SwitchEvents } from '../events/index.ts';
import type { Pseudonyms } from '../filter/index.ts';
import type { Journal } from '../journal/index.ts';
import type { BrokerMetrics } from '../metrics.ts';
import type { Operations } from '../operations.ts';
import type { PolicyHolder } from '../policy-holder.ts';
import type { Quotas, RefusalTally } from '../quota/index.ts';
import type { BusyPoll, Cancellation, Scheduler } from '../schedule/index.ts';
import type { TagOwners } from '../tag-owners.ts';
import type { SwitchTopology } from '../topology.ts';
import type { WatchedFabric } from '../topology-open.ts';
import type { Course } from './course.ts';
import type { RefusedTokens } from './refused-tokens.ts';
import type { Repeat } from './repeats.ts';

/** One switch as the broker serves it. */
export interface SwitchRuntime {
  readonly name: string;
  readonly device: Device;
  readonly topology: SwitchTopology;
  /** What moves in it without the broker. */
  readonly fabric: WatchedFabric;
  readonly posture: PostureRegister;
  readonly operations: Operations;
  /** Its event logs, as each tenant has them. */
  readonly events: SwitchEvents;
  /** Who first added each capacity tag. */
  readonly tags: TagOwners;
  /** Names in place of others' serial numbers and tags under confidentiality (row L7). */
  readonly pseudonyms: Pseudonyms;
}

/** What the stages work with. Built once at start; nothing in here knows HTTP. */
export interface Services {
  readonly authenticator: Authenticator;
  readonly revocations: Revocations;
  /** Those that outlive the process; absent where nothing can be revoked at run time. */
  readonly revocationList?: RevocationList;
  /** Counts refused tokens beyond those that are recorded one by one. */
  readonly refusedTokens?: RefusedTokens;
  readonly policy: PolicyHolder;
  /** Absent where the configuration switches it off. */
  readonly crosscheck?: Crosscheck;
  readonly journal: Journal;
  /** What records hold and when they are on disk; by effect and without payloads where nothing is said. */
  readonly recording?: Pick<JournalSettings, 'durability' | 'payloads'>;
  readonly switches: ReadonlyMap<string, SwitchRuntime>;
  readonly metrics: BrokerMetrics;
  readonly log: Logger;
  readonly quotas: Quotas;
  readonly refusals: RefusalTally;
  readonly weightOf: (tenant: string) => number;
  /** Turns with this process's own time. */
  readonly entrance: Scheduler;
  /** Keeps this process awake where an answer or another request is about to come. */
  readonly busyPoll: BusyPoll;
  /** Milliseconds since 1970. */
  readonly nowMs: () => number;
}

/** A stage's refusal: a value, never an exception. */
export interface Refusal {
  readonly code: ProblemCode;
  /** One sentence that the caller may read. */
  readonly detail: string;
  /** The same for callers that speak CCI. */
  readonly returnCode: number;
  readonly reasons?: readonly DisclosedReason[];
  readonly field?: string;
  readonly retryAfterMs?: number;
  readonly dpop?: Problem['dpop'];
  /**
   * Which limit of quota or queue was reached. Refusals of this kind are many where there is one: beyond a few a second
   * they are counted in the journal, not recorded one by one.
   */
  readonly limit?: string;
}

/** What every stage knows of the request. */
export interface Request {
  readonly id: string;
  readonly source: string;
  readonly startedMs: number;
  /** When it has to be sent, on the clock of `performance.now()`; the configured time where it names none. */
  readonly deadlineMs?: number;
  readonly cancellation?: Cancellation;
  /** How it went until now, for its records; nothing is decided with this. See `course.ts`. */
  course?: Course | undefined;
}

/** A request after `decode`: what is wanted, in one form whatever its spelling was. */
export interface Decoded {
  readonly submission: Submission;
  /** The commands it was decoded by, those of the policy then in force: its bytes mean nothing by another row. */
  readonly commands: CommandTable;
  /** Parameters as the caller gave them, decoded; absent where the opcode has no layout. */
  readonly asked: Value | undefined;
  /** The outer tag and whether tunnel layers are to be put around the reply again. */
  readonly message: { readonly tag: number; readonly outerOpcode: number } | undefined;
}

/** A command that was allowed, and what it rests on. */
export interface Decided {
  readonly principal: Principal;
  /** Is the token as good as it was? Asked again when the command's turn comes. */
  readonly stillValid: () => Promise<boolean>;
  readonly runtime: SwitchRuntime;
  readonly decoded: Decoded;
  readonly decision: Decision;
  /** What is kept of it, where the same was asked before. */
  readonly repeat?: Repeat | undefined;
}
