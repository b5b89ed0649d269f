import { type MandatoryRule, sourceOf } from '../casbin/rules.ts';
import type { Decision } from '../types.ts';
import type { Expectation } from './suite.ts';

/** One thing that is otherwise than expected. */
export interface Difference {
  readonly what: 'verdict' | 'rule' | 'errno' | 'class' | 'scope' | 'reach' | 'touches' | 'visible';
  readonly expected: string;
  readonly got: string;
}

/** `mandatory.csv:33` to the row as a suite may write it: everything but its reason. */
export type MandatoryTexts = ReadonlyMap<string, string>;

export function mandatoryTexts(rules: readonly MandatoryRule[]): MandatoryTexts {
  return new Map(rules.map((rule) => [sourceOf(rule), mandatoryText(rule)]));
}

export function mandatoryText({ row }: MandatoryRule): string {
  return `p2, ${row.slice(0, 9).join(', ')}`;
}

/** What an expectation and a decision disagree on; none when the case passes. */
export function differencesOf(expected: Expectation, decision: Decision, texts: MandatoryTexts): readonly Difference[] {
  const { facts } = decision;
  const differences: Difference[] = [];
  const compare = (what: Difference['what'], wanted: string | number | undefined, got: string | number): void => {
    if (wanted !== undefined && wanted !== got) differences.push({ what, expected: String(wanted), got: String(got) });
  };
  compare('verdict', expected.verdict, decision.verdict);
  // A denial by a defect of the engine is nothing that a suite can have meant.
  if (decision.reasons.some(({ rule }) => rule === 'internal')) compare('rule', 'a rule', 'internal');
  const deciders = decidersOf(decision, texts);
  for (const rule of expected.rules) {
    if (deciders.some((decider) => decider.names.includes(normal(rule)))) continue;
    const got = deciders.map(({ shown }) => shown).join('; ') || 'no rule';
    differences.push({ what: 'rule', expected: rule, got });
  }
  compare('errno', expected.errno, decision.outward?.errno ?? 'none');
  compare('class', expected.class, facts.class);
  compare('scope', expected.scope, facts.scope);
  compare('reach', expected.reach, facts.reach);
  compare('touches', expected.touches === undefined ? undefined : listed(expected.touches), listed(facts.touched));
  // A command that lists nothing shows nothing.
  const visible = decision.verdict === 'allow' ? (decision.narrowing?.kept ?? []) : [];
  compare('visible', expected.visible === undefined ? undefined : listed(expected.visible), listed(visible));
  return differences;
}

interface Decider {
  /** Everything that the rule may be called in a suite. */
  readonly names: readonly string[];
  readonly shown: string;
}

/** The rules that made the verdict: rows that allow when it is allowed, everything that stands against it else. */
function decidersOf({ verdict, grants, reasons }: Decision, texts: MandatoryTexts): readonly Decider[] {
  const rows = grants.flatMap(({ rule, allowed }) => (rule === undefined ? [] : [{ ...rule, allowed }]));
  if (verdict === 'allow')
    return rows.map(({ source, text }) => ({ names: [source, normal(text)], shown: `${text} (${source})` }));
  const against = reasons.map(({ rule, source, text }) => ({
    names: [rule, ...(source === undefined ? [] : [source, texts.get(source) ?? source])],
    shown: `${rule}${source === undefined ? '' : ` (${source})`}: ${text}`,
  }));
  const denying = rows
    .filter(({ allowed }) => !allowed)
    .map(({ source, text }) => ({ names: [source, normal(text)], shown: text }));
  return [...against, ...denying];
}

/** Blanks do not count. */
function normal(rule: string): string {
  return rule
    .split(',')
    .map((part) => part.trim())
    .join(', ');
}

/** In an order of its own, so that none is expected. */
function listed(items: readonly (string | number)[]): string {
  return [...new Set(items)].map(String).toSorted().join(', ') || 'none';
}
