import { type CommandTable, formatVia, hex16, isTyped } from '../../cci/index.ts';
import { refOfFacts } from '../decide/command-ref.ts';
import { wouldNeed } from '../decide/index.ts';
import type { Decision, DecisionInput } from '../types.ts';
import {
  againstSentence,
  classWords,
  commandWords,
  conditionWords,
  countWords,
  liftWords,
  listWords,
  reachWords,
  resourceWords,
  scopeWords,
  startSentence,
} from '../words/index.ts';
import { lookAtGrants, type ResourceLook, type RowLook } from './grants.ts';
import { lookAtMandatory, type MandatoryLook, mandatoryFactsOf } from './mandatory.ts';
import type { OpenPolicy } from './open.ts';
import { linkSource, linkText, type RoleWay, RoleWays } from './roles.ts';

/** One part of an explanation: whole sentences, in the order in which they can be read aloud. */
export interface ExplanationPart {
  readonly title: string;
  readonly sentences: readonly string[];
}

/** Why a decision is what it is, with everything that was looked at on the way. For people who own the policy files. */
export interface Explanation {
  readonly verdict: Decision['verdict'];
  readonly summary: string;
  readonly parts: readonly ExplanationPart[];
  /** The same as data. */
  readonly roles: readonly RoleWay[];
  readonly mandatory: readonly MandatoryLook[];
  readonly resources: readonly ResourceLook[];
  readonly needs: readonly string[];
}

/** Explains a decision that the snapshot of the same policy took on the same input. Nothing is held back. */
export function explain(policy: OpenPolicy, input: DecisionInput, decision: Decision): Explanation {
  const { principal, posture } = input;
  const { facts, verdict } = decision;
  const roles = new RoleWays(policy.rules.links).waysOf(principal);
  const { commands } = policy;
  // What has no sound form was held against no rule.
  const formless = decision.reasons.some(({ step }) => step === 'structure');
  const mandatory = formless
    ? []
    : lookAtMandatory(policy.rules.mandatory, mandatoryFactsOf(decision, principal, posture, commands), commands);
  const ref = refOfFacts(facts, commands);
  const resources = facts.touched.map((resource) => lookAtGrants(policy, principal, resource, ref));
  const needs = wouldNeed({ ...decision, disclosed: true }, policy.engine, principal);
  const parts: ExplanationPart[] = [
    { title: 'What was asked', sentences: askedSentences(input, decision, commands) },
    { title: 'What the command is', sentences: commandSentences(input, decision, commands) },
    { title: 'What it touches', sentences: touchSentences(decision, resources) },
    { title: 'What stands above every grant', sentences: mandatorySentences(mandatory) },
    { title: 'Who the caller is to the policy', sentences: roleSentences(roles, principal.tenant) },
    { title: 'Which grants were looked at', sentences: grouped(resources).flatMap(grantSentences) },
    { title: 'What decided', sentences: decidedSentences(decision) },
  ];
  if (verdict === 'deny') {
    parts.push({ title: 'What came closest', sentences: missSentences(policy, input, decision) });
    parts.push({ title: 'What would have to be granted, and by whom', sentences: needs.map(startSentence) });
  }
  return {
    verdict,
    summary: summaryOf(input, decision),
    parts: parts.filter(({ sentences }) => sentences.length > 0),
    roles,
    mandatory,
    resources,
    needs,
  };
}

/** `Allowed: ...` or `Denied: ...`, one sentence. */
export function summaryOf({ principal }: DecisionInput, { verdict, facts, answer, outward }: Decision): string {
  const who = `a caller of tenant ${principal.tenant}`;
  if (verdict === 'deny') {
    const seen = outward === undefined ? '' : ` He is told: ${outward.text} (${outward.errno}).`;
    return `Denied: ${who} may not run ${facts.command} this way.${seen}`;
  }
  if (answer === 'empty')
    return `Allowed: ${who} may run ${facts.command}, but nothing in it is his: he gets an empty list.`;
  return `Allowed: ${who} may run ${facts.command} this way.`;
}

