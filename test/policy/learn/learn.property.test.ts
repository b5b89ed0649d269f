import { describe, expect, test } from 'vitest';
import { learn, learnedCsv, UsageCollector } from '../../../src/policy/learn/index.ts';
import {
  diffPolicies,
  gateOf,
  madeUpCaller,
  type Side,
  selectionsOf,
  Universe,
} from '../../../src/policy/meaning/index.ts';
import { Replay } from '../../../src/policy/replay/index.ts';
import { Random } from '../casbin/random-policy.ts';
import { randomSide, sideOf } from '../meaning/sides.ts';
import { decided, randomInput, recordOf } from '../replay/past.ts';

const POLICIES = Number(process.env.MEANING_POLICIES ?? 9);

async function journalOf(random: Random, side: Side) {
  const records: ReturnType<typeof recordOf>[] = [];
  for (let seq = 1; seq <= 400; seq += 1) {
    const input = randomInput(random, side);
    if (input !== undefined) records.push(recordOf(input, decided(side, input), seq));
  }
  return records;
}

async function learned(
  side: Side,
  tenant: string,
  records: readonly ReturnType<typeof recordOf>[],
  allowance?: number,
) {
  const collector = new UsageCollector(side, tenant);
  for (const record of records) collector.take(record);
  const usage = collector.usage();
  const found = await learn(side, tenant, usage, allowance);
  const csv = learnedCsv(found, { snapshot: side.engine.id, allowance });
  return { found, csv, usage };
}

describe('what is learned', () => {
  test.each([undefined, 0, 5])(
    'passes the loader, covers what was used and nothing else (allowance %s)',
    { timeout: 900_000 },
    async (allowance) => {
      let policies = 0;
      for (let seed = 0; seed < POLICIES; seed += 1) {
        const random = new Random(8100 + seed);
        const side = await randomSide(random);
        const records = await journalOf(random, side);
        const tenant = random.pick(['acme', 'acme', 'globex', 'fabric']);
        const { found, csv, usage } = await learned(side, tenant, records, allowance);
        if (found.roles.length === 0) continue;
        policies += 1;
        // Whoever reads the file finds rows, not mistakes.
        const proposed = await sideOf({ [tenant]: csv }, { fabric: side.engine.fabric });
        const { rules } = proposed;

        const replay = await Replay.of({ rules, engine: proposed.engine });
        for (const record of records) {
          if (record.tenant !== tenant || record.verdict === 'deny') continue;
          // The mandatory rows of the fixture are stricter than those of the random policy: grants are what counts here.
          const flip = replay.take(record);
          const grants = flip?.because.filter(
            ({ text }) => text.startsWith('nothing grants') || text.startsWith('denied on'),
          );
          expect({ seed, grants: grants ?? [] }).toEqual({ seed, grants: [] });
        }

        // Nothing that the policy did not give, whoever asks with whatever names.
        const mine = { ...side.rules, grants: side.rules.grants.filter(({ row }) => row[1] === tenant) };
        const diff = await diffPolicies({ rules: mine, engine: side.engine }, { rules, engine: proposed.engine });
        // A slug gives its command in every reading: the log that was not read is the one thing more.
        const isLog = (commands: readonly string[]): boolean => commands.every((text) => text.startsWith('get-log ('));
        const gifts = diff.grants.filter(({ kind, commands }) => kind === 'widened' && !isLog(commands));
        if (allowance === undefined || allowance === 0) expect({ seed, gifts }).toEqual({ seed, gifts: [] });

        if (allowance !== undefined) continue;
        // And nothing that was not used: each name gets what was used in it, and what everybody of the tenant used.
        const used = new Set(usage.uses.map(({ holder, command, resource }) => `${holder} ${command} ${resource}`));
        const selections = selectionsOf([proposed], false);
        const universe = new Universe(
          [side.engine.fabric],
          rules.grants.map(({ row }) => row[2]),
        );
        for (const holder of new Set(usage.uses.map((use) => use.holder))) {
          const caller = madeUpCaller(tenant, [holder], () => false);
          for (const { path } of universe.of(tenant)) {
            const gate = gateOf(side.engine.fabric, tenant, path);
            for (const atom of selections.atoms) {
              const [ref] = atom.refs;
              if (ref === undefined) continue;
              if (gate !== 'all' || !proposed.engine.grant(caller, path, ref).allowed) continue;
              const slug = atom.slug ?? '';
              const isUsed =
                used.has(`${holder} ${slug} ${path}`) || used.has(`group:tenant/${tenant} ${slug} ${path}`);
              expect({ seed, holder, slug, path, isUsed }).toMatchObject({ isUsed: true });
            }
          }
        }
      }
      expect(policies).toBeGreaterThan(POLICIES / 3);
    },
  );
});
