import { formatVia, hex16 } from '../../cci/index.ts';
import type { RuleEngine } from '../engine.ts';
import type { Decision, Principal } from '../types.ts';
import { refOfFacts } from './command-ref.ts';
import { errnoTable } from './errno.ts';
import { neededScope } from './scope-cap.ts';

/**
 * Sentences for people on why a decision is what it is. Who may not see the reasons reads what the refusal itself says,
 * and nothing else (section 9).
 */
export function explainDecision(decision: Decision, engine: RuleEngine, principal: Principal): readonly string[] {
  const { facts, reasons } = decision;
  if (decision.verdict === 'deny' && !decision.disclosed) return [outwardSentence(decision)];
  const via = facts.hops.length === 0 ? '' : ` via ${formatVia(facts.hops)}`;
  const lines = [
    `${facts.command} (${hex16(facts.opcode)})${via} is ${facts.class}, scope ${facts.scope}, reach ${facts.reach}`,
  ];
  const { narrowing } = decision;
  if (narrowing !== undefined && narrowing.kept.length < narrowing.asked.length) {
    lines.push(`${narrowing.asked.length} ids were asked for, ${narrowing.kept.length} are left`);
  }
  if (decision.answer === 'empty') lines.push('nothing is left to ask for: the answer is an empty list');
  for (const { resource, allowed, rule } of decision.grants) {
    if (allowed) lines.push(`allowed on ${resource} by ${rule?.source ?? 'the policy'}`);
  }
  for (const { rule, text, source } of reasons) {
    lines.push(`denied by ${rule}${source === undefined ? '' : ` (${source})`}: ${text}`);
  }
  return [...lines, ...nearestMisses(decision, engine, principal)];
}

function outwardSentence({ outward }: Decision): string {
  return outward === undefined ? 'denied' : `denied (${outward.errno}): ${errnoTable[outward.errno].text}`;
}

function nearestMisses(decision: Decision, engine: RuleEngine, principal: Principal): readonly string[] {
  const ref = refOfFacts(decision.facts);
  return refused(decision).flatMap((resource) => {
    const miss = engine.nearestMiss(principal, resource, ref);
    return miss === undefined
      ? []
      : [`closest row for ${resource}: ${miss.source} (${miss.text}), but ${miss.missing}`];
  });
}

function refused(decision: Decision): readonly Decision['grants'][number]['resource'][] {
  return decision.grants.filter(({ allowed }) => !allowed).map(({ resource }) => resource);
}

/** What would have to be given, and who can give it; empty when allowed or not the principal's to see. */
export function wouldNeed(decision: Decision, engine: RuleEngine, principal: Principal): readonly string[] {
  if (decision.verdict === 'allow' || !decision.disclosed) return [];
  const { facts } = decision;
  const ref = refOfFacts(facts);
  const lines: string[] = [];
  const needed = neededScope(facts.class, facts.scope);
  if (!principal.scopes.includes(needed)) lines.push(`a token with scope \`${needed}\`, from whoever issues tokens`);
  if (ref.grant === 'never') return [...lines, `nothing helps: ${facts.command} cannot be granted`];
  for (const resource of refused(decision)) {
    const roles = engine.rolesThatCould(principal, resource, ref);
    lines.push(
      roles.length > 0
        ? `on ${resource}: role ${roles.join(' or ')}, from the security team of tenant ${principal.tenant}`
        : `on ${resource}: a row \`p, ROLE, ${principal.tenant}, ${resource}, ${facts.command}, allow\` and that role`,
    );
  }
  const beyond = decision.reasons.filter(({ step }) => step !== 'scope' && step !== 'grant');
  return [...lines, ...beyond.map(({ rule, text }) => `no grant lifts ${rule}: ${text}`)];
}
