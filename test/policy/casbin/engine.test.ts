import { Enforcer } from 'casbin';
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { commandText, commandOf as known, parseCommandText } from '../../../src/policy/casbin/command.ts';
import { nearestMiss } from '../../../src/policy/casbin/explain.ts';
import { GrantMemo } from '../../../src/policy/casbin/grant-memo.ts';
import { createEngine, createReference } from '../../../src/policy/casbin/index.ts';
import { parseCommandColumn } from '../../../src/policy/casbin/mandatory-columns.ts';
import { RangeIndex } from '../../../src/policy/casbin/range-index.ts';
import { coveringPatterns, coversPath } from '../../../src/policy/casbin/resource.ts';
import { grantProblem, isProblem, parseSelector } from '../../../src/policy/casbin/selector.ts';
import { createSelects } from '../../../src/policy/casbin/selects.ts';
import { Slices } from '../../../src/policy/casbin/slices.ts';
import { Verdicts } from '../../../src/policy/casbin/verdicts.ts';
import type { CommandRef, MandatoryFacts } from '../../../src/policy/engine.ts';
import { callerOf, commandOf, engineOf, fabric, rawOf } from '../load/fixture.ts';
import { Random, randomCommand } from './random-policy.ts';

const bind = commandOf('bind-vppb');
const own = '/switches/sw0/vcss/0/vppbs/1';
const text = `
p, role:reader, acme, own, class:allowlisted, allow
p, role:operator, acme, own, set:virtual-switch, allow
p, role:guest, acme, /switches/sw0/vcss/0/*, bind-vppb, allow
p, role:careful, acme, own, unbind-vppb, deny
p, role:vendor, acme, own, opcode:0xc000-0xc0ff, allow
p, role:medic, acme, own, inject-poison, allow
p, role:boss, acme, own, unbind-vppb, allow
g, role:operator, role:reader, acme
g, role:boss, role:operator, acme
g, role:chief, role:boss, acme
g, group:https://cci-broker.local/dev#operators, role:operator, acme
g, group:https://cci-broker.local/dev#careful, role:careful, acme
`;
const engine = await engineOf({ tenants: { acme: text } });
const operator = callerOf('acme', { groups: ['operators'] });

describe('whoami', () => {
  test('shows the roles of a caller, those of roles too, sorted', () => {
    expect(engine.roles(operator)).toEqual(['role:operator', 'role:reader']);
    expect(engine.roles(callerOf('acme'))).toEqual([]);
    expect(engine.roles(callerOf('globex', { groups: ['operators'] }))).toEqual([]);
  });

  test('counts rows, tenants and roles', () => {
    expect(engine.counters).toEqual({ rules: 7 + 5 + 19, tenants: 3, roles: 8 });
  });
});

describe('the nearest miss', () => {
  const missing = (caller: typeof operator, resource: `/switches/${string}`, command: CommandRef) =>
    engine.nearestMiss(caller, resource, command)?.missing;

  test('names what one row lacked', () => {
    expect(engine.nearestMiss(callerOf('acme'), own, bind)).toEqual({
      source: 'tenants/acme.csv:3',
      text: 'p, role:operator, acme, own, set:virtual-switch, allow',
      missing: 'the caller does not have `role:operator`',
    });
    expect(missing(operator, '/switches/sw0/ports/4', bind)).toBe("the resource is not the caller's own");
    expect(missing(operator, own, commandOf('generate-aer-event', 'raw'))).toBe(
      'a raw command is granted by its opcode alone',
    );
    expect(missing(operator, own, { ...bind, grant: 'slug-only' })).toBe('this command is granted by its slug alone');
    expect(missing(operator, own, { ...bind, grant: 'never' })).toBe("this command can't be granted");
    expect(missing(operator, own, commandOf('get-lsa'))).toBe('the row is about `class:allowlisted`');
  });

  test('names a denying row where everything else fits', () => {
    const both = callerOf('acme', { groups: ['operators', 'careful'] });
    expect(missing(both, own, commandOf('unbind-vppb'))).toBe(
      'everything fits, but the row at tenants/acme.csv:5 denies it',
    );
  });

  test('is nothing for what is allowed, and where no row is near', () => {
    expect(missing(operator, own, bind)).toBeUndefined();
    expect(missing(callerOf('globex'), own, bind)).toBeUndefined();
  });

  test('names several things when several lack', async () => {
    const far = await engineOf({ tenants: { acme: 'p, role:a, acme, /switches/sw0/ports/2, bind-vppb, allow' } });
    expect(far.nearestMiss(callerOf('acme'), '/switches/sw0/ports/4', bind)?.missing).toBe(
      'the row is about `/switches/sw0/ports/2`; the caller does not have `role:a`',
    );
    expect(far.nearestMiss(callerOf('acme'), '/switches/sw0/ports/4', rawOf(0xc000))).toBeUndefined();
  });

  test('says so when it can not name the denying row', () => {
    const selector = parseSelector('bind-vppb');
    if (isProblem(selector)) throw new Error('no selector');
    const rule = {
      order: 0,
      file: 'f',
      line: 1,
      row: ['role:a', 'acme', 'own', 'bind-vppb', 'allow'],
      selector,
    } as const;
    const miss = nearestMiss({
      rules: [rule],
      tenant: 'acme',
      roles: new Set(['role:a']),
      resource: own,
      isOwn: true,
      command: known(bind),
      deniedBy: undefined,
    });
    expect(miss?.missing).toMatch(/another place/);
  });
});

