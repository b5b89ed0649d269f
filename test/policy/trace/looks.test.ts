import { describe, expect, test } from 'vitest';
import { builtinCommands } from '../../../src/cci/index.ts';
import type { MandatoryFacts } from '../../../src/policy/engine.ts';
import { openPolicy, RoleWays } from '../../../src/policy/tools.ts';
import { selectorWords } from '../../../src/policy/trace/grants.ts';
import { lookAtMandatory } from '../../../src/policy/trace/mandatory.ts';
import { callerOf, commandOf, shipped, sourceOf } from '../load/fixture.ts';

/** Ids of our own, one for each column of a mandatory row; every other column is open. */
const columns = `p2, P31, confidentiality, *, *, *, *, *, *, deny, level
p2, P32, *, X|B, *, *, *, *, *, deny, taint
p2, P33, *, *, bmc, *, *, *, *, deny, profile
p2, P34, *, *, *, raw, *, *, *, deny, class
p2, P35, *, *, *, *, >=2, *, *, deny, scope
p2, P36, *, *, *, *, *, >=switch, *, deny, reach
p2, P37, *, *, *, *, *, *, bind-vppb, deny, command
p2, P38, *, *, *, *, *, *, * if bound, deny, condition
p2, P39, *, *, *, *, *, *, identify if quirk, deny, both
p2, P40, *, *, *, *, *, *, * if caller-not-fabric, deny, caller
p2, P41, *, *, *, *, *, *, * if under-lockdown-reads, deny, reads
p2, P42, *, *, *, *, *, *, * if under-lockdown-off, deny, off
`;

describe('a mandatory row that is looked at', () => {
  const quiet: MandatoryFacts = {
    level: 'none',
    underLockdown: 'allow',
    taint: [],
    profile: 'host',
    tenant: 'fabric',
    reach: 'own',
    command: commandOf('identify'),
    conditions: new Set(),
  };
  const looked = async (facts: Partial<MandatoryFacts>) => {
    const policy = await openPolicy(sourceOf({ mandatory: `${shipped['mandatory.csv']}${columns}` }));
    if (!policy.ok) throw new Error(JSON.stringify(policy.error));
    const looks = lookAtMandatory(policy.value.rules.mandatory, { ...quiet, ...facts }, builtinCommands);
    return looks.filter(({ id }) => /^P[34]\d$/.test(id));
  };

  test('says which column keeps it from speaking', async () => {
    expect((await looked({})).map(({ id, denies, unfit }) => [id, denies, unfit])).toEqual([
      ['P31', false, 'level'],
      ['P32', false, 'taint'],
      ['P33', false, 'profile'],
      ['P34', false, 'class'],
      ['P35', false, 'scope'],
      ['P36', false, 'reach'],
      ['P37', false, 'command'],
      ['P38', false, 'command'],
      ['P39', false, 'command'],
      ['P40', false, 'command'],
      ['P41', false, 'command'],
      ['P42', false, 'command'],
    ]);
  });

  test.each<[string, Partial<MandatoryFacts>, readonly string[]]>([
    ['a level', { level: 'confidentiality' }, ['P31']],
    ['a level below', { level: 'integrity' }, []],
    ['a taint', { taint: ['B'] }, ['P32']],
    ['a taint among others', { taint: ['R', 'X'] }, ['P32']],
    ['another taint', { taint: ['R'] }, []],
    ['a profile', { profile: 'bmc' }, ['P33']],
    ['raw bytes', { command: { opcode: 0x0001, class: 'raw', scope: 0 } }, ['P34']],
    ['a scope', { command: { ...commandOf('identify'), scope: 2 } }, ['P35']],
    ['a reach', { reach: 'switch' }, ['P36']],
    ['a command', { command: commandOf('bind-vppb') }, ['P37']],
    ['a condition', { conditions: new Set(['bound'] as const) }, ['P38']],
    ['several conditions', { conditions: new Set(['mutating', 'bound', 'quirk'] as const) }, ['P38', 'P39']],
    ['a tenant', { tenant: 'acme' }, ['P40']],
    ['safe reads alone', { underLockdown: 'reads' }, ['P41']],
    ['nothing at all', { underLockdown: 'off' }, ['P42']],
  ])('denies what it is about: %s', async (_name, facts, ids) => {
    const denying = (await looked(facts)).filter(({ denies }) => denies);
    expect(denying.map(({ id }) => id)).toEqual(ids);
    expect(denying.every(({ unfit }) => unfit === undefined)).toBe(true);
  });

  test('has its place and its reason', async () => {
    const [first] = await looked({});
    const line = (shipped['mandatory.csv'] ?? '').split('\n').length;
    expect(first).toEqual({
      id: 'P31',
      source: `mandatory.csv:${line}`,
      reason: 'level',
      denies: false,
      unfit: 'level',
    });
  });

  test('is never the row that all others take away from', async () => {
    const policy = await openPolicy(sourceOf({}));
    if (!policy.ok) throw new Error(JSON.stringify(policy.error));
    const looks = lookAtMandatory(policy.value.rules.mandatory, quiet, builtinCommands);
    expect(looks.map(({ id }) => id)).not.toContain('A0');
    expect(looks).toHaveLength(policy.value.rules.mandatory.length - 1);
  });
});

