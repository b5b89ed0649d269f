import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { createReference } from '../../../src/policy/casbin/index.ts';
import { type CommandRef, engineOf, readPolicy } from '../../../src/policy/index.ts';
import { callerOf, fabric, shipped } from '../load/fixture.ts';
import { Random } from './random-policy.ts';

// Engine and reference understand reviewed vendor commands each by its own means, and must agree on them.

const CASES = Number(process.env.DIFFERENTIAL_CASES ?? 50_000) / 10;
const slugs = ['northbay-get-port-temperature', 'northbay-set-retimer-preset'] as const;
const commands = Object.fromEntries(
  slugs.map((slug) => [`commands.d/${slug}.yaml`, readFileSync(`test/policy/load/commands/${slug}.yaml`, 'utf8')]),
);
const selectors = [
  ...slugs,
  'set:vendor',
  'set:northbay',
  'set:virtual-switch',
  'class:audited',
  'class:allowlisted',
  'scope:1',
  'scope:>=2',
  'scope:<=3',
  'opcode:0xc010',
  'opcode:0xc000-0xffff',
  'opcode:0x5200-0xc010',
  'bind-vppb',
];
const refs: readonly CommandRef[] = [
  { opcode: 0xc010, slug: slugs[0], set: 'vendor', class: 'audited', scope: 1 },
  { opcode: 0xc010, slug: slugs[0], set: 'vendor', class: 'raw', scope: 1 },
  { opcode: 0xc0ff, slug: slugs[1], set: 'northbay', class: 'audited', scope: 3 },
  { opcode: 0xc0ff, slug: slugs[1], set: 'northbay', class: 'raw', scope: 3 },
  { opcode: 0xc011, class: 'raw', scope: 3 },
  { opcode: 0x5201, slug: 'bind-vppb', set: 'virtual-switch', class: 'audited', scope: 0 },
  { opcode: 0x5201, slug: 'bind-vppb', set: 'virtual-switch', class: 'raw', scope: 0 },
];
const resources = ['/switches/sw0/ports/2', '/switches/sw0/ports/4', '/switches/sw0/vcss/0'] as const;

test(`verdict and deciding row of ${CASES} grants of vendor commands`, { timeout: 60_000 + CASES }, async () => {
  const random = new Random(20_261_123);
  const seen = { allowed: 0, denied: 0, nothing: 0 };
  for (let done = 0; done < CASES; done += 250) {
    const rows = new Set(
      Array.from({ length: 1 + random.int(8) }, () => {
        const resource = random.pick(['own', '/switches/*', resources[0]]);
        return `p, ${random.pick(['role:a', 'role:b'])}, acme, ${resource}, ${random.pick(selectors)}, ${random.int(4) === 0 ? 'deny' : 'allow'}`;
      }),
    );
    const links =
      'p, role:a, acme, own, identify, allow\np, role:b, acme, own, identify, allow\ng, group:tenant/acme, role:a, acme\ng, group:https://cci-broker.local/dev#b, role:b, acme\n';
    const files = {
      'model.conf': shipped['model.conf'] ?? '',
      'mandatory.csv': `${shipped['mandatory.csv']}p2, L20, *, *, *, *, *, *, ${random.pick(selectors)}, deny, a row of ours\n`,
      ...commands,
      'tenants/acme.csv': `${[...rows].join('\n')}\n${links}`,
    };
    const read = await readPolicy({ files, fabric, profile: 'host', today: '2026-11-23' });
    if (!read.ok) throw new Error(read.error[0]?.message);
    const engine = await engineOf(read.value, fabric);
    const reference = await createReference(read.value.rules, fabric);
    for (let i = 0; i < 250; i += 1) {
      const caller = callerOf('acme', { groups: random.int(2) === 0 ? ['b'] : [] });
      const [resource, command] = [random.pick(resources), random.pick(refs)];
      const said = engine.grant(caller, resource, command);
      const wanted = reference.grant(caller, resource, command);
      const about = `${resource} ${JSON.stringify(command)}\n${files['tenants/acme.csv']}`;
      expect([said.allowed, said.rule?.source], about).toEqual([wanted.allowed, wanted.rule?.source]);
      seen[said.allowed ? 'allowed' : said.rule === undefined ? 'nothing' : 'denied'] += 1;
      const facts = {
        level: 'none',
        underLockdown: 'allow',
        taint: [],
        profile: 'bmc',
        tenant: 'acme',
        reach: 'own',
        command,
        conditions: new Set<never>(),
      } as const;
      expect(engine.mandatory(facts)[0]?.source, about).toBe(reference.mandatory(facts).source);
    }
  }
  for (const count of Object.values(seen)) expect(count).toBeGreaterThan(CASES / 50);
});
