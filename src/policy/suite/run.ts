import { setImmediate } from 'node:timers/promises';
import type { Profile } from '../../taint/index.ts';
import { assumedPosture } from '../offline/index.ts';
import { type Explanation, explain, type OpenPolicy } from '../trace/index.ts';
import type { Decision, DecisionInput } from '../types.ts';
import { type Coverage, CoverageCount } from './coverage.ts';
import { type Difference, differencesOf, mandatoryTexts } from './differences.ts';
import type { Suite, SuiteCase } from './suite.ts';

/** A case that came out otherwise than its suite says. */
export interface FailedCase {
  readonly suite: string;
  readonly name: string;
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly differences: readonly Difference[];
  /** Why it came out as it did. */
  readonly explanation: Explanation;
}

export interface SuiteReport {
  readonly suites: number;
  readonly cases: number;
  readonly passed: number;
  readonly failed: readonly FailedCase[];
  readonly coverage: Coverage;
}

/** Cases between two chances for everything else. */
const SLICE = 200;

/** Puts every case to the policy through the very steps that a broker takes, and compares. */
export async function runSuites(
  policy: OpenPolicy,
  suites: readonly Suite[],
  options: { readonly profile: Profile },
): Promise<SuiteReport> {
  const failed: FailedCase[] = [];
  const count = new CoverageCount(policy.rules);
  const texts = mandatoryTexts(policy.rules.mandatory);
  let cases = 0;
  for (const suite of suites) {
    for (const one of suite.cases) {
      const { input, decision } = decideCase(policy, one, options.profile);
      count.add(input.principal, decision);
      const differences = differencesOf(one.expectation, decision, texts);
      cases += 1;
      if (cases % SLICE === 0) await setImmediate();
      if (differences.length === 0) continue;
      const { name, file, line, column } = one;
      const explanation = explain(policy, input, decision);
      failed.push({ suite: suite.name, name, file, line, column, differences, explanation });
    }
  }
  return { suites: suites.length, cases, passed: cases - failed.length, failed, coverage: count.result() };
}

function decideCase(
  { snapshot }: OpenPolicy,
  { principal, submission, posture, topology }: SuiteCase,
  profile: Profile,
): { readonly input: DecisionInput; readonly decision: Decision } {
  const input = { principal, submission, posture: assumedPosture({ profile, ...posture }), topology };
  return { input, decision: snapshot.decide(input, snapshot.rawGate(input)) };
}