test.each([
  [{ kind: 'slug', slug: 'bind-vppb', opcode: 0x5201 }, 'bind-vppb', 'the command bind-vppb'],
  [{ kind: 'console', word: 'console:tool' }, 'console:tool', 'the console `console:tool`'],
  [{ kind: 'set', set: 'logs' }, 'set:logs', 'the command set logs'],
  [{ kind: 'class', class: 'allowlisted' }, 'class:allowlisted', 'the safe reads'],
  [{ kind: 'class', class: 'raw' }, 'class:raw', 'the commands of class raw'],
  [{ kind: 'scope', min: 0, max: 1 }, 'scope:<=1', 'the commands of scope:<=1'],
  [{ kind: 'opcode', first: 1, last: 2 }, 'opcode:0x0001-0x0002', 'commands by number, opcode:0x0001-0x0002'],
] as const)('a COMMAND column is put into words: %j', (selector, text, words) => {
  expect(selectorWords(selector, text)).toBe(words);
});

describe('the way to a role', () => {
  const link = (name: string, role: string, tenant = 'acme') => ({ name, role, tenant });
  const everybody = 'group:tenant/acme';
  const alice = callerOf('acme', { groups: ['ops'] });
  const ops = 'group:https://cci-broker.local/dev#ops';

  test('is the shortest, nearest roles first, and ends where roles have each other', () => {
    const ways = new RoleWays([
      link('role:a', 'role:b'),
      link('role:b', 'role:c'),
      link('role:c', 'role:a'),
      link(ops, 'role:a'),
      link(everybody, 'role:c'),
      link('group:other', 'role:d'),
      link(ops, 'role:z', 'globex'),
    ]).waysOf(alice);
    expect(ways.map(({ role, links }) => [role, links.map(({ name }) => name)])).toEqual([
      ['role:a', [ops]],
      ['role:c', [everybody]],
      ['role:b', [ops, 'role:a']],
    ]);
  });

  test('uses every row between the caller and the role, and no other', () => {
    const rows = [
      link(ops, 'role:a'),
      link('role:a', 'role:b'),
      link(everybody, 'role:b'),
      link('role:b', 'role:c'),
      link('role:b', 'role:a'),
      link(ops, 'role:d'),
      link('group:other', 'role:b'),
      link('role:c', 'role:e'),
      link(ops, 'role:b', 'globex'),
    ];
    expect(new RoleWays(rows).usedFor(alice, 'role:b')).toEqual([rows[0], rows[1], rows[2], rows[4]]);
    expect(new RoleWays(rows).usedFor(alice, 'role:c')).toEqual([rows[0], rows[1], rows[2], rows[3], rows[4]]);
    expect(new RoleWays(rows).usedFor(alice, 'role:nobody')).toEqual([]);
    expect(new RoleWays(rows).waysOf(callerOf('initech'))).toEqual([]);
  });
});