describe('roles that could', () => {
  test('are those whose rows would do, by themselves or through other roles', () => {
    expect(engine.rolesThatCould(callerOf('acme'), own, bind)).toEqual([
      'role:boss',
      'role:chief',
      'role:guest',
      'role:operator',
    ]);
    expect(engine.rolesThatCould(callerOf('acme'), own, commandOf('inject-poison'))).toEqual(['role:medic']);
    expect(engine.rolesThatCould(callerOf('acme'), own, rawOf(0xc010))).toEqual(['role:vendor']);
    expect(engine.rolesThatCould(callerOf('acme'), '/switches/sw0/ports/4', bind)).toEqual([]);
    expect(engine.rolesThatCould(callerOf('globex'), '/switches/sw0/ports/4', bind)).toEqual([]);
  });

  test('are none where what the caller has takes it away', () => {
    expect(engine.rolesThatCould(callerOf('acme', { groups: ['careful'] }), own, commandOf('unbind-vppb'))).toEqual([]);
  });
});

describe('commands', () => {
  test.each([
    ['slug of another opcode', { ...bind, slug: 'unbind-vppb' }],
    ['set of another opcode', { ...bind, set: 'features' }],
    ['opcode too wide', { ...bind, opcode: 0x1_5201 }],
    ['opcode that is no integer', { ...bind, opcode: 1.5 }],
    ['scope too high', { ...bind, scope: 4 }],
    ['unknown class', { ...bind, class: 'trusted' }],
    ['slug of two words', { opcode: 0xc010, slug: 'a b', class: 'audited', scope: 0 }],
    ['empty slug', { opcode: 0xc010, slug: '', class: 'audited', scope: 0 }],
  ])('a reference with a %s is never decided', (_name, ref) => {
    expect(() => engine.grant(operator, own, ref as CommandRef)).toThrow(RangeError);
  });

  test('what is text for casbin is the same command when read back', () => {
    const random = new Random(1);
    for (let i = 0; i < 1000; i += 1) {
      const command = known(randomCommand(random));
      expect(parseCommandText(commandText(command))).toEqual(command);
    }
  });

  test('a reviewed vendor command has a slug and a set of its own', () => {
    const vendor = { opcode: 0xc010, slug: 'vendor-health', set: 'vendor', class: 'audited', scope: 1 } as const;
    expect(commandText(known(vendor))).toBe('0xc010 vendor-health vendor audited 1 any');
  });

  test('no row is too little for a caller of the reference or the catalogue to make wider', () => {
    expect(known({ opcode: 0x4301, class: 'audited', scope: 2 }).grant).toBe('slug-only');
    expect(known({ opcode: 0x45ff, class: 'raw', scope: 3 }).grant).toBe('never');
    expect(known({ opcode: 0x46ff, class: 'raw', scope: 3 }).grant).toBe('never');
    expect(known({ opcode: 0x47ff, class: 'raw', scope: 3 }).grant).toBe('any');
    expect(known({ ...bind, grant: 'slug-only' }).grant).toBe('slug-only');
  });

  test('a slug without a row is no grant', () => {
    expect(grantProblem({ kind: 'slug', slug: 'no-such', opcode: 1 })?.code).toBe('unknown-command');
  });
});

