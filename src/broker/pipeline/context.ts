import type { Logger } from 'pino';
import type { Value } from '../../cci/index.ts';
import type { Decision, Principal, Submission } from '../../policy/index.ts';
import type { PostureRegister } from '../../taint/index.ts';
import type { Authenticator, Revocations } from '../auth/index.ts';
import type { DisclosedReason, ProblemCode } from '../core-api.ts';
import type { Device } from '../device.ts';
import type { Journal } from '../journal/index.ts';
import type { BrokerMetrics } from '../metrics.ts';
import type { Operations } from '../operations.ts';
import type { PolicyHolder } from '../policy-holder.ts';
import type { SwitchTopology } from '../topology.ts';

/** One switch as the broker serves it. */
export interface SwitchRuntime {
  readonly name: string;
  readonly device: Device;
  readonly topology: SwitchTopology;
  readonly posture: PostureRegister;
  readonly operations: Operations;
}

/** What the stages work with. Built once at start; nothing in here knows HTTP. */
export interface Services {
  readonly authenticator: Authenticator;
  readonly revocations: Revocations;
  readonly policy: PolicyHolder;
  readonly journal: Journal;
  readonly switches: ReadonlyMap<string, SwitchRuntime>;
  readonly metrics: BrokerMetrics;
  readonly log: Logger;
  readonly limits: { readonly perTenant: number };
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
}

/** What every stage knows of the request. */
export interface Request {
  readonly id: string;
  readonly source: string;
  readonly startedMs: number;
}

/** A request after `decode`: what is wanted, in one form whatever its spelling was. */
export interface Decoded {
  readonly submission: Submission;
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
}
