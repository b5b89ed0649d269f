import { describe, expect, test } from 'vitest';
import { openPolicy, readSuite, runSuites, type Suite } from '../../../src/policy/tools.ts';
import { formatProblem } from '../../../src/yaml/index.ts';
import { fabric, sourceOf } from '../load/fixture.ts';
import { opened } from '../trace/opened.ts';

const shipped = await opened();
const head = `
issuer: https://cci-broker.local/dev
principals:
  reader: { tenant: acme }
  operator: { tenant: acme, groups: [operators] }
  guest: { tenant: globex, subject: greta, issuer: https://idp.example, scopes: ['cci:read'] }
`;

function suiteOf(text: string): Suite {
  const read = readSuite(text, 'suite.yaml', fabric);
  if (!read.ok) throw new Error(read.problems.map(formatProblem).join('\n'));
  return read.suite;
}

async function failures(cases: string, more = ''): Promise<readonly string[]> {
  const report = await runSuites(shipped, [suiteOf(`${head}${more}cases:\n${cases}`)], { profile: 'host' });
  return report.failed.flatMap(({ name, line, differences }) =>
    differences.map(({ what, expected, got }) => `${line} ${name}: ${what} ${expected} -> ${got}`),
  );
}

const bind = 'command: bind-vppb, params: { vcs_id: 0, vppb_id: 1, physical_port_id: 2, ld_id: 65535 }';

describe('a case', () => {
  test('that says nothing is expected to be denied', async () => {
    expect(await failures(`  - { name: binds, for: operator, ${bind} }\n`)).toEqual(['8 binds: verdict deny -> allow']);
    expect(await failures(`  - { name: binds, for: reader, ${bind} }\n`)).toEqual([]);
  });

  test('that is expected to be allowed and is not fails with what stands against it', async () => {
    const report = await runSuites(
      shipped,
      [suiteOf(`${head}cases:\n  - { name: binds, for: reader, ${bind}, expect: allow }\n`)],
      { profile: 'host' },
    );
    expect(report).toMatchObject({ suites: 1, cases: 1, passed: 0 });
    expect(report.failed[0]).toMatchObject({ suite: 'suite.yaml', file: 'suite.yaml', line: 8, column: 5 });
    expect(report.failed[0]?.explanation.summary).toMatch(/^Denied: /);
  });

  test('stands for every caller with every command of its lists', async () => {
    const found = suiteOf(
      `${head}suite: lists\ncases:\n  - { name: reads, for: [reader, guest], commands: [identify, { command: identify, via: 'port:2' }] }\n`,
    );
    expect(found.name).toBe('lists');
    expect(found.cases.map(({ name }) => name)).toEqual([
      'reads [reader: identify]',
      'reads [reader: identify via port:2]',
      'reads [guest: identify]',
      'reads [guest: identify via port:2]',
    ]);
    expect(found.cases[2]?.principal).toMatchObject({ name: 'user:https://idp.example#greta', scopes: ['cci:read'] });
  });

  test.each([
    ['rule by id', 'reader', 'rule: grant', []],
    ['rule that did not decide', 'reader', 'rule: L2', ['rule L2 -> grant: nothing grants it']],
    ['errno', 'reader', 'errno: EBUSY', ['errno EBUSY -> EPERM']],
    ['errno of what is allowed', 'operator', 'expect: allow, errno: EPERM', ['errno EPERM -> none']],
    ['row that allows', 'operator', 'expect: allow, rule: "p,role:operator, acme,own , bind-vppb, allow"', []],
    ['row that does not', 'operator', 'expect: allow, rule: [grant]', ['rule grant -> p, role:operator']],
    [
      'facts',
      'operator',
      'expect: allow, class: raw, scope: 3, reach: switch',
      ['class raw -> audited', 'scope 3 -> 0', 'reach switch -> own'],
    ],
    ['facts that are so', 'operator', 'expect: allow, class: audited, scope: 0, reach: own', []],
    ['touched set', 'operator', 'expect: allow, touches: [/switches/sw0/ports/2, /switches/sw0/vcss/0/vppbs/1]', []],
    [
      'another touched set',
      'operator',
      'expect: allow, touches: []',
      ['touches none -> /switches/sw0/ports/2, /switches/sw0/vcss/0/vppbs/1'],
    ],
    ['visible ids of what lists nothing', 'operator', 'expect: allow, visible: [1]', ['visible 1 -> none']],
  ])('may expect a %s', async (_name, caller, expectation, expected) => {
    const found = await failures(`  - { name: c, for: ${caller}, ${bind}, ${expectation} }\n`);
    expect(found).toHaveLength(expected.length);
    for (const [i, text] of expected.entries()) expect(found[i]).toContain(text);
  });

  test('may expect the ids that are left, in any order; a denied list shows none', async () => {
    const list = 'command: get-physical-port-state, params: { port_id_list: [0, 1, 2] }';
    expect(await failures(`  - { name: c, for: reader, ${list}, expect: allow, visible: [2, 0] }\n`)).toEqual([]);
    expect(
      await failures(
        `  - { name: c, for: reader, ${list}, visible: [], posture: { lockdown: integrity, under_lockdown: 'off' } }\n`,
      ),
    ).toEqual([]);
  });

  test('that nothing decided has no rule to expect', async () => {
    const none =
      'command: get-physical-port-state, params: { port_id_list: [1] }, expect: allow, visible: [], touches: []';
    expect(await failures(`  - { name: c, for: reader, ${none}, rule: grant }\n`)).toEqual([
      '8 c: rule grant -> no rule',
    ]);
  });

  test('may name a mandatory row, or its place, or a row that denies', async () => {
    const reset = 'command: physical-port-control, params: { ppb_id: 0, port_opcode: reset-ppb }';
    expect(
      await failures(
        `  - { name: c, for: operator, ${reset}, rule: "p, role:operator, acme, own, physical-port-control, deny" }\n`,
      ),
    ).toEqual([]);
    const locked = 'posture: { lockdown: integrity, under_lockdown: reads }';
    expect(
      await failures(
        `  - { name: c, for: operator, ${reset}, ${locked}, rule: "p2, L8, integrity, *, *, audited|raw, *, *, * if under-lockdown-reads, deny" }\n`,
      ),
    ).toEqual([]);
    const [text] = await failures(`  - { name: c, for: operator, ${reset}, ${locked}, rule: nothing }\n`);
    const source = /L8 \((mandatory\.csv:\d+)\)/.exec(text ?? '')?.[1];
    expect(await failures(`  - { name: c, for: operator, ${reset}, ${locked}, rule: "${source}" }\n`)).toEqual([]);
  });

  test('may assume what the fabric file does not tell', async () => {
    const unbind = 'command: unbind-vppb, params: { vcs_id: 0, vppb_id: 0, option: wait-for-link-down }';
    expect(
      await failures(
        `  - { name: c, for: operator, ${unbind}, expect: allow, touches: [/switches/sw0/vcss/0/vppbs/0, /switches/sw0/ports/2] }\n`,
        'state: { bindings: { 0/0: 2, 0/1: 3/0 } }\n',
      ),
    ).toEqual([]);
    expect(await failures(`  - { name: c, for: operator, ${unbind}, state: { known: false } }\n`)).toEqual([]);
    expect(
      await failures(
        `  - { name: c, for: operator, ${unbind}, state: { bindings: { 0/0: unknown } }, rule: target-unknown }\n`,
      ),
    ).toEqual([]);
    const all =
      'state: { cci: host-mailbox, devices: { 2: mld }, usps: { 0: 0 }, bindings: { 0/0: unbound }, never_send: { 0xc010: why }, tags: { 2/0da9c0b5-bf41-4b78-8f79-96b1623b3f17: acme } }';
    const [one] = suiteOf(
      `${head}cases:\n  - { name: c, for: operator, ${unbind}, ${all}, posture: { profile: bmc, raw_commands: taints-this-switch, raw_allow_all: true, taint: [X] } }\n`,
    ).cases;
    expect(one?.topology).toMatchObject({ switchCci: 'host-mailbox', known: true });
    expect(one?.topology.tagOwner?.(2, '0da9c0b5-bf41-4b78-8f79-96b1623b3f17')).toBe('acme');
    expect(one?.posture).toMatchObject({ profile: 'bmc', rawCommands: 'taints-this-switch', rawAllowAll: true });
  });

  test('may be raw', async () => {
    expect(
      await failures(
        "  - { name: c, for: operator, raw: { opcode: '0xc010', payload: '00 ff' }, class: raw, rule: P1 }\n  - { name: d, for: operator, raw: { opcode: 0xc010 } }\n",
      ),
    ).toEqual([]);
  });
});

