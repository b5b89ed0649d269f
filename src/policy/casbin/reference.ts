import {
  type Assertion,
  DefaultRoleManager,
  EnforceContext,
  type Enforcer,
  newEnforcer,
  newModelFromString,
} from 'casbin';
import { builtinCommands, type CommandRow, type CommandTable } from '../../cci/index.ts';
import type { CommandRef, MandatoryFacts } from '../engine.ts';
import type { Fabric, GrantVerdict, Principal, ResourcePath } from '../types.ts';
import type { MandatoryTexts, PolicyRules } from './rules.ts';

/**
 * What the engine must agree with: casbin's full enforcer over every row, with no index, no memo and none of the engine's
 * matching. Selectors and paths are understood here a second time, by other means (sets written out in full, regular
 * expressions); it costs time in proportion to the number of rows and is for tests and for sampling.
 */
export interface ReferenceEngine {
  grant(principal: Principal, resource: ResourcePath, command: CommandRef): GrantVerdict;
  /** Is nothing denied by the mandatory rows, and if something is, which row does casbin name first? */
  mandatory(facts: MandatoryFacts): { readonly allowed: boolean; readonly source: string | undefined };
}

const text = `
[request_definition]
r = who, tenant, resource, command
r2 = facts

[policy_definition]
p = role, tenant, resource, command, eft
p2 = number, eft

[role_definition]
g = _, _, _

[policy_effect]
e = some(where (p.eft == allow)) && !some(where (p.eft == deny))
e2 = some(where (p.eft == allow)) && !some(where (p.eft == deny))

[matchers]
m = r.tenant === p.tenant && g(r.who, p.role, r.tenant) && lies(r.resource, p.resource, r.tenant) && speaks(r.command, p.command, p.eft)
m2 = applies(r2.facts, p2.number)
`;

/** Callers whose names are linked in the role manager before it is built anew. */
const CALLERS_MAX = 10_000;

/** As much of the rules as the reference reads: texts, and where they stand. */
export interface ReferenceRules {
  readonly grants: readonly Pick<PolicyRules['grants'][number], 'row' | 'file' | 'line'>[];
  readonly links: PolicyRules['links'];
  readonly mandatory: readonly Pick<PolicyRules['mandatory'][number], 'row' | 'file' | 'line'>[];
  readonly loosened?: readonly string[];
  readonly commands?: CommandTable;
}

export async function createReference(
  rules: ReferenceRules,
  fabric: Pick<Fabric, 'ownerOf'>,
): Promise<ReferenceEngine> {
  const enforcer: Enforcer = await newEnforcer(newModelFromString(text));
  const commands = rules.commands ?? builtinCommands;
  const sources = new Map<string[], { readonly source: string; readonly text: string }>();
  const grants: string[][] = [];
  for (const { row, file, line } of rules.grants) {
    const copy = [...row];
    sources.set(copy, { source: `${file}:${line}`, text: `p, ${row.join(', ')}` });
    grants.push(copy);
  }
  const mandatory = rules.mandatory.map((rule, number) => [String(number), rule.row[8]]);
  assertionOf(enforcer, 'p', 'p').policy = grants;
  assertionOf(enforcer, 'p', 'p2').policy = mandatory;

  let callers = new Set<string>();
  const linkRoles = (): void => {
    // One hop more than the product allows: from the caller to each of his names.
    const manager = new DefaultRoleManager(11);
    // The body of addLink runs to its end before its promise is handed out.
    for (const { name, role, tenant } of rules.links) void manager.addLink(name, role, tenant);
    assertionOf(enforcer, 'g', 'g').rm = manager;
    callers = new Set();
  };
  linkRoles();

  const expansion = new Map<string, (command: CommandRef) => boolean>();
  const expansionOf = (selector: string): ((command: CommandRef) => boolean) => {
    const known = expansion.get(selector) ?? expand(selector, commands);
    expansion.set(selector, known);
    return known;
  };
  enforcer.addFunction('lies', (resource: string, pattern: string, tenant: string) =>
    lies(resource, pattern, tenant, fabric),
  );
  enforcer.addFunction('speaks', (command: string, pattern: string, effect: string) => {
    const ref = JSON.parse(command) as CommandRef;
    return expansionOf(pattern)(ref) && (effect !== 'allow' || isGivenBy(pattern, ref, commands));
  });
  enforcer.addFunction('applies', (facts: MandatoryFacts, number: string) => {
    const rule = rules.mandatory[Number(number)];
    /* v8 ignore next -- every number is that of a row */
    if (rule === undefined) throw new Error(`no row ${number}`);
    return applies(rule.row, facts, expansionOf);
  });

  return {
    grant(principal, resource, command) {
      const who = `caller:${JSON.stringify(principal.names)}`;
      if (!callers.has(`${principal.tenant} ${who}`)) {
        if (callers.size >= CALLERS_MAX) linkRoles();
        const { rm } = assertionOf(enforcer, 'g', 'g');
        for (const name of principal.names) void rm.addLink(who, name, principal.tenant);
        callers.add(`${principal.tenant} ${who}`);
      }
      const [allowed, row] = enforcer.enforceExSync(who, principal.tenant, resource, JSON.stringify(command));
      const rule = sources.get(row as unknown as string[]);
      return rule === undefined ? { resource, allowed: false } : { resource, allowed, rule };
    },
    mandatory(facts) {
      const [allowed, row] = enforcer.enforceExSync(new EnforceContext('r2', 'p2', 'e2', 'm2'), facts);
      const rule = rules.mandatory[Number(row[0])];
      return { allowed, source: allowed || rule === undefined ? undefined : `${rule.file}:${rule.line}` };
    },
  };
}

