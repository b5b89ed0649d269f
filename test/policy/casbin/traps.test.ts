import { Enforcer, newEnforcer, newModelFromString, StringAdapter, Util } from 'casbin';
import { describe, expect, test, vi } from 'vitest';
import { modelText } from '../../../src/policy/casbin/model.ts';
import { createSelects } from '../../../src/policy/casbin/selects.ts';
import { loadPolicy } from '../../../src/policy/load/index.ts';
import type { Principal, ResourcePath } from '../../../src/policy/types.ts';
import { cpuTimeMs } from '../../support/cpu-time.ts';
import { callerOf, commandOf, engineOf, fabric, ISSUER, mistakesOf, shipped, sourceOf } from '../load/fixture.ts';

/**
 * What casbin does that would hurt here, each shown as impossible. Where it is cheap to show, the behaviour of casbin
 * itself stands beside it, so that a new version of it which behaves better is noticed.
 */

const grantAll = 'p, role:operator, acme, own, bind-vppb, allow\ng, group:tenant/acme, role:operator, acme\n';
const own: ResourcePath = '/switches/sw0/vcss/0/vppbs/1';
const bind = commandOf('bind-vppb');
const alice = callerOf('acme');

describe('casbin trap', () => {
  test('1, empty request fields: nobody asking for nothing is not allowed', async () => {
    const engine = await engineOf({ tenants: { acme: grantAll } });
    const empty: Principal = { ...alice, name: '', names: [''], tenant: '' };
    expect(engine.grant(empty, '' as ResourcePath, bind).allowed).toBe(false);
    expect(engine.grant({ ...alice, tenant: '' }, own, bind).allowed).toBe(false);
    expect(engine.grant({ ...alice, names: [] }, own, bind).allowed).toBe(false);
    expect(engine.grant({ ...alice, names: [...alice.names, ''] }, own, bind).allowed).toBe(false);
    expect(engine.grant(alice, '' as ResourcePath, bind).allowed).toBe(false);
    expect(engine.roles(empty)).toEqual([]);
    expect(engine.rolesThatCould(empty, own, bind)).toEqual([]);
    expect(engine.nearestMiss(empty, own, bind)).toBeUndefined();
  });

  test('2, deny-only effect: a model that allows what no row speaks about is refused', async () => {
    const model = (shipped['model.conf'] ?? '').replace(/^e2 = .*$/m, 'e2 = !some(where (p.eft == deny))');
    expect((await mistakesOf({ model })).map(({ code }) => code)).toEqual(['deny-only-effect']);
    expect(modelText).toMatch(/^e = some\(where \(p\.eft == allow\)\)/m);
    expect(modelText).toMatch(/^e2 = some\(where \(p\.eft == allow\)\)/m);
  });

  test('3, failed reload: a policy that can not be loaded takes nothing from the one in force', async () => {
    const engine = await engineOf({ tenants: { acme: grantAll } });
    const failed = await loadPolicy(
      sourceOf({ tenants: { acme: `${grantAll}p, role:operator, acme, own, bind-vpb, deny\n` } }),
    );
    expect(failed.ok).toBe(false);
    expect(engine.grant(alice, own, bind).allowed).toBe(true);
    expect(engine.grant(callerOf('globex'), own, bind).allowed).toBe(false);
  });

  test('4, slow reload: decisions taken while another policy loads are those of the old one', async () => {
    const engine = await engineOf({ tenants: { acme: grantAll } });
    const rows = Array.from({ length: 20_000 }, (_, i) => `p, role:r${i}, acme, own, bind-vppb, deny\n`).join('');
    const loading = loadPolicy(sourceOf({ tenants: { acme: grantAll + rows } }));
    let isDone = false;
    void loading.then(() => {
      isDone = true;
    });
    let decisions = 0;
    for (; !isDone; decisions += 1) {
      expect(engine.grant(callerOf('acme', { subject: `u${decisions}` }), own, bind).allowed).toBe(true);
      await new Promise((resolve) => setImmediate(resolve));
    }
    // The load left room for them.
    expect(decisions).toBeGreaterThan(3);
    expect((await loading).ok).toBe(true);
  });

  test.each(['Deny', 'alow', 'DENY', 'deny ', '"deny"x', ''])(
    '5, mistyped effect: `%s` beside an allow is a mistake, not an allow',
    async (effect) => {
      const text = `${grantAll}p, role:operator, acme, own, unbind-vppb, ${effect}\n`;
      // Blanks around a field are not part of it.
      if (effect === 'deny ') expect(await mistakesOf({ tenants: { acme: text } })).toEqual([]);
      else expect((await mistakesOf({ tenants: { acme: text } })).length).toBe(1);
    },
  );

  test.each(['P', 'p1', 'g3', 'x', 'policy'])(
    '6, unknown section: a row that begins with `%s` is not dropped',
    async (section) => {
      const errors = await mistakesOf({
        tenants: { acme: `${grantAll}${section}, role:operator, acme, own, bind-vppb, deny\n` },
      });
      expect(errors.map(({ code }) => code)).toEqual(['unknown-section']);
    },
  );

  test.each(['p, role:operator, acme, own, bind-vppb', 'p, role:operator', 'g, group:tenant/acme, role:operator', 'p'])(
    '6, short row: `%s` is not taken',
    async (row) => {
      expect((await mistakesOf({ tenants: { acme: `${grantAll}${row}\n` } })).map(({ code }) => code)).toEqual([
        'field-count',
      ]);
    },
  );

  test('5, mistyped effect: a `Deny` that would deny nothing is refused', async () => {
    for (const effect of ['Deny', 'deni', 'DENY', 'Allow', 'alow', 'denyy']) {
      const tenants = { acme: `${grantAll}p, role:operator, acme, own, set:virtual-switch, ${effect}\n` };
      expect((await mistakesOf({ tenants })).map(({ code, line }) => `${code} ${line}`)).toEqual(['effect 3']);
    }
    // casbin on its own: the row is neither, and what it should have taken away stays.
    const bare = await bareOf('p, alice, acme, own, bind-vppb, allow\np, alice, acme, own, bind-vppb, Deny');
    expect(bare.enforceSync('alice', 'acme', 'own', 'bind-vppb')).toBe(true);
  });

  test('6, unknown section: a row under another letter is refused, not left out', async () => {
    for (const letter of ['p2', 'g2', 'P', 'q', 'deny']) {
      const tenants = { acme: `${grantAll}${letter}, role:operator, acme, own, bind-vppb, deny\n` };
      expect((await mistakesOf({ tenants })).map(({ line }) => line)).toEqual([3]);
    }
    // casbin on its own drops it without a word.
    const bare = await bareOf('p, alice, acme, own, bind-vppb, allow\nq, alice, acme, own, bind-vppb, deny');
    expect(bare.enforceSync('alice', 'acme', 'own', 'bind-vppb')).toBe(true);
  });

  test('6, short row: a row that lacks a field is refused, whichever it is', async () => {
    const whole = ['p', 'role:operator', 'acme', 'own', 'bind-vppb', 'deny'];
    for (let length = 1; length < whole.length; length += 1) {
      const tenants = { acme: `${grantAll}${whole.slice(0, length).join(', ')}\n` };
      expect((await mistakesOf({ tenants })).map(({ code, line }) => `${code} ${line}`)).toEqual(['field-count 3']);
    }
    const link = await mistakesOf({ tenants: { acme: `${grantAll}g, group:tenant/acme, role:operator\n` } });
    expect(link.map(({ code, line }) => `${code} ${line}`)).toEqual(['field-count 3']);
    // casbin on its own takes a `p` without an effect, for an allow.
    const bare = await bareOf('p, alice, acme, own, bind-vppb');
    expect(bare.enforceSync('alice', 'acme', 'own', 'bind-vppb')).toBe(true);
  });

  test('7, switched-off enforcement: neither a switch nor a bare `true` from casbin allows anything', async () => {
    const engine = await engineOf({ tenants: { acme: grantAll } });
    for (const answer of [true, [true], [true, []], [1, ['x']], ['true', []], undefined, [true, [...'aaaaa']]]) {
      const spy = vi.spyOn(Enforcer.prototype, 'enforceExSync').mockReturnValue(answer as [boolean, string[]]);
      expect(engine.grant(callerOf('acme', { subject: `u${JSON.stringify(answer)}` }), own, bind).allowed).toBe(false);
      spy.mockRestore();
    }
    const enforcers: Enforcer[] = [];
    const spy = vi.spyOn(Enforcer.prototype, 'enforceExSync').mockImplementation(function (this: Enforcer) {
      enforcers.push(this);
      return [false, []];
    });
    engine.grant(callerOf('acme', { subject: 'bob' }), own, bind);
    spy.mockRestore();
    expect(() => enforcers[0]?.enableEnforce(false)).toThrow(/cannot be switched/);
    expect(engine.grant(callerOf('acme', { subject: 'carol' }), own, commandOf('unbind-vppb')).allowed).toBe(false);
  });

  test('8, loose `==`: a number, an array and a text that look alike are three things', async () => {
    const engine = await engineOf({
      tenants: { acme: `${grantAll}p, role:operator, acme, own, opcode:0xc010, allow\n` },
    });
    expect(modelText).not.toMatch(/[^=!]==[^=].*\n?.*matchers/);
    expect(modelText.slice(modelText.indexOf('[matchers]'))).not.toMatch(/[^=]==[^=]/);
    expect(engine.grant({ ...alice, tenant: ['acme'] as unknown as string }, own, bind).allowed).toBe(false);
    expect(() => engine.grant(alice, own, { ...bind, opcode: '20993' as unknown as number })).toThrow(RangeError);
    const selects = createSelects();
    expect(() => selects('command', 'opcode:0x5201', 0x5201 as unknown as string, 'allow')).toThrow(TypeError);
    expect(() => selects('resource', own, [own] as unknown as string, 'allow')).toThrow(TypeError);
  });

  test('9, unbounded patterns: no text takes the matcher long', () => {
    const selects = createSelects();
    const started = cpuTimeMs();
    const long = `/switches/${'a'.repeat(100_000)}`;
    expect(selects('resource', `${long}/*`, `${long}b`, 'allow')).toBe(false);
    expect(selects('resource', '/switches/(a+)+$', long, 'allow')).toBe(false);
    expect(selects('resource', `${'/'.repeat(100_000)}/*`, '/'.repeat(100_000), 'allow')).toBe(true);
    // One that goes back again and again takes far longer.
    expect(cpuTimeMs() - started).toBeLessThan(100);
  });

  test('9, unanchored patterns: a row is about the whole path, not a piece of it', () => {
    const selects = createSelects();
    for (const [pattern, path] of [
      ['/switches/sw0/ports/1', '/switches/sw0/ports/10'],
      ['/switches/sw0/ports/1/*', '/switches/sw0/ports/10'],
      ['/switches/sw0/ports/1/*', '/switches/sw0/ports/10/lds/1'],
      ['/switches/sw0', 'x/switches/sw0'],
      ['/switches/./ports/1', '/switches/a/ports/1'],
    ] as const) {
      expect(selects('resource', pattern, path, 'allow')).toBe(false);
    }
  });

  test('10, text after `*`: a `*` that does not end the row is refused, and matches nothing', async () => {
    for (const path of [
      '/switches/sw0/ports/*/lds/0',
      '/switches/sw0/port*',
      '/switches/*/ports/2',
      '*',
      '/switches/sw0/*x',
    ]) {
      const tenants = { acme: `${grantAll}p, role:operator, acme, ${path}, bind-vppb, allow\n` };
      expect((await mistakesOf({ tenants })).map(({ code, line }) => `${code} ${line}`)).toEqual(['resource 3']);
      expect(createSelects()('resource', path, '/switches/sw0/ports/3/lds/1', 'allow')).toBe(false);
    }
    // casbin on its own looks no further than the `*`.
    expect(Util.keyMatchFunc('/switches/sw0/ports/9/lds/1', '/switches/sw0/port*/lds/0')).toBe(true);
  });

  test('9 and 10, functions of casbin: none of them can be called', async () => {
    const seen: string[][] = [];
    const engine = await engineOf({ tenants: { acme: grantAll } });
    const spy = vi.spyOn(Enforcer.prototype, 'enforceExSync').mockImplementation(function (this: Enforcer) {
      const { fm } = this as unknown as { readonly fm: { getFunctions(): Map<string, unknown> } };
      seen.push([...fm.getFunctions().keys()]);
      return [false, []];
    });
    engine.grant(alice, own, bind);
    spy.mockRestore();
    expect(seen).toEqual([['selects']]);
  });

  test.each(['/switches/sw0/ports/*x', '/switches/sw0/port*', '/switches/*/ports/2', '*'])(
    '10, text after `*`: `%s` is refused',
    async (pattern) => {
      expect(
        (await mistakesOf({ tenants: { acme: `p, role:a, acme, ${pattern}, bind-vppb, allow` } })).map(
          ({ code }) => code,
        ),
      ).toEqual(['resource']);
      // Should it come in another way, it is a path with a star in it, which no object has.
      expect(createSelects()('resource', '/switches/sw0/port*', '/switches/sw0/ports/9', 'allow')).toBe(false);
    },
  );

  test('11, key collision in a cache: no two requests share a remembered verdict', async () => {
    const engine = await engineOf({ tenants: { acme: `${grantAll}g, user:x#a, role:operator, acme\n` } });
    const as = (...names: string[]): Principal => ({ ...alice, name: names[0] ?? '', names });
    expect(engine.grant(as('user:x#a'), own, bind).allowed).toBe(true);
    expect(engine.grant(as('user:x#a$$b'), own, bind).allowed).toBe(false);
    expect(engine.grant(as('user:x#b', 'user:x#a'), own, bind).allowed).toBe(true);
    expect(engine.grant(as('user:x#b'), own, bind).allowed).toBe(false);
    expect(engine.grant(as('user:x#b', 'user:x#a,user:x#a'), own, bind).allowed).toBe(false);
    expect(engine.grant(as('user:x#a'), own, { ...bind, class: 'raw' }).allowed).toBe(false);
    expect(engine.grant(as('user:x#a'), own, { ...bind, grant: 'never' }).allowed).toBe(false);
    expect(engine.grant(as('user:x#a'), own, bind).allowed).toBe(true);
  });

  test("11, key collision in casbin's own memo of `g`: no name holds the comma that it joins with", async () => {
    expect(
      (await mistakesOf({ tenants: { acme: `${grantAll}g, "user:x#a,b", role:operator, acme\n` } })).map(
        ({ code }) => code,
      ),
    ).toEqual(['untyped-name']);
    const engine = await engineOf({ tenants: { acme: grantAll } });
    expect(engine.roles({ ...alice, name: 'user:x#a,b', names: ['user:x#a,b', 'group:tenant/acme'] })).toEqual([]);
  });

  test('12, role depth: a chain that casbin would cut is refused, the longest it follows is followed', async () => {
    const chain = (length: number): string => {
      const links = Array.from({ length: length - 1 }, (_, i) => `g, role:r${i}, role:r${i + 1}, acme\n`);
      return `p, role:r${length - 1}, acme, own, bind-vppb, allow\ng, group:tenant/acme, role:r0, acme\n${links.join('')}`;
    };
    expect((await mistakesOf({ tenants: { acme: chain(11) } })).map(({ code }) => code)).toEqual(['role-depth']);
    expect((await engineOf({ tenants: { acme: chain(10) } })).grant(alice, own, bind).allowed).toBe(true);
  });

  test('13, principal named like a role: it has the role from no row, so not at all', async () => {
    const engine = await engineOf({ tenants: { acme: 'p, role:operator, acme, own, bind-vppb, allow\n' } });
    expect(engine.grant({ ...alice, name: 'role:operator', names: ['role:operator'] }, own, bind).allowed).toBe(false);
    expect(engine.grant({ ...alice, names: [...alice.names, 'role:operator'] }, own, bind).allowed).toBe(false);
    for (const claim of ['operator', 'role:operator', 'group:tenant/globex', '*', 'role:operator#x', 'tenant/acme']) {
      const caller = callerOf('acme', { subject: claim, groups: [claim] });
      expect(engine.grant(caller, own, bind).allowed).toBe(false);
      expect(engine.roles(caller)).toEqual([]);
    }
    // casbin on its own: no row says that `role:operator` has a role.
    const bare = await bareOf('p, role:operator, acme, own, bind-vppb, allow');
    expect(bare.enforceSync('role:operator', 'acme', 'own', 'bind-vppb')).toBe(true);
  });

  test('13, group of a foreign tenant: a principal with it is nobody', async () => {
    const engine = await engineOf({ tenants: { acme: grantAll } });
    expect(
      engine.grant({ ...alice, names: [alice.name, 'group:tenant/globex', 'group:tenant/acme'] }, own, bind).allowed,
    ).toBe(false);
  });

  test('13, equal subjects of two issuers are two principals', async () => {
    const engine = await engineOf({
      tenants: {
        acme: `p, role:operator, acme, own, bind-vppb, allow\ng, user:${ISSUER}#alice, role:operator, acme\n`,
      },
    });
    expect(engine.grant(alice, own, bind).allowed).toBe(true);
    expect(engine.grant(callerOf('acme', { issuer: `${ISSUER}/` }), own, bind).allowed).toBe(false);
    expect(engine.grant(callerOf('acme', { subject: 'Alice' }), own, bind).allowed).toBe(false);
  });

  test('14, several kinds of rows: the effect of mandatory rows is read from their own column', async () => {
    const engine = await engineOf({ tenants: { acme: grantAll } });
    const facts = {
      level: 'none',
      underLockdown: 'allow',
      taint: [],
      profile: 'host',
      tenant: 'acme',
      reach: 'own',
      command: bind,
    } as const;
    expect(engine.mandatory({ ...facts, conditions: new Set() })).toEqual([]);
    expect(engine.mandatory({ ...facts, conditions: new Set(['quirk']) }).map(({ id }) => id)).toEqual(['Q1']);
  });

  test('15, commas: an unquoted one is a mistake, a quoted one is text', async () => {
    const row = (reason: string) =>
      `${shipped['mandatory.csv'] ?? ''}p2, L20, *, *, *, *, *, *, bind-vppb, deny, ${reason}\n`;
    expect((await mistakesOf({ mandatory: row('no, never') })).map(({ code }) => code)).toEqual(['field-count']);
    const engine = await engineOf({ mandatory: row('"no, ""never"""') });
    const facts = {
      level: 'none',
      underLockdown: 'allow',
      taint: [],
      profile: 'host',
      tenant: 'acme',
      reach: 'own',
      command: bind,
    } as const;
    expect(engine.mandatory({ ...facts, conditions: new Set() })[0]?.reason).toBe('no, "never"');
  });

  test('16, deciding row: it is the denying one when a row denies, and none when no row speaks', async () => {
    const engine = await engineOf({
      tenants: { acme: `${grantAll}p, role:operator, acme, own, set:virtual-switch, deny\n` },
    });
    expect(engine.grant(alice, own, bind)).toEqual({
      resource: own,
      allowed: false,
      rule: { source: 'tenants/acme.csv:3', text: 'p, role:operator, acme, own, set:virtual-switch, deny' },
    });
    expect(engine.grant(alice, '/switches/sw0/ports/4', bind)).toEqual({
      resource: '/switches/sw0/ports/4',
      allowed: false,
    });
  });

  test('17, constructors and prototypes: they are no roles, tenants, commands or resources', async () => {
    const engine = await engineOf({ tenants: { acme: grantAll } });
    for (const word of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
      expect(engine.grant({ ...alice, tenant: word }, own, bind).allowed).toBe(false);
      expect(engine.grant(alice, `/switches/${word}`, bind).allowed).toBe(false);
      expect(engine.grant(alice, own, { opcode: 0xc010, slug: word, class: 'raw', scope: 3 }).allowed).toBe(false);
      expect(engine.roles({ ...alice, tenant: word })).toEqual([]);
    }
    expect(fabric.ownerOf('/switches/__proto__')).toBeUndefined();
  });
});

/** casbin itself, with the plainest of models. */
const bareOf = (rows: string): Promise<Enforcer> => newEnforcer(newModelFromString(bareModel), new StringAdapter(rows));

const bareModel = `
[request_definition]
r = sub, dom, obj, act
[policy_definition]
p = sub, dom, obj, act, eft
[role_definition]
g = _, _, _
[policy_effect]
e = some(where (p.eft == allow))
[matchers]
m = g(r.sub, p.sub, r.dom) && r.dom == p.dom && r.obj == p.obj && r.act == p.act
`;