function askedSentences(
  { principal, submission, posture }: DecisionInput,
  { facts }: Decision,
  commands: CommandTable,
): readonly string[] {
  const row = commands.rowByOpcode(facts.opcode);
  const name = row === undefined ? '' : `, ${row.name}`;
  const via = facts.hops.length === 0 ? '' : ` through the tunnel ${formatVia(facts.hops)}`;
  const path = submission.submittedAs === 'raw' ? ' down the raw path' : '';
  const level = posture.lockdown.effective;
  const gloss = row === undefined ? undefined : commandWords(row.slug);
  return [
    `${principal.name}, of tenant ${principal.tenant}, sends command ${hex16(facts.opcode)}${name}, to switch ${submission.switch}${via}${path}.`,
    ...(gloss === undefined ? [] : [`This command ${gloss}.`]),
    `His token may be used for ${listWords(principal.scopes) || 'nothing'}.`,
    `The broker runs in profile ${posture.profile}, ${level === 'none' ? 'without lockdown' : `under lockdown level ${level}`}.`,
  ];
}

function commandSentences(
  { submission }: DecisionInput,
  decision: Decision,
  commands: CommandTable,
): readonly string[] {
  const { facts, narrowing } = decision;
  const kind = facts.mutating ? 'It changes state.' : 'It changes nothing.';
  const sentences = [
    `It is ${classWords(facts.class)} (class ${facts.class}): ${classReason(submission.submittedAs, facts, commands)}.`,
    `${kind} It counts as ${scopeWords(facts.scope)}.`,
    `How far it goes: ${reachWords(facts.reach)} (reach ${facts.reach}).`,
  ];
  if (facts.tenants.length > 0) sentences.push(`Whom it touches or disturbs: ${listWords(facts.tenants)}.`);
  if (narrowing !== undefined) {
    const { asked, kept } = narrowing;
    sentences.push(
      asked.length === kept.length
        ? `It is a list of ${countWords(asked.length, 'id')} (${asked.join(', ')}), all of them the caller's.`
        : `It asks for the ids ${asked.join(', ')}; of these ${kept.join(', ') || 'none'} can be listed for the caller, and the others are left out before anything is decided or sent.`,
    );
  }
  if (facts.conditions.length > 0) {
    sentences.push(`What holds at this moment: ${facts.conditions.map(conditionWords).join('; ')}.`);
  }
  if (facts.activeTaint.length > 0)
    sentences.push(`Taint there that nobody has acknowledged: ${listWords(facts.activeTaint)}.`);
  return sentences;
}

/** Why a command is of its class. */
function classReason(submittedAs: 'typed' | 'raw', facts: Decision['facts'], commands: CommandTable): string {
  const row = commands.rowByOpcode(facts.opcode);
  if (facts.class === 'raw') {
    if (submittedAs === 'raw') return 'it was sent as bytes, down the raw path';
    if (row === undefined) return 'the catalogue has no such command';
    if (row.status !== 'verified' || !isTyped(row)) return 'its layout is not confirmed by two independent sources';
    return 'the device says that it has effects which the catalogue does not know';
  }
  if (facts.class === 'audited') {
    return row?.allowlisted === undefined
      ? 'its layout and its effects are known'
      : 'asked in this way it tells more than a safe read does';
  }
  return 'it only tells what its caller may know anyway';
}

function touchSentences({ facts, reasons }: Decision, resources: readonly ResourceLook[]): readonly string[] {
  const unknown = reasons.filter(({ rule }) => rule === 'target-unknown').map(({ text }) => startSentence(text));
  if (facts.touched.length === 0) return ['It touches nothing.', ...unknown];
  return [
    ...resources.map(({ resource, owner }) => {
      const belongs = owner === undefined ? 'which does not exist' : `which belongs to ${owner}`;
      return `It touches ${resourceWords(resource)} (${resource}), ${belongs}.`;
    }),
    ...unknown,
  ];
}

function mandatorySentences(looks: readonly MandatoryLook[]): readonly string[] {
  const denying = looks.filter(({ denies }) => denies);
  const head = `${looks.length} mandatory rules were looked at`;
  if (denying.length === 0) return [`${head}; none of them stands against it.`];
  return [
    `${head}; ${denying.length === 1 ? 'one stands' : `${denying.length} stand`} against it, whatever was granted.`,
    ...denying.map(({ id, source, reason }) => `${id}, at ${source}: ${reason}.`),
  ];
}

