import { type Command, isReviewed } from './command.ts';
import { coversPath, OWN } from './resource.ts';
import { type GrantRule, grantText, sourceOf } from './rules.ts';
import { reaches } from './selector.ts';

export interface MissInput {
  readonly rules: readonly GrantRule[];
  readonly tenant: string;
  readonly roles: ReadonlySet<string>;
  readonly resource: string;
  readonly isOwn: boolean;
  readonly command: Command;
  /** The `deny` row that decided, where one did. */
  readonly deniedBy: { readonly source: string } | undefined;
}

/** How much of a row fits: a condition met counts most, then which one; the words of a command it may not give, by half. */
const weight = { gives: 13, names: 6, covers: 12, hasRole: 11 } as const;

interface Fit {
  /** The row can allow the command. */
  readonly gives: boolean;
  /** The row's words are about the command, though it may not give it. */
  readonly names: boolean;
  readonly covers: boolean;
  readonly hasRole: boolean;
}

/** The `allow` row of the caller's tenant with the fewest conditions unmet. */
export function nearestMiss(
  input: MissInput,
): { readonly source: string; readonly text: string; readonly missing: string } | undefined {
  let best: { readonly rule: GrantRule; readonly fit: Fit } | undefined;
  let bestScore = 0;
  for (const rule of input.rules) {
    if (rule.row[4] !== 'allow' || rule.row[1] !== input.tenant) continue;
    const fit = fitOf(rule, input);
    const score =
      (fit.gives ? weight.gives : fit.names ? weight.names : 0) +
      (fit.covers ? weight.covers : 0) +
      (fit.hasRole ? weight.hasRole : 0);
    if (score > bestScore) [best, bestScore] = [{ rule, fit }, score];
  }
  if (best === undefined) return undefined;
  return { source: sourceOf(best.rule), text: grantText(best.rule), missing: missingOf(best.rule, best.fit, input) };
}

function fitOf({ row: [role, , resource], selector }: GrantRule, input: MissInput): Fit {
  return {
    gives: reaches(selector, input.command, 'allow'),
    names: reaches(selector, input.command, 'deny'),
    covers: resource === OWN ? input.isOwn : coversPath(resource, input.resource),
    hasRole: input.roles.has(role),
  };
}

function missingOf({ row: [role, , resource, command] }: GrantRule, fit: Fit, input: MissInput): string {
  const missing: string[] = [];
  if (!fit.gives) missing.push(fit.names ? limitOf(input.command) : `the row is about \`${command}\``);
  if (!fit.covers) {
    missing.push(resource === OWN ? "the resource is not the caller's own" : `the row is about \`${resource}\``);
  }
  if (!fit.hasRole) missing.push(`the caller does not have \`${role}\``);
  if (missing.length > 0) return missing.join('; ');
  return `everything fits, but the row at ${input.deniedBy?.source ?? 'another place'} denies it`;
}

/** Why a row that speaks about a command does not give it. */
function limitOf(command: Command): string {
  if (command.grant === 'never') return "this command can't be granted";
  if (command.grant === 'console') return 'a console is granted by its own word alone';
  if (command.class === 'raw') return 'a raw command is granted by its opcode alone';
  if (isReviewed(command)) return 'a reviewed vendor command is granted by its slug; the opcode grants it raw';
  return 'this command is granted by its slug alone';
}
