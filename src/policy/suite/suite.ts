import type { Profile } from '../../taint/index.ts';
import type { FileProblem } from '../../yaml/index.ts';
import type { AssumedPosture } from '../offline/index.ts';
import type { CommandClass, Errno, Principal, Reach, Submission, TopologyView } from '../types.ts';

/** What a case says about the decision. */
export interface Expectation {
  /** What no case states is denied. */
  readonly verdict: 'allow' | 'deny';
  /** Rule ids, rows or their places; all of them must be among what decided. */
  readonly rules: readonly string[];
  readonly errno?: Errno;
  readonly class?: CommandClass;
  readonly scope?: number;
  readonly reach?: Reach;
  /** Exactly these resources, in any order. */
  readonly touches?: readonly string[];
  /** Exactly these ids are left of a filterable read. */
  readonly visible?: readonly number[];
}

/** One question to the policy, one of several that a case of the file may stand for. */
export interface SuiteCase {
  readonly name: string;
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly principal: Principal;
  readonly submission: Submission;
  /** Without a profile the one that the policy is loaded for. */
  readonly posture: Omit<AssumedPosture, 'profile'> & { readonly profile?: Profile };
  readonly topology: TopologyView;
  readonly expectation: Expectation;
}

/** A suite that can be run. */
export interface Suite {
  readonly name: string;
  readonly file: string;
  readonly cases: readonly SuiteCase[];
}

export type SuiteResult =
  | { readonly ok: true; readonly suite: Suite }
  | { readonly ok: false; readonly problems: readonly FileProblem[] };
