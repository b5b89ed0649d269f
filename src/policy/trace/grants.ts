import { type Command, commandOf } from '../casbin/command.ts';
import { coversPath, OWN } from '../casbin/resource.ts';
import { type GrantRule, grantText, sourceOf } from '../casbin/rules.ts';
import { reaches, type Selector } from '../casbin/selector.ts';
import type { CommandRef } from '../engine.ts';
import type { GrantVerdict, Principal, ResourcePath } from '../types.ts';
import { resourceWords } from '../words/index.ts';
import type { OpenPolicy } from './open.ts';

/** One row of the caller's tenant, held against one resource. */
export interface RowLook {
  readonly source: string;
  readonly text: string;
  readonly effect: 'allow' | 'deny';
  /** Role, resource and command fit: the row speaks about this. */
  readonly fits: boolean;
  /** The row that casbin names as the one that decided. */
  readonly decided: boolean;
  /** What does not fit, one clause each. */
  readonly unfit: readonly string[];
}

/** What the grants say about one touched resource. */
export interface ResourceLook {
  readonly resource: ResourcePath;
  readonly owner: string | undefined;
  readonly verdict: GrantVerdict;
  /** Rows of the caller's roles, and rows that lack the caller nothing but their role. In the order of the files. */
  readonly rows: readonly RowLook[];
  /** Other rows of his tenant, which neither his roles nor this command and resource have to do with. */
  readonly others: number;
}

/** Every row of the caller's tenant, held against one resource. The verdict is the engine's. */
export function lookAtGrants(
  { rules, fabric, engine, commands }: OpenPolicy,
  principal: Principal,
  resource: ResourcePath,
  ref: CommandRef,
): ResourceLook {
  const command = commandOf(ref, commands);
  const { tenant } = principal;
  const owner = fabric.ownerOf(resource);
  const verdict = engine.grant(principal, resource, ref);
  const roles = new Set(engine.roles(principal));
  const rows: RowLook[] = [];
  let others = 0;
  for (const rule of rules.grants) {
    const [role, of, pattern, words, effect] = rule.row;
    if (of !== tenant) continue;
    const hasRole = roles.has(role);
    const covers = pattern === OWN ? owner === tenant : coversPath(pattern, resource);
    const gives = reaches(rule.selector, command, effect);
    if (!hasRole && !(covers && gives)) {
      others += 1;
      continue;
    }
    const unfit = [
      ...(gives
        ? []
        : [aboutOther(rule, command.grant, command.class, reaches(rule.selector, command, 'deny'), words)]),
      ...(covers ? [] : [pattern === OWN ? `${resourceWords(resource)} is not ${tenant}'s own` : aboutPath(pattern)]),
      ...(hasRole ? [] : [`the caller does not have ${role}`]),
    ];
    const source = sourceOf(rule);
    const decided = verdict.rule?.source === source;
    rows.push({ source, text: grantText(rule), effect, fits: unfit.length === 0, decided, unfit });
  }
  return { resource, owner, verdict, rows, others };
}

function aboutPath(pattern: string): string {
  if (!pattern.endsWith('/*')) return `it is about ${resourceWords(pattern)}`;
  return `it is about ${resourceWords(pattern.slice(0, -2))} and what is below`;
}

function aboutOther(
  rule: GrantRule,
  grant: Command['grant'],
  commandClass: CommandRef['class'],
  names: boolean,
  words: string,
): string {
  if (!names) return `it is about ${selectorWords(rule.selector, words)}`;
  if (grant === 'never') return 'this command cannot be granted to anybody';
  if (grant === 'console') return 'a console is granted by its own name alone';
  if (rule.selector.kind === 'opcode')
    return 'the number of a reviewed vendor command grants it raw, its name grants it';
  if (commandClass === 'raw') return 'a raw command is granted by its number alone';
  return 'this command is granted by its exact name alone';
}

/** What the COMMAND column of a row selects. */
export function selectorWords(selector: Selector, text: string): string {
  switch (selector.kind) {
    case 'slug':
      return `the command ${selector.slug}`;
    case 'console':
      return `the console \`${selector.word}\``;
    case 'set':
      return `the command set ${selector.set}`;
    case 'class':
      return selector.class === 'allowlisted' ? 'the safe reads' : `the commands of class ${selector.class}`;
    case 'scope':
      return `the commands of ${text}`;
    case 'opcode':
      return `commands by number, ${text}`;
  }
}
