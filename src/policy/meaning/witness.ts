import { formatVia, isTyped, type Json, toJsonMasked } from '../../cci/index.ts';
import type { Profile } from '../../taint/index.ts';
import { taintOrder } from '../casbin/mandatory-columns.ts';
import { refOfFacts } from '../decide/command-ref.ts';
import { neededScope } from '../decide/scope-cap.ts';
import { type Condition, conditions, type MandatoryFacts, type RuleEngine } from '../engine.ts';
import { tenantGroup } from '../names.ts';
import type { Decision, ResourcePath, TokenScope } from '../types.ts';
import { commandName } from './command-name.ts';
import { placeOf } from './invocations.ts';
import type { Found } from './search.ts';

/** Why the answer is yes: somebody, a command, and the decision that allows it. */
export interface Witness {
  readonly tenant: string;
  /** Names that it takes, beside the user's own and the tenant's group; none where everybody of the tenant may. */
  readonly names: readonly string[];
  readonly roles: readonly string[];
  readonly command: string;
  readonly opcode: number;
  readonly submittedAs: 'typed' | 'raw';
  readonly resource: ResourcePath;
  /** Tunnel path, empty for the switch itself. */
  readonly via: string;
  /** Parameters with which it was decided; absent for opcodes without a layout. */
  readonly params?: Json;
  /** What the token's scope must hold. */
  readonly scope: TokenScope;
  readonly touched: readonly { readonly resource: ResourcePath; readonly source: string; readonly row: string }[];
  /** What has to be so. */
  readonly provided: readonly string[];
  /** What would stand against it, by mandatory row. */
  readonly unless: readonly { readonly when: string; readonly by: readonly string[] }[];
}

export function witnessOf(engine: RuleEngine, profile: Profile, found: Found): Witness {
  const { tenant, principal, path, command, invocation, decision } = found;
  const { facts } = decision;
  const { params } = invocation;
  const { row } = command;
  const shown =
    params === undefined || row === undefined || !isTyped(row) ? undefined : toJsonMasked(row.request, params);
  return {
    tenant,
    names: principal.names.filter((name) => name !== tenantGroup(tenant) && !isMadeUp(name)),
    roles: engine.roles(principal),
    command: commandName(command),
    opcode: facts.opcode,
    submittedAs: command.submittedAs,
    resource: path,
    via: formatVia(facts.hops),
    ...(shown === undefined ? {} : { params: shown }),
    scope: neededScope(facts.class, facts.scope),
    touched: decision.grants.map(({ resource, rule }) => ({
      resource,
      source: String(rule?.source),
      row: String(rule?.text),
    })),
    provided: providedBy(engine, found),
    unless: mandatoryLimits(engine, profile, tenant, decision),
  };
}

function isMadeUp(name: string): boolean {
  return /#somebody-\d+$/.test(name);
}

function providedBy(engine: RuleEngine, { tenant, path, invocation, decision }: Found): readonly string[] {
  const { bindings } = invocation.assumed;
  const provided: string[] = [];
  const owner = engine.fabric.ownerOf(path);
  if (owner !== undefined && owner === tenant) provided.push(`${path} belongs to ${tenant} in the fabric file`);
  if (placeOf(path).kind === 'tag') provided.push(`the tag was first added by ${tenant}`);
  for (const [vcs, slots] of bindings ?? []) {
    for (const [vppb, binding] of slots) {
      if (binding.kind === 'port') provided.push(`port ${binding.port} is bound to vPPB ${vcs}/${vppb} then`);
      if (binding.kind === 'ld')
        provided.push(`port ${binding.port} LD ${binding.ld} is bound to vPPB ${vcs}/${vppb} then`);
    }
  }
  if (decision.facts.class === 'raw') {
    provided.push('the configuration says `raw_commands: taints-this-switch`');
    provided.push('sending it raw taints the switch');
  }
  return provided;
}

/** Asks the mandatory rows about the same command under everything that the laxest posture left out. */
function mandatoryLimits(engine: RuleEngine, profile: Profile, tenant: string, { facts }: Decision): Witness['unless'] {
  const holding = new Set<Condition>(conditions.filter((condition) => facts.conditions.includes(condition)));
  const lax: MandatoryFacts = {
    level: 'none',
    underLockdown: 'allow',
    taint: [],
    profile,
    tenant,
    reach: facts.reach,
    command: refOfFacts(facts, engine.commands),
    conditions: holding,
  };
  const trials: readonly (readonly [when: string, change: Partial<MandatoryFacts>])[] = [
    ['lockdown is integrity', { level: 'integrity' }],
    ['lockdown is confidentiality', { level: 'confidentiality' }],
    [
      'lockdown is on and the configuration says `under_lockdown: reads`',
      { level: 'integrity', underLockdown: 'reads' },
    ],
    ['lockdown is on and the configuration says `under_lockdown: off`', { level: 'integrity', underLockdown: 'off' }],
    ...taintOrder.map((letter) => [`taint ${letter} is not acknowledged`, { taint: [letter] }] as const),
    ['the device must never be sent it', { conditions: new Set([...holding, 'quirk' as const]) }],
  ];
  const seen = new Set<string>();
  const limits = trials.flatMap(([when, change]) => {
    const denials = engine.mandatory({ ...lax, ...change }).filter(({ source }) => !seen.has(`${source}`));
    // What one level denies the next one denies too; it is said once.
    if ('level' in change) for (const { source } of denials) seen.add(source);
    return denials.length === 0 ? [] : [{ when, by: denials.map(({ id, source }) => `${id} (${source})`) }];
  });
  const byRows = new Map<string, Witness['unless'][number]>();
  for (const { when, by } of limits) {
    const known = byRows.get(by.join());
    byRows.set(by.join(), { when: known === undefined ? when : `${known.when}, or ${when}`, by });
  }
  return [...byRows.values()];
}