describe('coverage', () => {
  test('tells the rows that decided nothing, by their place', async () => {
    const policy = await openPolicy(
      sourceOf({
        tenants: {
          acme: 'p, role:x, acme, own, bind-vppb, allow\np, role:x, acme, own, unbind-vppb, allow\ng, group:tenant/acme, role:x, acme\n',
        },
      }),
    );
    if (!policy.ok) throw new Error('not loaded');
    const suite = suiteOf(`${head}cases:\n  - { name: c, for: reader, ${bind}, expect: allow }\n`);
    const { coverage } = await runSuites(policy.value, [suite], { profile: 'host' });
    expect(coverage).toMatchObject({ rows: 22, covered: 3, percent: 13.6 });
    expect(coverage.uncovered.filter(({ kind }) => kind !== 'mandatory')).toEqual([
      { kind: 'grant', source: 'tenants/acme.csv:2', text: 'p, role:x, acme, own, unbind-vppb, allow' },
    ]);
  });

  test('does not count a row that allows where another one denied', async () => {
    const report = await runSuites(
      shipped,
      [suiteOf(`${head}cases:\n  - { name: c, for: operator, ${bind}, posture: { taint: [X] } }\n`)],
      { profile: 'host' },
    );
    expect(report.failed).toEqual([]);
    expect(report.coverage.covered).toBe(1);
  });

  test('of many cases lets others run between', async () => {
    const many = Array.from({ length: 250 }, (_, i) => `  - { name: c${i}, for: operator, ${bind}, expect: allow }\n`);
    expect(await failures(many.join(''))).toEqual([]);
  });
});
