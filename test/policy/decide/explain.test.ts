import { describe, expect, test } from 'vitest';
import { catalogue } from '../../../src/cci/index.ts';
import { commandRefOf } from '../../../src/policy/decide/command-ref.ts';
import { errnoTable, type Principal, type RuleEngine } from '../../../src/policy/index.ts';
import { ask, type Question, rawOpen } from './ask.ts';

const reset = (ppb_id: number): Question => ({
  named: 'physical-port-control',
  params: { ppb_id, port_opcode: 'reset-ppb' },
});

function explained(question: Question): readonly string[] {
  const { snapshot, decision, input } = ask(question);
  return snapshot.explain(decision, input.principal);
}

function needed(question: Question): readonly string[] {
  const { snapshot, decision, input } = ask(question);
  return snapshot.wouldNeed(decision, input.principal);
}

describe('explanations', () => {
  test('of what is allowed name the row that allows', () => {
    expect(explained(reset(3))).toEqual([
      'physical-port-control (0x5102) is a reviewed command, but not one of the safe reads (audited; scope 2, debug writing)',
      "reach own: it touches and disturbs nothing but the caller's own",
      'allowed on port 3 (/switches/sw0/ports/3) by grants.csv:1',
    ]);
  });

  test('of a tunnelled and narrowed read say what is left', () => {
    const question: Question = {
      named: 'get-ld-allocations',
      params: { start_ld_id: 1, ld_allocation_list_limit: 4 },
      via: 'port:5',
    };
    expect(explained(question)).toEqual([
      'get-ld-allocations (0x5401) via port:5 is one of the safe reads (allowlisted; scope 0, configuration)',
      'reach query: it only asks and disturbs nobody',
      "4 ids asked for, 1 left: the rest is not the caller's",
      'allowed on logical device 3 behind port 5 (/switches/sw0/ports/5/lds/3) by grants.csv:1',
    ]);
    const nothing: Question = { named: 'get-physical-port-state', params: { port_id_list: [4] } };
    expect(explained(nothing)).toContain('nothing is left to ask for: the answer is an empty list');
  });

  test('of what is denied name the rule, its row and the nearest miss', () => {
    expect(explained({ ...reset(3), grants: [], mandatory: [{ id: 'L9' }] })).toEqual([
      'physical-port-control (0x5102) is a reviewed command, but not one of the safe reads (audited; scope 2, debug writing)',
      "reach own: it touches and disturbs nothing but the caller's own",
      'denied by L9 (mandatory.csv:1): row L9',
      'denied by grant: nothing grants it on /switches/sw0/ports/3',
      'closest row for /switches/sw0/ports/3: grants.csv:9 (p, role:operator), but /switches/sw0/ports/3 is not in it',
    ]);
  });

  test('of what is foreign say no more than the refusal itself', () => {
    const expected = [`denied (EPERM): ${errnoTable.EPERM.text}`];
    expect(explained(reset(4))).toEqual(expected);
    expect(explained(reset(99))).toEqual(expected);
    expect(needed(reset(4))).toEqual([]);
  });

  test('cope with a row without a source and an engine without a near miss', () => {
    const engine: Partial<RuleEngine> = {
      nearestMiss: () => undefined,
      grant: (_principal: Principal, resource) => ({ resource, allowed: resource.endsWith('3') }),
    };
    expect(explained({ ...reset(3), engine })).toContain('allowed on port 3 (/switches/sw0/ports/3) by the policy');
    expect(explained({ ...reset(7), engine })).toHaveLength(3);
  });

  test('cope with a refusal that has nothing outside', () => {
    const { snapshot, decision, input } = ask(reset(4));
    const { outward: _gone, ...rest } = decision;
    expect(snapshot.explain(rest, input.principal)).toEqual(['denied']);
  });
});