describe('the one function of the matchers', () => {
  test('refuses what the loader would not have let in', () => {
    const selects = createSelects();
    expect(() => selects('command', 'bind-vpb', 'x', 'allow')).toThrow(/unknown command/);
    expect(() => selects('rule', '* if tired', 'x', 'deny')).toThrow(/unknown condition/);
    expect(() => selects('level', 'high', 'none', 'deny')).toThrow(/lockdown level/);
    expect(() => selects('colour', 'red', 'red', 'deny')).toThrow(/unknown column/);
    expect(() => selects('resource', '', 'x', 'allow')).toThrow(TypeError);
    expect(() => selects('resource', 'x', '', 'allow')).toThrow(TypeError);
    expect(() => selects('resource', 'x', 'x', '')).toThrow(TypeError);
  });

  test('the patterns filed for a path are exactly those that cover it', () => {
    for (const path of fabric.objects) {
      const covering = new Set(coveringPatterns(path));
      for (const other of fabric.objects) {
        for (const pattern of [other, `${other}/*`]) expect(coversPath(pattern, path)).toBe(covering.has(pattern));
      }
    }
  });
});

describe('ranges of opcodes', () => {
  test('are found by any opcode inside them, and only then', () => {
    const range = fc.tuple(fc.nat(60), fc.nat(20)).map(([first, length]) => ({ first, last: first + length }));
    fc.assert(
      fc.property(fc.array(range, { maxLength: 30 }), fc.nat(80), (ranges, at) => {
        const found = new Set<unknown>();
        new RangeIndex(ranges).find(at, (one) => found.add(one));
        expect(found).toEqual(new Set(ranges.filter(({ first, last }) => first <= at && at <= last)));
      }),
    );
  });
});

describe('memory', () => {
  test('of verdicts is bounded: when full it starts anew and forgets nothing that matters', () => {
    const memo = new GrantMemo(100);
    for (let i = 0; i < 1000; i += 1) {
      const caller = memo.caller('acme', [`user:x#${i}`], () => [`role:r${i}`]);
      expect(caller.roles).toEqual([`role:r${i}`]);
      expect(memo.get(caller, own, bind)).toBeUndefined();
      memo.set(caller, own, bind, { resource: own, allowed: true });
      expect(memo.get(caller, own, bind)?.allowed).toBe(true);
    }
  });

  test('of mandatory answers is bounded', async () => {
    const facts: MandatoryFacts = {
      level: 'none',
      underLockdown: 'allow',
      taint: [],
      profile: 'bmc',
      tenant: 'fabric',
      reach: 'own',
      command: rawOf(0xc000),
      conditions: new Set(),
    };
    for (let opcode = 0xb000; opcode < 0xf100; opcode += 1)
      expect(engine.mandatory({ ...facts, command: rawOf(opcode) })).toEqual([]);
    expect(engine.mandatory({ ...facts, level: 'integrity', command: rawOf(0xb000) }).map(({ id }) => id)).toEqual([
      'L1',
    ]);
  });

  test('holds a verdict that nobody can change', () => {
    const verdict = engine.grant(operator, own, bind);
    expect(Object.isFrozen(verdict)).toBe(true);
    expect(engine.grant(operator, own, { ...bind })).toBe(verdict);
  });

  test('of names is bounded', () => {
    for (let i = 0; i < 10_100; i += 1) engine.roles(callerOf('acme', { subject: `s${i}` }));
    expect(engine.roles(operator)).toHaveLength(2);
  });
});

