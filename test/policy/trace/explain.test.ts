import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { catalogue, isTyped } from '../../../src/cci/index.ts';
import { explain, linkSource, openPolicy, RoleWays, summaryOf } from '../../../src/policy/tools.ts';
import { fabric as shippedFabric, sourceOf } from '../load/fixture.ts';
import { type Asked, explained, opened } from './opened.ts';

const shipped = await opened();
const reset: Asked = {
  command: { command: 'physical-port-control', params: { ppb_id: 2, port_opcode: 'reset-ppb' } },
  groups: ['operators'],
  state: { bindings: new Map([[0, new Map([[0, { kind: 'port', port: 2 }]])]]) },
};
const bind: Asked = {
  command: { command: 'bind-vppb', params: { vcs_id: 0, vppb_id: 1, physical_port_id: 3, ld_id: 1 } },
};

async function withAcme(rows: string) {
  const policy = await openPolicy(sourceOf({ tenants: { acme: rows } }));
  if (!policy.ok) throw new Error(JSON.stringify(policy.error));
  return policy.value;
}

describe('an explanation', () => {
  test('of a denial tells the facts, the rules, who stands against it and what would lift it', () => {
    const { explanation, text } = explained(shipped, reset);
    expect(explanation.verdict).toBe('deny');
    expect(explanation.summary).toBe(
      'Denied: a caller of tenant acme may not run physical-port-control this way. He is told: the command or its target is in use (EBUSY).',
    );
    expect(explanation.parts.map(({ title }) => title)).toEqual([
      'What was asked',
      'What the command is',
      'What it touches',
      'What stands above every grant',
      'Who the caller is to the policy',
      'Which grants were looked at',
      'What decided',
      'What came closest',
      'What would have to be granted, and by whom',
    ]);
    expect(text).toContain('This command resets a port, or holds its device in reset.');
    expect(text).toContain('It touches port 2 (/switches/sw0/ports/2), which belongs to acme.');
    expect(text).toMatch(
      /18 mandatory rules were looked at; one stands against it, whatever was granted\.\nB2, at mandatory\.csv:\d+: /,
    );
    expect(text).toMatch(
      /physical-port-control, deny` at tenants\/acme\.csv:\d+ denies it, which outweighs any row that allows, and decides\./,
    );
    expect(text).toContain('For port 2 a row denies it, so that nothing else comes close.');
    expect(text).toMatch(
      /On \/switches\/sw0\/ports\/2: that the security team of acme takes the row at tenants\/acme\.csv:\d+ back/,
    );
    expect(text).toContain(
      'No grant lifts B2: the port is bound and carries no MLD; the target has to be detached from its host first.',
    );
  });

  test('of what no row grants names the row that came closest, the role and who gives it', () => {
    const { text } = explained(shipped, bind);
    expect(text).toMatch(
      /For slot 1 of virtual switch 0 and logical device 1 behind port 3: \d+ rows of his tenant were looked at, \d+ of them about other roles/,
    );
    expect(text).toContain('does not apply: the caller does not have role:operator.');
    expect(text).toContain('No row grants it on slot 1 of virtual switch 0 and logical device 1 behind port 3.');
    expect(text).toContain('The grants stand against it: nothing grants it on /switches/sw0/ports/3/lds/1.');
    expect(text).toContain('came closest, but the caller does not have `role:operator`.');
    expect(text).toContain(
      'On /switches/sw0/ports/3/lds/1: role:operator, which the security team of acme gives with a row `g, NAME, role:operator, acme` in tenants/acme.csv.',
    );
  });

  test('of what is allowed names the row for each resource', () => {
    const { explanation, text } = explained(shipped, { ...bind, groups: ['operators'] });
    expect(explanation.summary).toBe('Allowed: a caller of tenant acme may run bind-vppb this way.');
    expect(text).toMatch(
      /On slot 1 of virtual switch 0 it is allowed by `p, role:operator, acme, own, bind-vppb, allow`, at tenants\/acme\.csv:\d+\./,
    );
    expect(text).toContain('none of them stands against it.');
    expect(text).not.toContain('What would have to be granted');
  });

  test('of what two rows allow tells both, and which one decided', () => {
    const { text } = explained(shipped, {
      command: { command: 'get-physical-port-state', params: { port_id_list: [5] } },
      tenant: 'fabric',
      groups: ['fabric-admins'],
    });
    expect(text.match(/ allows it\./g)).toHaveLength(1);
    expect(text.match(/ allows it, and decides\./g)).toHaveLength(1);
  });

  test('of a list tells what is left of it', () => {
    const list = (port_id_list: readonly number[]): Asked => ({
      command: { command: 'get-physical-port-state', params: { port_id_list } },
    });
    expect(explained(shipped, list([2, 4])).text).toContain(
      'It asks for the ids 2, 4; of these 2 can be listed for the caller',
    );
    expect(explained(shipped, list([2])).text).toContain("It is a list of 1 id (2), all of them the caller's.");
    const none = explained(shipped, list([4]));
    expect(none.explanation.summary).toContain('he gets an empty list');
    expect(none.text).toContain('of these none can be listed');
    expect(none.text).toContain('It touches nothing.');
    expect(none.text).toContain('Nothing is left of what was asked for');
  });

  test.each<[string, Asked, string]>([
    [
      'raw',
      { command: { raw: { opcode: 0xc010, payload: new Uint8Array(0) } } },
      'it was sent as bytes, down the raw path',
    ],
    [
      'a log',
      {
        command: {
          command: 'get-log',
          via: 'port:2',
          params: { log_identifier: '5e1819d9-11a9-400c-811f-d60719403d86', offset: 0, length: 4 },
        },
      },
      'asked in this way it tells more than a safe read does',
    ],
    [
      'effects',
      { command: bind.command, cel: new Map([[0x5201, 0x3e]]) },
      'the device says that it has effects which the catalogue does not know',
    ],
  ])('of %s says why it is of its class', (_name, asked, why) => {
    expect(explained(shipped, asked).text).toContain(why);
  });

  test('of bytes without a row, or without a confirmed layout, says so', () => {
    const asBytes = (opcode: number): Asked => ({ command: { raw: { opcode, payload: new Uint8Array(0) } } });
    const typed = (opcode: number) => {
      const { input } = explained(shipped, asBytes(opcode));
      const submission = { ...input.submission, submittedAs: 'typed' as const };
      return { ...input, submission };
    };
    for (const [opcode, why] of [
      [0xc010, 'the catalogue has no such command'],
      [0x4900, 'its layout is not confirmed by two independent sources'],
    ] as const) {
      const input = typed(opcode);
      const decision = shipped.snapshot.decide(input, shipped.snapshot.rawGate(input));
      expect(explained(shipped, asBytes(opcode)).text).toContain('down the raw path');
      const sentences = explain(shipped, input, decision).parts.flatMap((part) => part.sentences);
      expect(sentences.join('\n')).toContain(why);
    }
  });

  test('of a tainted, locked down place tells both', () => {
    const { text } = explained(shipped, {
      ...bind,
      groups: ['operators'],
      scopes: [],
      posture: { lockdown: 'integrity', taint: [{ letter: 'X', scope: '/switches/sw0/ports/3' }] },
    });
    expect(text).toContain('under lockdown level integrity');
    expect(text).toContain('Taint there that nobody has acknowledged: X.');
    expect(text).toContain('His token may be used for nothing.');
    expect(text).toContain(
      'The grants are there; what is missing is beyond them: an operator has to look at the component',
    );
  });

  test('of what nobody knows says that', () => {
    const { text } = explained(shipped, {
      command: { command: 'unbind-vppb', params: { vcs_id: 0, vppb_id: 1, option: 'wait-for-link-down' } },
      groups: ['operators'],
      state: { bindings: new Map([[0, new Map([[1, { kind: 'unknown' }]])]]) },
    });
    expect(text).toContain('What is bound to the vPPB now is not known.');
  });

  test('of what is not there says that it does not exist', () => {
    const { text } = explained(shipped, { command: { command: 'identify', via: 'port:99' } });
    expect(text).toContain('It touches port 99 (/switches/sw0/ports/99), which does not exist.');
  });

  test('of what has no sound form was held against no rule', () => {
    const { explanation, text } = explained(shipped, { ...bind, maxPayload: 2 });
    expect(explanation.mandatory).toEqual([]);
    expect(text).toContain('0 mandatory rules were looked at');
    expect(text).toContain('The form of the command stands against it (R2): ');
  });

  test('of a caller without roles, in a tenant without rows, says so', () => {
    const { text } = explained(shipped, { ...bind, tenant: 'acme', groups: [] });
    expect(text).toContain('He has role:reader, by `g, group:tenant/acme, role:reader, acme`');
    return withAcme('p, role:reader, acme, own, class:allowlisted, allow\n').then((policy) => {
      expect(explained(policy, bind).text).toContain('No row gives him a role in acme, so no grant can speak for him.');
      expect(explained(policy, bind).text).toContain('1 row of his tenant was looked at, 1 of them about other roles');
      const globex = explained(policy, { ...bind, tenant: 'globex' });
      expect(globex.text).toContain('his tenant has no grants at all');
    });
  });

  test('counts the rows that are far from it, and lists a few that are near', async () => {
    const rows = [0, 1, 2].map((vppb) => `p, role:x, acme, /switches/sw0/vcss/0/vppbs/${vppb}, get-log, allow\n`);
    const policy = await withAcme(`${rows.join('')}g, group:tenant/acme, role:x, acme\n`);
    expect(explained(policy, bind).text).toContain('2 more rows of his roles are about other things.');
    const one = await withAcme(`${rows[0]}g, group:tenant/acme, role:x, acme\n`);
    expect(explained(one, bind).text).toContain('1 more row of his roles is about other things.');
  });

  test.each([
    ['own', 'send-ppb-cxl-io-configuration-request', 'it is about the command send-ppb-cxl-io-configuration-request'],
    ['own', 'class:audited', 'allows it'],
    ['/switches/sw0/ports/3/lds/0', 'bind-vppb', 'it is about logical device 0 behind port 3'],
    ['/switches/sw0/ports/2/*', 'bind-vppb', 'it is about port 2 and what is below'],
    ['own', 'opcode:0x5202', 'it is about commands by number, opcode:0x5202'],
    ['own', 'set:logs', 'it is about the command set logs'],
    ['own', 'scope:3', 'it is about the commands of scope:3'],
    ['own', 'class:audited', 'decides'],
  ])('of a row about %s and %s says what fits', async (resource, command, words) => {
    const policy = await withAcme(
      `p, role:x, acme, ${resource}, ${command}, allow\ng, group:tenant/acme, role:x, acme\n`,
    );
    expect(explained(policy, bind).text).toContain(words);
  });

  test.each<[string, string, Asked['command'], string]>([
    [
      'set:physical-switch',
      'allow',
      { raw: { opcode: 0x5102, payload: Uint8Array.of(2, 2) } },
      'a raw command is granted by its number alone',
    ],
    [
      'set:sanitize-and-media-operations',
      'allow',
      { command: 'get-health-info', via: 'port:2' },
      'it is about the command set sanitize-and-media-operations',
    ],
    ['scope:<=3', 'allow', { command: 'sanitize', via: 'port:2' }, 'this command is granted by its exact name alone'],
    [
      'scope:<=3',
      'allow',
      { command: 'get-security-state', via: 'port:2' },
      'this command cannot be granted to anybody',
    ],
    [
      'class:audited',
      'allow',
      { command: 'get-health-info', via: 'port:2' },
      'it is about the commands of class audited',
    ],
  ])('of %s, %s tells what a row gives less than its words', async (command, effect, asked, words) => {
    const rows = command.startsWith('set:sanitize')
      ? `p, role:x, acme, own, get-health-info, allow\np, role:x, acme, own, ${command}, deny\n`
      : `p, role:x, acme, own, ${command}, ${effect}\n`;
    const policy = await withAcme(`${rows}g, group:tenant/acme, role:x, acme\n`);
    expect(explained(policy, { command: asked }).text).toContain(words);
  });

  test('of a reviewed vendor command knows it by its name, and its number for the raw command that it grants', async () => {
    const source = sourceOf({
      tenants: {
        acme: 'p, role:x, acme, own, opcode:0xc010, allow\np, role:y, acme, own, northbay-get-port-temperature, allow\ng, group:tenant/acme, role:x, acme\n',
      },
    });
    const file = 'northbay-get-port-temperature.yaml';
    const text = readFileSync(`test/policy/load/commands/${file}`, 'utf8');
    const files = 'files' in source ? { ...source.files, [`commands.d/${file}`]: text } : {};
    const policy = await openPolicy({ ...source, files });
    if (!policy.ok) throw new Error(JSON.stringify(policy.error));
    const params = { port_id: 2, sensor: 'module' };
    const { text: told } = explained(policy.value, { command: { command: 'northbay-get-port-temperature', params } });
    expect(told).toContain('sends command 0xc010, Get Port Temperature, to switch sw0.');
    expect(told).toContain('the number of a reviewed vendor command grants it raw, its name grants it');
  });

  test("of what is not the tenant's own says so for rows about `own`", () => {
    const { text } = explained(shipped, { command: { command: 'identify', via: 'port:4' } });
    expect(text).toContain("port 4 is not acme's own");
  });
});

describe('what is told', () => {
  const cases = catalogue
    .filter((row) => isTyped(row) && row.opcode !== 0x5300)
    .flatMap(({ opcode }) =>
      ['acme', 'fabric'].flatMap((tenant) => [true, false].map((calm) => ({ opcode, tenant, calm }))),
    );

  test('agrees with the decision for every typed command, caller and level', () => {
    for (const { opcode, tenant, calm } of cases) {
      const { decision, explanation } = explained(shipped, {
        command: { raw: { opcode, payload: new Uint8Array(4) } },
        tenant,
        groups: ['operators', 'fabric-admins'],
        posture: {
          lockdown: calm ? 'none' : 'confidentiality',
          profile: calm ? 'bmc' : 'host',
          underLockdown: 'reads',
        },
      });
      const denying = explanation.mandatory.filter(({ denies }) => denies).map(({ source }) => source);
      const said = decision.reasons.filter(({ step }) => step === 'mandatory').map(({ source }) => source);
      expect(denying).toEqual(said);
      expect(explanation.resources.map(({ resource }) => resource)).toEqual(decision.facts.touched);
      for (const look of explanation.resources) {
        const decided = look.rows.filter((one) => one.decided);
        expect(decided.every(({ fits }) => fits)).toBe(true);
        expect(look.verdict.rule === undefined ? 0 : 1).toBe(decided.length);
      }
    }
  });

  test('a summary without an answer outside is still one', () => {
    const { input, decision } = explained(shipped, bind);
    const { outward: _gone, ...rest } = decision;
    expect(summaryOf(input, rest)).toBe('Denied: a caller of tenant acme may not run bind-vppb this way.');
  });

  test('a policy with mistakes is not opened', async () => {
    const policy = await openPolicy({ files: {}, fabric: shippedFabric, profile: 'host' });
    expect(policy.ok).toBe(false);
  });

  test('role rows without a place are still named', () => {
    expect(linkSource({ name: 'a', role: 'b', tenant: 'c' })).toBe('a row');
    const link = { name: 'group:tenant/acme', role: 'role:a', tenant: 'acme' };
    const ways = new RoleWays([
      link,
      { name: 'role:a', role: 'role:b', tenant: 'acme' },
      { name: 'group:tenant/acme', role: 'role:b', tenant: 'acme' },
      { name: 'group:tenant/acme', role: 'role:z', tenant: 'other' },
    ]);
    const { input } = explained(shipped, bind);
    expect(ways.waysOf(input.principal).map(({ role, links }) => [role, links.length])).toEqual([
      ['role:a', 1],
      ['role:b', 1],
    ]);
    expect(ways.usedFor(input.principal, 'role:b')).toHaveLength(3);
    expect(ways.usedFor(input.principal, 'role:a')).toEqual([link]);
  });
});