describe('what would be needed', () => {
  test('a role that could, or a row to write', () => {
    const bind: Question = { named: 'bind-vppb', params: { vcs_id: 0, vppb_id: 1, physical_port_id: 5, ld_id: 3 } };
    expect(needed({ ...bind, grants: [] })).toEqual([
      'on /switches/sw0/vcss/0/vppbs/1: a row `p, ROLE, acme, /switches/sw0/vcss/0/vppbs/1, bind-vppb, allow` in tenants/acme.csv, for a role of the caller, from the security team of acme',
      'on /switches/sw0/ports/5/lds/3: role:ld-admin, which the security team of acme gives with a row `g, NAME, role:ld-admin, acme` in tenants/acme.csv',
    ]);
  });

  test('an owner, where no row can give it; what does not exist looks the same', () => {
    const needs = (vcs: number, tenant: string) => {
      const params = { vcs_id: vcs, vppb_id: 1, physical_port_id: 5, ld_id: 3 };
      const { snapshot, decision, input } = ask({ named: 'bind-vppb', params, tenant, grants: [] });
      return snapshot.wouldNeed({ ...decision, disclosed: true }, input.principal)[0];
    };
    const helps = (vcs: number) =>
      `on /switches/sw0/vcss/${vcs}/vppbs/1: no row helps, because it is not acme's: operators can list it under \`acme\` in the fabric file, or send the command themselves`;
    expect(needs(1, 'acme')).toBe(helps(1));
    expect(needs(9, 'acme')).toBe(helps(9));
    // Operators may be granted what is others'.
    expect(needs(1, 'fabric')).toContain('a row `p, ROLE, fabric, /switches/sw0/vcss/1/vppbs/1,');
  });

  test('a token scope', () => {
    expect(needed({ ...reset(3), scopes: ['cci:read'] })).toEqual([
      'a token with scope `cci:debug-write`, from whoever issues tokens',
    ]);
  });

  test('what no grant lifts is said', () => {
    expect(needed({ ...reset(3), mandatory: [{ id: 'L9' }] })).toEqual([
      'no grant lifts L9: row L9; lockdown ends with the next boot of the host, not before',
    ]);
    expect(needed({ opcode: 0x4500, via: 'port:3', scopes: ['cci:read'] })).toEqual([
      'a token with scope `cci:debug-write-full`, from whoever issues tokens',
      'nothing helps: get-security-state cannot be granted',
    ]);
  });

  test('raw opcodes are named as grants name them', () => {
    expect(needed({ opcode: 0xc010, raw: true, via: 'port:3', posture: rawOpen, grants: [] })).toEqual([
      'on /switches/sw0/ports/3: a row `p, ROLE, acme, /switches/sw0/ports/3, opcode:0xc010, allow` in tenants/acme.csv, for a role of the caller, from the security team of acme',
    ]);
  });

  test('a row taken back, where one denies', () => {
    const engine: Partial<RuleEngine> = {
      grant: (_principal: Principal, resource) => ({
        resource,
        allowed: false,
        rule: { source: 'acme.csv:4', text: 'p' },
      }),
    };
    expect(needed({ ...reset(3), engine })).toEqual([
      'on /switches/sw0/ports/3: that the security team of acme takes the row at acme.csv:4 back, because a row that denies outweighs any that allows',
    ]);
  });

  test('one of several roles', () => {
    const engine: Partial<RuleEngine> = { rolesThatCould: () => ['role:a', 'role:b'] };
    expect(needed({ ...reset(3), grants: [], engine })).toEqual([
      'on /switches/sw0/ports/3: role:a or role:b, which the security team of acme gives with a row `g, NAME, ROLE, acme` in tenants/acme.csv',
    ]);
  });

  test('the number of a command that only went raw', () => {
    const raw: Question = {
      ...reset(3),
      named: undefined as never,
      opcode: 0x5102,
      payload: '0302',
      raw: true,
      posture: rawOpen,
    };
    expect(needed({ ...raw, grants: [] }).join()).toContain('opcode:0x5102, allow`');
  });

  test('nothing where it is allowed', () => {
    expect(needed(reset(3))).toEqual([]);
  });
});

describe('commands named as in grants', () => {
  test('slugs, opcodes, and words that are neither', () => {
    expect(commandRefOf('bind-vppb')).toEqual({
      opcode: 0x5201,
      slug: 'bind-vppb',
      set: 'virtual-switch',
      class: 'audited',
      scope: 0,
    });
    expect(commandRefOf('identify').class).toBe('allowlisted');
    expect(commandRefOf('identify-gfd').class).toBe('raw');
    expect(commandRefOf('set-lsa').grant).toBe('slug-only');
    expect(commandRefOf('opcode:0x5201')).toMatchObject({ slug: 'bind-vppb', class: 'raw' });
    expect(commandRefOf('opcode:0xc010')).toEqual({ opcode: 0xc010, class: 'raw', scope: 3 });
    expect(commandRefOf('no-such-command')).toEqual({ opcode: 0, class: 'raw', scope: 3 });
  });

  test('every slug of the catalogue is known', () => {
    expect(catalogue.filter(({ slug, opcode }) => commandRefOf(slug).opcode !== opcode)).toEqual([]);
  });

  test('the snapshot answers for one resource', () => {
    const { snapshot, input } = ask(reset(3));
    expect(snapshot.grant(input.principal, '/switches/sw0/ports/3', 'bind-vppb').allowed).toBe(true);
    expect(snapshot.roles(input.principal)).toEqual(['role:everything']);
    expect(snapshot.loosened).toEqual([]);
    expect(snapshot.counters.rules).toBe(1);
    expect(snapshot.fabric.exists('/switches/sw0')).toBe(true);
  });
});
