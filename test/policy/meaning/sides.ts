import { createEngine } from '../../../src/policy/casbin/index.ts';
import type { PolicyRules } from '../../../src/policy/casbin/rules.ts';
import type { Side } from '../../../src/policy/meaning/index.ts';
import { openPolicy } from '../../../src/policy/trace/index.ts';
import type { Fabric } from '../../../src/policy/types.ts';
import { type Random, randomRules } from '../casbin/random-policy.ts';
import { fabricOf, sourceOf } from '../load/fixture.ts';

/** A policy of these tenants' rows with the shipped mandatory rows. */
export async function sideOf(
  tenants: Readonly<Record<string, string>>,
  more: { readonly fabric?: Fabric; readonly mandatory?: string; readonly profile?: 'host' | 'bmc' } = {},
): Promise<Side> {
  const loaded = await openPolicy(sourceOf({ tenants, ...more }));
  if (!loaded.ok)
    throw new Error(loaded.error.map(({ message, file, line }) => `${file}:${line}: ${message}`).join('\n'));
  return loaded.value;
}

export async function engineSide(rules: PolicyRules, fabric: Fabric): Promise<Side> {
  return { rules, engine: await createEngine({ id: 'random', rules, fabric }) };
}

/** The shipped objects, owned by other tenants. */
export function randomFabric(random: Random): Fabric {
  const owned: Record<string, string[]> = { acme: [], globex: [] };
  const give = (path: string): void => {
    if (random.int(3) > 0) owned[random.pick(['acme', 'globex'])]?.push(path);
  };
  for (const id of [0, 1, 2, 4, 5]) give(`/switches/sw0/ports/${id}`);
  for (const ld of [0, 1, 2, 3]) give(`/switches/sw0/ports/3/lds/${ld}`);
  for (const id of [0, 1]) give(`/switches/sw0/vcss/${id}`);
  const tenants = Object.entries(owned).map(([tenant, paths]) => {
    const list = paths.map((path) => `      - ${path}\n`).join('');
    return `  ${tenant}:\n    owns:${list === '' ? ' []' : `\n${list.trimEnd()}`}\n`;
  });
  return fabricOf(`switches:
  sw0:
    ports:
      - { ids: 0-2 }
      - { ids: 3, lds: 4 }
      - { ids: 4-5 }
    vcss:
      - { ids: 0-1, vppbs: 2 }
tenants:
${tenants.join('')}`);
}

/** The one row that allows: without it every command is denied. */
const BASE: PolicyRules['mandatory'] = [
  {
    file: 'mandatory.csv',
    line: 1,
    row: ['A0', '*', '*', '*', '*', '*', '*', '*', 'allow', 'the base'],
    command: { selectors: [{ kind: 'any' }], conditions: [] },
  },
];

/** Random rows over a random fabric; now and then one that names what no fabric file lists. */
export async function randomSide(random: Random, fabric: Fabric = randomFabric(random)): Promise<Side> {
  const rules = randomRules(random, fabric);
  const grants = rules.grants.map((rule) => {
    if (random.int(12) > 0) return rule;
    const path = random.pick([
      '/switches/sw0/ports/2/heads/1',
      '/switches/sw0/ports/3/tags/00000000-0000-0000-0000-00000000000a',
    ]);
    const [role, tenant, , command, effect] = rule.row;
    return { ...rule, row: [role, tenant, path, command, effect] as const };
  });
  return engineSide({ ...rules, grants, mandatory: BASE }, fabric);
}
