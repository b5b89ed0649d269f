import { formatVia, hex16 } from '../../cci/index.ts';
import type { RuleEngine } from '../engine.ts';
import { type Decision, FABRIC_TENANT, type Principal, type ResourcePath } from '../types.ts';
import { classWords, countWords, liftWords, listWords, reachWords, resourceWords, scopeWords } from '../words/index.ts';
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
    `${facts.command} (${hex16(facts.opcode)})${via} is ${classWords(facts.class)} (${facts.class}; ${scopeWords(facts.scope)})`,
    `reach ${facts.reach}: ${reachWords(facts.reach)}`,
  ];
  const { narrowing } = decision;
  if (narrowing !== undefined && narrowing.kept.length < narrowing.asked.length) {
    lines.push(
      `${countWords(narrowing.asked.length, 'id')} asked for, ${narrowing.kept.length} left: the rest is not the caller's`,
    );
  }
  if (decision.answer === 'empty') lines.push('nothing is left to ask for: the answer is an empty list');
  for (const { resource, allowed, rule } of decision.grants) {
    if (allowed) lines.push(`allowed on ${resourceWords(resource)} (${resource}) by ${rule?.source ?? 'the policy'}`);
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
  const ref = refOfFacts(decision.facts, engine.commands);
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
  const ref = refOfFacts(facts, engine.commands);
  const lines: string[] = [];
  const needed = neededScope(facts.class, facts.scope);
  if (!principal.scopes.includes(needed)) lines.push(`a token with scope \`${needed}\`, from whoever issues tokens`);
  if (ref.grant === 'never') return [...lines, `nothing helps: ${facts.command} cannot be granted`];
  for (const verdict of decision.grants) {
    if (!verdict.allowed) lines.push(`on ${verdict.resource}: ${missingGrant(verdict, engine, principal, facts)}`);
  }
  const beyond = decision.reasons.filter(({ step }) => step !== 'scope' && step !== 'grant');
  return [
    ...lines,
    ...beyond.map(({ step, rule, text }) => {
      const lift = step === 'mandatory' ? `; ${liftWords(rule)}` : '';
      return `no grant lifts ${rule}: ${text}${lift}`;
    }),
  ];
}

/** One grant that is not there: by whom it can be given, and in which words of a policy file. */
function missingGrant(
  { resource, rule }: Decision['grants'][number],
  engine: RuleEngine,
  principal: Principal,
  facts: Decision['facts'],
): string {
  const { tenant } = principal;
  const file = `tenants/${tenant}.csv`;
  if (rule !== undefined) {
    return `that the security team of ${tenant} takes the row at ${rule.source} back, because a row that denies outweighs any that allows`;
  }
  const giver = otherGiver(resource, engine, tenant);
  if (giver !== undefined) return giver;
  const ref = refOfFacts(facts, engine.commands);
  const roles = engine.rolesThatCould(principal, resource, ref);
  if (roles.length > 0) {
    return `${listWords(roles, 'or')}, which the security team of ${tenant} gives with a row \`g, NAME, ${roles.length === 1 ? roles[0] : 'ROLE'}, ${tenant}\` in ${file}`;
  }
  const command = facts.class === 'raw' ? `opcode:${hex16(facts.opcode)}` : facts.command;
  return `a row \`p, ROLE, ${tenant}, ${resource}, ${command}, allow\` in ${file}, for a role of the caller, from the security team of ${tenant}`;
}

/** What the fabric file alone gives away. Hosts, heads and tags have owners that are found at run time. */
const OWNED = /\/(?:ports\/\d+(?:\/lds\/\d+|\/ldpool)?|vcss\/\d+(?:\/vppbs\/\d+)?)$/;

/**
 * Where a row would change nothing, because whose it is is not said in rows. The same words for what is another's and for
 * what does not exist: a broker's callers hear them too.
 */
function otherGiver(resource: ResourcePath, { fabric }: RuleEngine, tenant: string): string | undefined {
  if (tenant === FABRIC_TENANT || !OWNED.test(resource) || fabric.ownerOf(resource) === tenant) return undefined;
  return `no row helps, because it is not ${tenant}'s: operators can list it under \`${tenant}\` in the fabric file, or send the command themselves`;
}
