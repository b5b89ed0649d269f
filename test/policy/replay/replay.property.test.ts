import { describe, expect, test } from 'vitest';
import { createEngine } from '../../../src/policy/casbin/index.ts';
import { readPolicy } from '../../../src/policy/load/index.ts';
import type { Side } from '../../../src/policy/meaning/index.ts';
import { Replay } from '../../../src/policy/replay/index.ts';
import type { Decision, DecisionInput } from '../../../src/policy/types.ts';
import { Random } from '../casbin/random-policy.ts';
import { sourceOf } from '../load/fixture.ts';
import { randomSide } from '../meaning/sides.ts';
import { decided, randomInput, recordOf } from './past.ts';

const POLICIES = Number(process.env.MEANING_POLICIES ?? 10);
const PER_POLICY = 150;

/** The same rows with the shipped mandatory rows, under an id of its own. */
async function withMandatory(side: Side, id: string, random: Random): Promise<Side> {
  const read = await readPolicy(sourceOf({}));
  if (!read.ok) throw new Error('the shipped rows are refused');
  const all = read.value.rules.mandatory;
  const mandatory = [...all.slice(0, 1), ...random.some(all.slice(1), random.pick([1, 1, 2]))];
  const rules = { ...side.rules, mandatory };
  return { rules, engine: await createEngine({ id, rules, fabric: side.engine.fabric }) };
}

/** Is the new decision about the same as the old one, so that the two can be compared? */
function isComparable(past: Decision, now: Decision): boolean {
  const same = (a: readonly string[], b: readonly string[]): boolean => a.join() === b.join();
  return past.facts.reach === now.facts.reach && same(past.facts.touched, now.facts.touched);
}

describe('a replay says what deciding again says', () => {
  test(`over ${POLICIES} pairs of random policies on one fabric`, { timeout: 900_000 }, async () => {
    let flips = 0;
    for (let seed = 0; seed < POLICIES; seed += 1) {
      const random = new Random(2200 + seed);
      const before = await withMandatory(await randomSide(random), 'before', random);
      const after = await withMandatory(await randomSide(random, before.engine.fabric), 'after', random);
      const replay = await Replay.of(after);
      for (let seq = 1; seq <= PER_POLICY; seq += 1) {
        const input: DecisionInput | undefined = randomInput(random, before);
        if (input === undefined) continue;
        const [past, now] = [decided(before, input), decided(after, input)];
        if (!isComparable(past, now)) continue;
        const flip = replay.take(recordOf(input, past, seq));
        const verdict = flip?.after ?? past.verdict;
        if (verdict !== now.verdict) {
          expect({ seed, seq, command: past.facts, past: past.reasons, flip, now: now.reasons }).toBe(now.verdict);
        }
        if (flip !== undefined) flips += 1;
      }
    }
    expect(flips).toBeGreaterThan(POLICIES);
  });

  test('under the same rows nothing flips, whatever the snapshot is called', async () => {
    for (let seed = 0; seed < 15; seed += 1) {
      const random = new Random(60 + seed);
      const before = await withMandatory(await randomSide(random), 'before', new Random(seed));
      const same = await withMandatory(before, 'same', new Random(seed));
      const replay = await Replay.of(same);
      for (let seq = 1; seq <= PER_POLICY; seq += 1) {
        const input = randomInput(random, before);
        if (input === undefined) continue;
        const past = decided(before, input);
        // An LD that the fabric file lists and the device lacks is no flip of the policy: see the docs.
        const flip = replay.take(recordOf(input, past, seq));
        expect({ seed, seq, flip, past: past.reasons }).toMatchObject({ flip: undefined });
      }
      expect(replay.summary()).toMatchObject({ widened: 0, narrowed: 0, malformed: 0, incomplete: 0 });
    }
  });
});