function roleSentences(ways: readonly RoleWay[], tenant: string): readonly string[] {
  if (ways.length === 0) return [`No row gives him a role in ${tenant}, so no grant can speak for him.`];
  return ways.map(({ role, links }) => {
    const steps = links.map((link) => `\`${linkText(link)}\` at ${linkSource(link)}`);
    return `He has ${role}, by ${listWords(steps)}.`;
  });
}

/** Resources about which the rows say the same, together. */
function grouped(resources: readonly ResourceLook[]): readonly (readonly [ResourceLook, ...ResourceLook[]])[] {
  const groups = new Map<string, [ResourceLook, ...ResourceLook[]]>();
  for (const look of resources) {
    const key = JSON.stringify([look.rows, look.others]);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [look]);
    else group.push(look);
  }
  return [...groups.values()];
}

/** Rows that almost fit and are told one by one; the data has all. */
const NEAR_ROWS_MAX = 6;

function grantSentences(group: readonly [ResourceLook, ...ResourceLook[]]): readonly string[] {
  const [{ rows, others, verdict }] = group;
  const names = listWords(group.map(({ resource }) => resourceWords(resource)));
  const counted = rows.length + others;
  if (counted === 0) return [`For ${names}: his tenant has no grants at all.`];
  const were = `${countWords(counted, 'row')} of his tenant ${counted === 1 ? 'was' : 'were'} looked at`;
  const rest = others === 0 ? '' : `, ${others} of them about other roles and other things`;
  const none = verdict.rule === undefined ? [`No row grants it on ${names}.`] : [];
  const fitting = rows.filter(({ fits }) => fits);
  const near = rows.filter(({ unfit }) => unfit.length === 1).slice(0, NEAR_ROWS_MAX);
  const far = rows.length - fitting.length - near.length;
  const more =
    far === 0 ? [] : [`${countWords(far, 'more row')} of his roles ${far === 1 ? 'is' : 'are'} about other things.`];
  return [`For ${names}: ${were}${rest}.`, ...[...fitting, ...near].map(rowSentence), ...more, ...none];
}

function rowSentence({ source, text, effect, fits, decided, unfit }: RowLook): string {
  const row = `\`${text}\` at ${source}`;
  if (!fits) return `${row} does not apply: ${listWords(unfit)}.`;
  const does = effect === 'allow' ? 'allows it' : 'denies it, which outweighs any row that allows';
  return `${row} ${does}${decided ? ', and decides' : ''}.`;
}

function decidedSentences({ verdict, grants, reasons, answer }: Decision): readonly string[] {
  if (verdict === 'allow') {
    if (answer === 'empty')
      return ['Nothing is left of what was asked for: the answer is an empty list, and the device is not asked.'];
    return grants.map(
      ({ resource, rule }) => `On ${resourceWords(resource)} it is allowed by \`${rule?.text}\`, at ${rule?.source}.`,
    );
  }
  return reasons.map(againstSentence);
}

function missSentences(
  { engine, commands }: OpenPolicy,
  { principal }: DecisionInput,
  decision: Decision,
): readonly string[] {
  const ref = refOfFacts(decision.facts, commands);
  const refused = decision.grants.filter(({ allowed }) => !allowed);
  const rows = refused.flatMap(({ resource, rule }) => {
    if (rule !== undefined)
      return [`For ${resourceWords(resource)} a row denies it, so that nothing else comes close.`];
    const miss = engine.nearestMiss(principal, resource, ref);
    return miss === undefined
      ? []
      : [
          `For ${resourceWords(resource)} the row \`${miss.text}\` at ${miss.source} came closest, but ${miss.missing}.`,
        ];
  });
  if (refused.length > 0) return rows;
  const mandatory = decision.reasons.filter(({ step }) => step === 'mandatory');
  return mandatory.map(({ rule }) => `The grants are there; what is missing is beyond them: ${liftWords(rule)}.`);
}
