import { type LockdownLevel, lockdownLevels, type Profile, type TaintLetter } from '../../taint/index.ts';
import { parseColumn, type RowCondition, reachOrder, type Test, taintOrder } from '../casbin/mandatory-columns.ts';
import { BASE_ID, type MandatoryRule } from '../casbin/rules.ts';
import type { Condition } from '../engine.ts';
import type { Reach } from '../types.ts';
import { at } from './at.ts';
import { type Circumstances, leastConditions } from './mandatory-facts.ts';
import type { Selections } from './selections.ts';

/** A mandatory row that denies, taken apart. */
export interface DenyRow {
  readonly rule: MandatoryRule;
  readonly levels: readonly LockdownLevel[];
  /** `undefined` among them: the row does not ask for taint. */
  readonly taints: readonly (TaintLetter | undefined)[];
  readonly profiles: readonly Profile[];
  readonly reaches: readonly Reach[];
  /** Atoms of its COMMAND, CLASS and SCOPE. */
  readonly atoms: ReadonlySet<number>;
  /** Conditions that the decision finds. */
  readonly conditions: readonly Condition[];
  /** Conditions that follow from the caller and the configuration. */
  readonly isForTenants: boolean;
  readonly under: 'any' | 'reads' | 'off' | 'never';
}

/** One set of facts about a command, as small as a row that denies it lets it be. */
export interface Point extends Circumstances {
  readonly level: LockdownLevel;
  readonly taint: TaintLetter | undefined;
  readonly profile: Profile;
  readonly index: number;
  readonly under: 'any' | 'reads' | 'off';
  readonly conditions: ReadonlySet<Condition>;
}

const profiles: readonly Profile[] = ['host', 'bmc'];

export function denyRows(rules: readonly MandatoryRule[], side: number, selections: Selections): readonly DenyRow[] {
  return rules.filter(({ row }) => row[0] !== BASE_ID).map((rule) => denyRow(rule, side, selections));
}

function denyRow(rule: MandatoryRule, side: number, selections: Selections): DenyRow {
  const [, level, taint, profile, commandClass, scope, reach, text] = rule.row;
  const { selectors, conditions } = rule.command;
  const test = (column: Parameters<typeof parseColumn>[0], words: string): Test => {
    const parsed = parseColumn(column, words);
    /* v8 ignore next -- the loader has parsed it before */
    if (typeof parsed !== 'function') throw new Error(parsed.message);
    return parsed;
  };
  const [isClass, isScope] = [test('class', commandClass), test('scope', scope)];
  const words = at(text.split(' if '), 0).split('|');
  const reached = selectors.flatMap((selector, i) => selections.of(side, at(words, i), selector, 'deny'));
  const atoms = reached.filter((i) => {
    const ref = selections.atoms[i]?.refs[side];
    return ref !== undefined && isClass(ref.class) && isScope(String(ref.scope));
  });
  const has = (condition: RowCondition): boolean => conditions.includes(condition);
  const under = has('under-lockdown-reads')
    ? has('under-lockdown-off')
      ? 'never'
      : 'reads'
    : has('under-lockdown-off')
      ? 'off'
      : 'any';
  return {
    rule,
    levels: lockdownLevels.filter(test('level', level)),
    taints: taint === '*' ? [undefined] : taintOrder.filter(test('taint', taint)),
    profiles: profiles.filter(test('profile', profile)),
    reaches: reachOrder.filter(test('reach', reach)) as readonly Reach[],
    atoms: new Set(atoms),
    conditions: conditions.filter((condition): condition is Condition => !derived.has(condition)),
    isForTenants: has('caller-not-fabric'),
    under,
  };
}

const derived: ReadonlySet<string> = new Set(['caller-not-fabric', 'under-lockdown-reads', 'under-lockdown-off']);

/**
 * The least facts that a row denies. Rows only ever ask for more taint, more conditions and higher levels, never for less:
 * what covers these covers all that the row denies, and what does not leaves a hole just here.
 */
export function* pointsOf(row: DenyRow, selections: Selections): Generator<Point> {
  const { under } = row;
  if (under === 'never') return;
  for (const index of row.atoms) {
    const atom = at(selections.atoms, index);
    for (const reach of row.reaches) {
      const circumstances = { atom, reach, isTenant: row.isForTenants };
      const conditions = leastConditions(row.conditions, circumstances);
      if (conditions === undefined) continue;
      for (const level of row.levels) {
        for (const profile of row.profiles) {
          for (const taint of row.taints) yield { ...circumstances, index, level, profile, taint, under, conditions };
        }
      }
    }
  }
}

export function denies(row: DenyRow, point: Point): boolean {
  return (
    row.atoms.has(point.index) &&
    row.levels.includes(point.level) &&
    row.reaches.includes(point.reach) &&
    row.profiles.includes(point.profile) &&
    (row.taints.includes(undefined) || row.taints.includes(point.taint)) &&
    (!row.isForTenants || point.isTenant) &&
    (row.under === 'any' || row.under === point.under) &&
    row.conditions.every((condition) => point.conditions.has(condition))
  );
}
