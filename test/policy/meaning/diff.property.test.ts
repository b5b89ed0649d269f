import { describe, expect, test } from 'vitest';
import { hex16 } from '../../../src/cci/index.ts';
import type { Atom } from '../../../src/policy/meaning/atoms.ts';
import { Callers } from '../../../src/policy/meaning/callers.ts';
import { Changes } from '../../../src/policy/meaning/change.ts';
import { diffPolicies } from '../../../src/policy/meaning/index.ts';
import { gateOf, Universe } from '../../../src/policy/meaning/resources.ts';
import { type Side, selectionsOf } from '../../../src/policy/meaning/sides.ts';
import { rowsByTenant, TenantTable } from '../../../src/policy/meaning/tenant-table.ts';
import type { Principal } from '../../../src/policy/types.ts';
import { Random } from '../casbin/random-policy.ts';
import { callerOf } from '../load/fixture.ts';
import { randomSide } from './sides.ts';

const POLICIES = Number(process.env.MEANING_POLICIES ?? 12);
const groups = ['one', 'two', 'three'];

/** Every caller that the random rows can tell apart. */
function everyCaller(tenant: string): readonly Principal[] {
  const subsets = Array.from({ length: 8 }, (_, bits) => groups.filter((_group, i) => (bits >> i) % 2 === 1));
  return ['alice', 'bob', 'carol'].flatMap((subject) =>
    subsets.map((each) => callerOf(tenant, { subject, groups: each })),
  );
}

function isAllowed(number: number, side: Side, caller: Principal, path: `/switches/${string}`, atom: Atom): boolean {
  const ref = atom.refs[number];
  if (ref === undefined) return false;
  const gate = gateOf(side.engine.fabric, caller.tenant, path);
  if (gate === 'none' || (gate === 'query' && !atom.query)) return false;
  return side.engine.grant(caller, path, ref).allowed;
}

describe('a diff says what asking the engine for everybody says', () => {
  test(`over ${POLICIES} pairs of random policies and fabrics, every caller, object and command`, {
    timeout: 900_000,
  }, async () => {
    let widened = 0;
    for (let seed = 0; seed < POLICIES; seed += 1) {
      const random = new Random(7000 + seed);
      const before = await randomSide(random);
      // Half of the pairs share the fabric, so that rows alone differ.
      const after = await randomSide(random, random.int(2) === 0 ? before.engine.fabric : undefined);
      const sides = [before, after];
      const selections = selectionsOf(sides, true);
      const callers = await Callers.of(sides.map(({ rules }) => rules.links));
      const universe = new Universe(
        sides.map(({ engine }) => engine.fabric),
        sides.flatMap(({ rules }) => rules.grants.map(({ row }) => row[2])),
      );
      let any = { widened: false, narrowed: false };
      for (const [tenant, rows] of rowsByTenant(sides.map(({ rules }) => rules.grants))) {
        const table = new TenantTable(rows, selections);
        const changes = new Changes(callers.classes(tenant), 2);
        for (const resource of universe.classes(tenant, (side, pattern) => rows.has(side, pattern))) {
          const [was = [], is = []] = [table.cells(resource, 0), table.cells(resource, 1)];
          for (const [block, { atoms }] of table.commands.entries()) {
            const [a, b] = [was[block], is[block]];
            if (a === undefined || b === undefined) throw new Error('a command class without a cell');
            const member = random.pick(resource.members);
            const atom = selections.atoms[random.pick(atoms)];
            if (atom === undefined) throw new Error('no atom');
            const asked = everyCaller(tenant).map(
              (caller) =>
                [
                  isAllowed(0, before, caller, member.path, atom),
                  isAllowed(1, after, caller, member.path, atom),
                ] as const,
            );
            const gained = asked.some(([past, now]) => now && !past);
            const lost = asked.some(([past, now]) => past && !now);
            const [gain, loss] = [changes.gain(a, b), changes.loss(a, b)].map(
              ({ everybody, names, pairs }) => everybody || names.length + pairs.length > 0,
            );
            if (gain !== gained || loss !== lost) {
              expect({ seed, tenant, path: member.path, opcode: hex16(atom.first), gain, loss }).toEqual({
                seed,
                tenant,
                path: member.path,
                opcode: hex16(atom.first),
                gain: gained,
                loss: lost,
              });
            }
            any = { widened: any.widened || gained, narrowed: any.narrowed || lost };
          }
        }
      }
      const diff = await diffPolicies(before, after);
      expect({ seed, widened: diff.widened, narrowed: diff.narrowed }).toEqual({ seed, ...any });
      if (any.widened) widened += 1;
    }
    expect(widened).toBeGreaterThan(POLICIES / 4);
  });

  test('a policy means the same as itself', async () => {
    for (let seed = 0; seed < 10; seed += 1) {
      const side = await randomSide(new Random(seed));
      expect(await diffPolicies(side, side)).toMatchObject({
        widened: false,
        narrowed: false,
        grants: [],
        mandatory: [],
      });
    }
  });
});
