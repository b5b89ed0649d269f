import { describe, expect, test } from 'vitest';
import { type CommandRow, catalogue, isTyped } from '../../../src/cci/index.ts';
import { readPolicy } from '../../../src/policy/load/index.ts';
import { answer, Desk, parseQuestion, type Side } from '../../../src/policy/meaning/index.ts';
import { Random } from '../casbin/random-policy.ts';
import { shipped, sourceOf } from '../load/fixture.ts';
import { decided, randomInput } from '../replay/past.ts';
import { engineSide, randomSide } from './sides.ts';

const POLICIES = Number(process.env.MEANING_POLICIES ?? 10);
const PER_POLICY = 120;
const rows: readonly CommandRow[] = catalogue;
const typed = rows.filter((row) => row.status === 'verified' && isTyped(row) && row.opcode !== 0x5300);
const busy = typed.filter(({ opcode }) => [0x51, 0x52, 0x54].includes(opcode >> 8));
const _groups = ['one', 'two', 'three'];

/** A random policy with the shipped mandatory rows, or with few of them. */
async function policyOf(random: Random): Promise<Side> {
  const side = await randomSide(random);
  const read = await readPolicy(sourceOf({ mandatory: shipped['mandatory.csv'] ?? '' }));
  if (!read.ok) throw new Error('the shipped rows are refused');
  const mandatory = random.int(2) === 0 ? read.value.rules.mandatory : read.value.rules.mandatory.slice(0, 3);
  return engineSide({ ...side.rules, mandatory }, side.engine.fabric);
}

/** Some command of somebody, decided. */
function randomDecision(random: Random, side: Side) {
  const input = randomInput(random, side);
  return input === undefined ? undefined : { caller: input.principal, decision: decided(side, input) };
}

function ask(desk: Desk, text: string) {
  const parsed = parseQuestion(text, desk.side.engine);
  if (!parsed.ok) throw new Error(`${text}: ${parsed.problem.message}`);
  return answer(desk, parsed.question);
}

describe('a query says what the decision says', () => {
  test(`whatever anybody may do on ${POLICIES} random policies, the query says that he can`, {
    timeout: 900_000,
  }, async () => {
    let allowed = 0;
    for (let seed = 0; seed < POLICIES; seed += 1) {
      const random = new Random(500 + seed);
      const side = await policyOf(random);
      const desk = await Desk.of(side, 'host');
      for (let round = 0; round < PER_POLICY; round += 1) {
        const made = randomDecision(random, side);
        if (made === undefined || made.decision.verdict === 'deny') continue;
        const { caller, decision } = made;
        for (const path of decision.facts.touched) {
          // Operators with the whole switch may name what does not exist; nobody can ask about that.
          if (!side.engine.fabric.exists(path)) continue;
          allowed += 1;
          const name = random.pick(caller.names);
          const { command } = decision.facts;
          const questions = [
            `can ${caller.tenant} ever ${command} on ${path}`,
            `can ${name} of ${caller.tenant} ever ${command} on ${path}`,
          ];
          for (const text of questions)
            expect({ seed, text, yes: ask(desk, text).yes }).toEqual({ seed, text, yes: true });
        }
      }
    }
    expect(allowed).toBeGreaterThan(POLICIES * 2);
  });

  test('whatever the query says no to, nobody may do', { timeout: 900_000 }, async () => {
    let no = 0;
    let yes = 0;
    for (let seed = 0; seed < POLICIES; seed += 1) {
      const random = new Random(900 + seed);
      const side = await policyOf(random);
      const { fabric } = side.engine;
      const desk = await Desk.of(side, 'host');
      for (let round = 0; round < 40; round += 1) {
        const row = random.pick(busy);
        const path = random.pick(fabric.objects);
        const tenant = random.pick(['acme', 'globex', 'fabric']);
        const found = ask(desk, `can ${tenant} ever ${row.slug} on ${path}`);
        if (found.yes) {
          yes += 1;
          // The witness is asked once more, by himself: it must be his own names that do it.
          const [witness] = found.witnesses;
          expect(witness?.touched.every(({ source }) => source.startsWith(`tenants/${tenant}.csv`))).toBe(true);
          continue;
        }
        no += 1;
        expect(found.obstacles.length).toBeGreaterThan(0);
        for (let tries = 0; tries < 12; tries += 1) {
          const made = randomDecision(random, side);
          if (made === undefined || made.caller.tenant !== tenant || made.decision.verdict === 'deny') continue;
          const isIt = made.decision.facts.command === row.slug && made.decision.facts.touched.includes(path);
          expect({ seed, tenant, slug: row.slug, path, isIt }).toMatchObject({ isIt: false });
        }
      }
    }
    expect(Math.min(no, yes)).toBeGreaterThan(POLICIES / 3);
  });
});
