import { describe, expect, test } from 'vitest';
import { conditions, type MandatoryFacts } from '../../../src/policy/engine.ts';
import { readPolicy } from '../../../src/policy/load/index.ts';
import { CommandWords } from '../../../src/policy/meaning/command-words.ts';
import { mandatoryChanges } from '../../../src/policy/meaning/mandatory-diff.ts';
import { leastConditions } from '../../../src/policy/meaning/mandatory-facts.ts';
import { denies, denyRows, pointsOf } from '../../../src/policy/meaning/mandatory-rows.ts';
import { selectionsOf } from '../../../src/policy/meaning/sides.ts';
import type { Reach } from '../../../src/policy/types.ts';
import { Random, randomMandatory } from '../casbin/random-policy.ts';
import { fabric, sourceOf } from '../load/fixture.ts';
import { engineSide } from './sides.ts';

const POLICIES = Number(process.env.MEANING_POLICIES ?? 8);
const reaches: readonly Reach[] = ['query', 'own', 'cross-tenant', 'switch', 'opaque'];
const letters = ['R', 'V', 'J', 'O', 'C', 'E', 'M', 'X', 'F', 'A', 'B'] as const;

describe('a diff of mandatory rows says what asking the engine says', () => {
  test(`over ${POLICIES} pairs of random rows`, { timeout: 900_000 }, async () => {
    const read = await readPolicy(sourceOf({}));
    if (!read.ok) throw new Error('the shipped rows are refused');
    const { rules } = read.value;
    let flips = 0;
    for (let seed = 0; seed < POLICIES; seed += 1) {
      const random = new Random(4000 + seed);
      const extra = (): typeof rules.mandatory =>
        Array.from({ length: random.int(6) }, (_, i) => randomMandatory(random, 1000 + i));
      const shared = [...random.some(rules.mandatory, 2), ...extra()].filter(({ row }) => row[0] !== 'A0');
      const base = rules.mandatory.slice(0, 1);
      const before = await engineSide({ ...rules, mandatory: [...base, ...shared, ...extra()] }, fabric);
      const after = await engineSide({ ...rules, mandatory: [...base, ...random.some(shared, 1), ...extra()] }, fabric);
      const selections = selectionsOf([before, after], true);
      const changes = mandatoryChanges(before, after, selections, new CommandWords(selections));
      const has = {
        widened: changes.some(({ kind }) => kind === 'widened'),
        narrowed: changes.some(({ kind }) => kind === 'narrowed'),
      };
      // Complete: no facts flip that the diff does not know of.
      for (let round = 0; round < 400; round += 1) {
        const atom = random.pick(selections.atoms);
        const reach = random.pick(reaches);
        const isTenant = random.int(2) === 0;
        const given = leastConditions(random.some(conditions, 5), { atom, reach, isTenant });
        if (given === undefined) continue;
        const facts: MandatoryFacts = {
          level: random.pick(['none', 'integrity', 'confidentiality'] as const),
          underLockdown: random.pick(['allow', 'reads', 'off'] as const),
          taint: random.some(letters, 5),
          profile: random.pick(['host', 'bmc'] as const),
          tenant: isTenant ? 'acme' : 'fabric',
          reach,
          command: atom.refs[0] ?? { opcode: atom.first, class: 'raw', scope: 3 },
          conditions: given,
        };
        const [past, now] = [before, after].map(({ engine }) => engine.mandatory(facts).length === 0);
        if (past === now) continue;
        flips += 1;
        expect({ seed, facts, widened: has.widened || !now, narrowed: has.narrowed || now }).toMatchObject({
          widened: true,
          narrowed: true,
        });
      }
      // Sound: what the diff rests on does flip.
      const [was = [], is = []] = [before, after].map((side, number) =>
        denyRows(side.rules.mandatory, number, selections),
      );
      for (const row of was) {
        for (const point of pointsOf(row, selections)) {
          if (random.int(200) > 0 || is.some((other) => denies(other, point))) continue;
          const facts: MandatoryFacts = {
            level: point.level,
            underLockdown: point.under === 'any' ? 'allow' : point.under,
            taint: point.taint === undefined ? [] : [point.taint],
            profile: point.profile,
            tenant: point.isTenant ? 'acme' : 'fabric',
            reach: point.reach,
            command: point.atom.refs[0] ?? { opcode: point.atom.first, class: 'raw', scope: 3 },
            conditions: point.conditions,
          };
          expect(before.engine.mandatory(facts).length).toBeGreaterThan(0);
          expect(after.engine.mandatory(facts)).toEqual([]);
          expect(has.widened).toBe(true);
        }
      }
    }
    expect(flips).toBeGreaterThan(POLICIES);
  });
});