function assertionOf(enforcer: Enforcer, section: 'p' | 'g', key: string): Assertion {
  const assertion = enforcer.getModel().model.get(section)?.get(key);
  /* v8 ignore next -- the model is the constant above */
  if (assertion === undefined) throw new Error(`the model has no ${key}`);
  return assertion;
}

function lies(resource: string, pattern: string, tenant: string, fabric: Pick<Fabric, 'ownerOf'>): boolean {
  if (pattern === 'own') return fabric.ownerOf(resource as ResourcePath) === tenant;
  const hasStar = pattern.endsWith('/*');
  const steps = resource.split('/');
  const wanted = (hasStar ? pattern.slice(0, -2) : pattern).split('/');
  const isBelow = wanted.every((step, index) => steps[index] === step);
  return isBelow && (hasStar || steps.length === wanted.length);
}

/** What an `allow` row can give: its selector's reach without what must be named in one certain way. */
function isGivenBy(pattern: string, ref: CommandRef, commands: CommandTable): boolean {
  if (ref.grant === 'console') return pattern === ref.slug;
  const row: CommandRow | undefined = commands.rowByOpcode(ref.opcode);
  const isSecurity = /^0x4[56]/.test(`0x${ref.opcode.toString(16).padStart(4, '0')}`);
  if (ref.opcode === 0 || isSecurity || (row?.claimed && !row.virtual) || row?.notOffered) return false;
  const marks = [ref.grant, row?.grant];
  if (marks.includes('never')) return false;
  if (ref.class === 'raw') return pattern.startsWith('opcode:') && !marks.includes('slug-only');
  // The opcode of a reviewed vendor command grants it raw; typed it goes by its names.
  if (pattern.startsWith('opcode:') && ref.opcode >= 0xc000) return false;
  return !marks.includes('slug-only') || !pattern.includes(':');
}

/** Writes a selector out: as the opcodes it stands for, or as a question about class or scope. */
function expand(selector: string, commands: CommandTable): (command: CommandRef) => boolean {
  const [, kind = '', value = ''] = /^(\w+):(.*)$/.exec(selector) ?? [];
  if (selector === '*') return () => true;
  if (selector.startsWith('console')) return (ref) => ref.grant === 'console' && ref.slug === selector;
  if (kind === 'class') return (ref) => ref.class === value;
  if (kind === 'scope') {
    const scopes = [0, 1, 2, 3].filter((scope) => {
      const bound = Number(value.replace(/[<>=]/g, ''));
      return value.startsWith('<=') ? scope <= bound : value.startsWith('>=') ? scope >= bound : scope === bound;
    });
    return (ref) => scopes.includes(ref.scope);
  }
  const opcodes = new Set<number>();
  if (kind === 'opcode') {
    const [from = '', to = from] = value.split('-');
    for (let opcode = Number(from); opcode <= Number(to); opcode += 1) opcodes.add(opcode);
  }
  for (const row of commands.rows) {
    if (kind === 'set' ? row.set === value : row.slug === selector) opcodes.add(row.opcode);
  }
  return (ref) => opcodes.has(ref.opcode);
}

function applies(
  row: MandatoryTexts,
  facts: MandatoryFacts,
  expansionOf: (selector: string) => (command: CommandRef) => boolean,
): boolean {
  const [, level, taint, profile, commandClass, scope, reach, command] = row;
  const [selectors = '', wanted = ''] = command.split(' if ');
  const present: string[] = [...facts.conditions];
  if (facts.tenant !== 'fabric') present.push('caller-not-fabric');
  present.push(`under-lockdown-${facts.underLockdown}`);
  const atLeast = (order: string, least: string, fact: string): boolean => order.indexOf(fact) >= order.indexOf(least);
  const among = (column: string, fact: string): boolean => column === '*' || column.split('|').includes(fact);
  return (
    (level === '*' || atLeast('none integrity confidentiality', level, facts.level)) &&
    (taint === '*' || taint.split('|').some((letter) => facts.taint.some((raised) => raised === letter))) &&
    among(profile, facts.profile) &&
    among(commandClass, facts.command.class) &&
    (scope === '*' || expansionOf(`scope:${scope}`)(facts.command)) &&
    (reach.startsWith('>=')
      ? atLeast('query own cross-tenant switch opaque', reach.slice(2), facts.reach)
      : among(reach, facts.reach)) &&
    selectors.split('|').some((selector) => expansionOf(selector)(facts.command)) &&
    (wanted === '' || wanted.split(' and ').every((condition) => present.includes(condition)))
  );
}
