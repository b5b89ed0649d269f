import type { LockdownLevel, Profile, TaintLetter } from '../../taint/index.ts';
import { sourceOf } from '../casbin/rules.ts';
import type { Reach } from '../types.ts';
import type { CommandWords } from './command-words.ts';
import { type DenyRow, denies, denyRows, type Point, pointsOf } from './mandatory-rows.ts';
import type { Selections } from './selections.ts';
import type { Side } from './sides.ts';

/** What a mandatory row denies under one policy and nothing denies under the other. */
export interface MandatoryChange {
  readonly kind: 'widened' | 'narrowed';
  /** The row that denies it: of the policy before where it was widened, of the one after where it was narrowed. */
  readonly id: string;
  readonly source: string;
  readonly reason: string;
  readonly commands: readonly string[];
  readonly reaches: readonly Reach[];
  readonly levels: readonly LockdownLevel[];
  readonly profiles: readonly Profile[];
  /** Any one of these letters; empty where taint does not matter. */
  readonly taints: readonly TaintLetter[];
  /** Conditions of the row, all of which must hold. */
  readonly conditions: readonly string[];
}

/** Every combination of facts on which mandatory rows of two policies differ. */
export function mandatoryChanges(
  before: Side,
  after: Side,
  selections: Selections,
  words: CommandWords,
): readonly MandatoryChange[] {
  const was = denyRows(before.rules.mandatory, 0, selections);
  const is = denyRows(after.rules.mandatory, 1, selections);
  return [
    ...uncovered('widened', was, is, 1, selections, words),
    ...uncovered('narrowed', is, was, 0, selections, words),
  ];
}

function uncovered(
  kind: MandatoryChange['kind'],
  rows: readonly DenyRow[],
  others: readonly DenyRow[],
  otherSide: number,
  selections: Selections,
  words: CommandWords,
): readonly MandatoryChange[] {
  const [first, ...tables] = selections.tables;
  const isOneTable = tables.every((table) => table === first);
  // The same words may mean other commands where the policies have other vendor commands.
  const same = new Set(isOneTable ? others.map(columnsOf) : []);
  return rows
    .filter((row) => !same.has(columnsOf(row)))
    .flatMap((row) => {
      const holes: Hole[] = [];
      for (const point of pointsOf(row, selections)) {
        // What is no command there at all is not let through either.
        const isThere = point.atom.refs[otherSide] !== undefined;
        if (isThere && !others.some((other) => denies(other, point))) holes.push(holeOf(point));
      }
      return joined(holes).map((hole) => changeOf(kind, row, hole, words));
    });
}

/** All but the id and the reason. */
function columnsOf({ rule }: DenyRow): string {
  return rule.row.slice(1, 9).join('\n');
}

/** A product of facts that nothing denies any more. */
interface Hole {
  readonly atoms: readonly number[];
  readonly reaches: readonly Reach[];
  readonly levels: readonly LockdownLevel[];
  readonly profiles: readonly Profile[];
  readonly taints: readonly TaintLetter[];
}

function holeOf({ index, reach, level, profile, taint }: Point): Hole {
  const taints = taint === undefined ? [] : [taint];
  return { atoms: [index], reaches: [reach], levels: [level], profiles: [profile], taints };
}

/** Joins holes that differ in one fact only, fact by fact, so that each stays a product. */
function joined(holes: readonly Hole[]): readonly Hole[] {
  const facts = ['atoms', 'reaches', 'levels', 'profiles', 'taints'] as const;
  return facts.reduce<readonly Hole[]>((list, fact) => {
    const byRest = new Map<string, Hole>();
    for (const hole of list) {
      const rest = JSON.stringify({ ...hole, [fact]: [] });
      const known = byRest.get(rest);
      byRest.set(rest, known === undefined ? hole : { ...hole, [fact]: [...known[fact], ...hole[fact]] });
    }
    return [...byRest.values()];
  }, holes);
}

function changeOf(kind: MandatoryChange['kind'], { rule }: DenyRow, hole: Hole, words: CommandWords): MandatoryChange {
  return {
    kind,
    id: rule.row[0],
    source: sourceOf(rule),
    reason: rule.row[9],
    commands: words.of(hole.atoms.toSorted((a, b) => a - b)),
    reaches: hole.reaches,
    levels: hole.levels,
    profiles: hole.profiles,
    taints: hole.taints,
    conditions: rule.command.conditions,
  };
}
