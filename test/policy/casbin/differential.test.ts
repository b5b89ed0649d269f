import { describe, expect, test } from 'vitest';
import { createEngine, createReference } from '../../../src/policy/casbin/index.ts';
import { readPolicy } from '../../../src/policy/load/index.ts';
import { fabric, sourceOf } from '../load/fixture.ts';
import {
  Random,
  randomCaller,
  randomCommand,
  randomFacts,
  randomMandatory,
  randomResource,
  randomRules,
} from './random-policy.ts';

/** Decisions in all; `npm run test:differential` asks for a million. */
const CASES = Number(process.env.DIFFERENTIAL_CASES ?? 50_000);
const SEED = Number(process.env.DIFFERENTIAL_SEED ?? 20_260_101);
const PER_POLICY = 250;
const TIME_MS = 60_000 + CASES;

describe('the engine says what casbin says of all rows', () => {
  test(`verdict and deciding row of ${CASES} grants over random policies`, { timeout: TIME_MS }, async () => {
    let allowed = 0;
    let denied = 0;
    for (let policy = 0; policy * PER_POLICY < CASES; policy += 1) {
      const random = new Random(SEED + policy);
      const rules = randomRules(random, fabric);
      const engine = await createEngine({ id: 'random', rules, fabric });
      const reference = await createReference(rules, fabric);
      for (let decision = 0; decision < PER_POLICY; decision += 1) {
        const caller = randomCaller(random);
        const resource = randomResource(random, fabric);
        const command = randomCommand(random);
        const said = engine.grant(caller, resource, command);
        const wanted = reference.grant(caller, resource, command);
        const isSame = said.allowed === wanted.allowed && said.rule?.source === wanted.rule?.source;
        if (!isSame)
          expect({ seed: SEED + policy, caller, resource, command, said }).toEqual({
            seed: SEED + policy,
            caller,
            resource,
            command,
            said: wanted,
          });
        // Once more, from memory.
        if (engine.grant(caller, resource, command) !== said && fabric.tenants.includes(caller.tenant))
          expect.unreachable('not remembered');
        if (said.allowed) allowed += 1;
        else if (said.rule !== undefined) denied += 1;
      }
    }
    // A comparison of nothing but default denials would say little.
    expect(allowed).toBeGreaterThan(CASES / 20);
    expect(denied).toBeGreaterThan(CASES / 100);
  });

  test(`first and last denying row of ${CASES / 5} sets of facts over random mandatory rows`, {
    timeout: TIME_MS,
  }, async () => {
    const read = await readPolicy(sourceOf({}));
    if (!read.ok) throw new Error('the shipped rows are refused');
    const { rules } = read.value;
    let allowed = 0;
    for (let policy = 0; policy * PER_POLICY < CASES / 5; policy += 1) {
      const random = new Random(SEED + policy);
      const extra = Array.from({ length: random.int(10) }, (_, index) => randomMandatory(random, 1000 + index));
      const shippedRows = random.int(2) === 0 ? rules.mandatory : rules.mandatory.slice(0, 3);
      const mandatory = [...shippedRows, ...extra];
      const engine = await createEngine({ id: 'random', rules: { ...rules, mandatory }, fabric });
      const forward = await createReference({ ...rules, mandatory }, fabric);
      const backward = await createReference({ ...rules, mandatory: mandatory.toReversed() }, fabric);
      for (let decision = 0; decision < PER_POLICY; decision += 1) {
        const facts = randomFacts(random);
        const denials = engine.mandatory(facts);
        expect(
          [denials.at(0)?.source, denials.at(-1)?.source],
          JSON.stringify({ ...facts, conditions: [...facts.conditions] }),
        ).toEqual([forward.mandatory(facts).source, backward.mandatory(facts).source]);
        expect(denials.length === 0).toBe(forward.mandatory(facts).allowed);
        expect(engine.mandatory(facts)).toBe(denials);
        if (denials.length === 0) allowed += 1;
      }
    }
    expect(allowed).toBeGreaterThan(CASES / 100);
  });
});