describe('casbin, given rows that no index would have chosen', () => {
  const links = [{ name: 'group:tenant/acme', role: 'role:a', tenant: 'acme' }];

  test.each([
    ['another path of the same owner', ['role:a', 'acme', '/switches/sw0/ports/2', 'bind-vppb', 'allow']],
    ["another owner's object", ['role:a', 'globex', 'own', 'bind-vppb', 'allow']],
    ['another role', ['role:b', 'acme', 'own', 'bind-vppb', 'allow']],
    ['another command', ['role:a', 'acme', 'own', 'unbind-vppb', 'allow']],
    ['another effect', ['role:a', 'acme', 'own', 'bind-vppb', 'Allow']],
  ])('denies by a row about %s', async (_name, row) => {
    const verdicts = await Verdicts.create(links, fabric, new Slices());
    const request = { principal: 'user:x#y', tenant: 'acme', resource: own, command: commandText(known(bind)) };
    expect(verdicts.grant([row], ['user:x#y', 'group:tenant/acme'], request).allowed).toBe(false);
    const right = ['role:a', 'acme', 'own', 'bind-vppb', 'allow'];
    expect(verdicts.grant([row, right], ['user:x#y', 'group:tenant/acme'], request)).toEqual({
      allowed: true,
      row: right,
    });
    expect(verdicts.grant([right], ['user:x#y'], request).allowed).toBe(false);
  });
});

test('casbin itself asks whose an object is before a row about `own` counts', async () => {
  const verdicts = await Verdicts.create(
    [{ name: 'group:tenant/acme', role: 'role:a', tenant: 'acme' }],
    fabric,
    new Slices(),
  );
  const row = ['role:a', 'acme', 'own', 'bind-vppb', 'allow'];
  const on = (resource: string): boolean => {
    const request = { principal: 'user:x#y', tenant: 'acme', resource, command: commandText(known(bind)) };
    return verdicts.grant([row], ['user:x#y', 'group:tenant/acme'], request).allowed;
  };
  expect([own, '/switches/sw0/ports/4', '/switches/sw0', '/switches/sw0/ports/99'].map(on)).toEqual([
    true,
    false,
    false,
    false,
  ]);
});

describe('a policy that no loader checked', () => {
  const facts: MandatoryFacts = {
    level: 'none',
    underLockdown: 'allow',
    taint: [],
    profile: 'bmc',
    tenant: 'fabric',
    reach: 'own',
    command: bind,
    conditions: new Set(),
  };

  test('denies everything when the row that allows is missing', async () => {
    const bare = await createEngine({ id: 'x', rules: { grants: [], links: [], mandatory: [], loosened: [] }, fabric });
    expect(bare.mandatory(facts).map(({ id, errno }) => `${id} ${errno}`)).toEqual(['A0 EPERM']);
    const command = parseCommandColumn('*');
    if ('code' in command) throw new Error('no column');
    const strange = {
      file: 'f',
      line: 1,
      row: ['Z1', '*', '*', '*', '*', '*', '*', '*', 'deny', 'x'] as const,
      command,
    };
    const odd = await createEngine({
      id: 'x',
      rules: { grants: [], links: [], mandatory: [strange], loosened: [] },
      fabric,
    });
    expect(odd.mandatory(facts).map(({ id, errno }) => `${id} ${errno}`)).toEqual(['Z1 EPERM', 'A0 EPERM']);
  });

  test('denies when casbin names a row that it was not given', () => {
    const spy = vi.spyOn(Enforcer.prototype, 'enforceExSync').mockReturnValue([false, ['L1']]);
    expect(engine.mandatory({ ...facts, conditions: new Set(['mutating']) }).map(({ id }) => id)).toEqual(['A0']);
    expect(engine.grant(callerOf('acme', { subject: 'new', groups: ['operators'] }), own, bind)).toEqual({
      resource: own,
      allowed: false,
    });
    spy.mockRestore();
  });
});

describe('the reference', () => {
  test('forgets callers when there are too many, and says the same after', async () => {
    const links = [{ name: 'group:tenant/acme', role: 'role:a', tenant: 'acme' }];
    const reference = await createReference({ grants: [], links, mandatory: [], loosened: [] }, fabric);
    for (let i = 0; i < 10_010; i += 1)
      expect(reference.grant(callerOf('acme', { subject: `s${i}` }), own, bind).allowed).toBe(false);
  });
});
