import type { CommandTable } from '../../cci/index.ts';
import type { Posture } from '../../taint/index.ts';
import { commandOf, commandText } from '../casbin/command.ts';
import {
  commandTests,
  type MandatoryColumn,
  mandatoryColumns,
  NONE,
  parseColumn,
} from '../casbin/mandatory-columns.ts';
import { BASE_ID, type MandatoryRule, sourceOf } from '../casbin/rules.ts';
import { refOfFacts } from '../decide/command-ref.ts';
import type { MandatoryFacts } from '../engine.ts';
import { type Decision, FABRIC_TENANT, type Principal } from '../types.ts';

/** One mandatory row, held against the facts of a command. */
export interface MandatoryLook {
  readonly id: string;
  readonly source: string;
  readonly reason: string;
  readonly denies: boolean;
  /** The first column that does not fit, where the row does not apply. */
  readonly unfit: MandatoryColumn | undefined;
}

/** The facts that the mandatory rules were asked with. */
export function mandatoryFactsOf(
  { facts }: Decision,
  principal: Principal,
  posture: Posture,
  commands: CommandTable,
): MandatoryFacts {
  return {
    level: posture.lockdown.effective,
    underLockdown: posture.underLockdown,
    taint: facts.activeTaint,
    profile: posture.profile,
    tenant: principal.tenant,
    reach: facts.reach,
    command: refOfFacts(facts, commands),
    conditions: new Set(facts.conditions as unknown as readonly never[]),
  };
}

/** Every mandatory row that can deny, with why it does or does not. INVARIANT: those that do are those that casbin names. */
export function lookAtMandatory(
  rules: readonly MandatoryRule[],
  facts: MandatoryFacts,
  commands: CommandTable,
): readonly MandatoryLook[] {
  const command = commandText(commandOf(facts.command, commands));
  const present = [
    ...facts.conditions,
    ...(facts.tenant === FABRIC_TENANT ? [] : ['caller-not-fabric']),
    ...(facts.underLockdown === 'allow' ? [] : [`under-lockdown-${facts.underLockdown}`]),
  ];
  const values: { readonly [C in Exclude<MandatoryColumn, 'command'>]: string } = {
    level: facts.level,
    taint: facts.taint.join('|') || NONE,
    profile: facts.profile,
    class: facts.command.class,
    scope: String(facts.command.scope),
    reach: facts.reach,
  };
  return rules
    .filter(({ row }) => row[0] !== BASE_ID)
    .map((rule) => {
      const unfit = mandatoryColumns.find((column, i) => {
        if (column === 'command') {
          const tests = commandTests(rule.command);
          return !(tests.command(command) && tests.facts(present.join('|') || NONE));
        }
        const test = parseColumn(column, String(rule.row[i + 1]));
        /* v8 ignore next -- the loader lets in only what parses */
        if (typeof test !== 'function') return true;
        return !test(values[column]);
      });
      const [id] = rule.row;
      return { id, source: sourceOf(rule), reason: rule.row[9], denies: unfit === undefined, unfit };
    });
}
