import { describe, expect, test } from 'vitest';
import { readSuite, runSuites, type Suite } from '../../../src/policy/tools.ts';
import { formatProblem } from '../../../src/yaml/index.ts';
import { fabric, fabricOf } from '../load/fixture.ts';
import { opened } from '../trace/opened.ts';

const shipped = await opened();
const head = 'issuer: https://cci-broker.local/dev\nprincipals:\n  reader: { tenant: acme }\n';

function suiteOf(text: string): Suite {
  const read = readSuite(text, 'suite.yaml', fabric);
  if (!read.ok) throw new Error(read.problems.map(formatProblem).join('\n'));
  return read.suite;
}

describe('a case that says no more than it must', () => {
  const [one, ...more] = suiteOf(`${head}cases:\n  - { name: c, for: reader, command: identify }\n`).cases;

  test('is one question with the laxest standing, and expects a denial', () => {
    expect(more).toEqual([]);
    expect(one).toMatchObject({ name: 'c', file: 'suite.yaml', line: 5, column: 5 });
    expect(one?.posture).toStrictEqual({ taint: [] });
    expect(one?.expectation).toStrictEqual({ verdict: 'deny', rules: [] });
    expect(one?.submission).toEqual({
      switch: 'sw0',
      submittedAs: 'typed',
      command: { hops: [], tags: [], opcode: 1, payload: new Uint8Array(0) },
    });
    expect(one?.topology).toMatchObject({ known: true, switchCci: 'fm-interface' });
    expect(one?.topology.neverSend.size).toBe(0);
    expect(one?.topology).not.toHaveProperty('tagOwner');
  });

  test('has a caller of that name, in no group, whose token caps nothing', () => {
    expect(one?.principal).toMatchObject({
      name: 'user:https://cci-broker.local/dev#reader',
      names: ['user:https://cci-broker.local/dev#reader', 'group:tenant/acme'],
      scopes: ['cci:read', 'cci:config', 'cci:debug-read', 'cci:debug-write', 'cci:debug-write-full', 'cci:raw'],
    });
  });
});

test('a case that says all of it is asked with all of it', () => {
  const [one] = suiteOf(`${head}posture: { lockdown: integrity, taint: [R] }
state: { cci: host-mailbox, devices: { 2: mld } }
cases:
  - name: c
    for: reader
    raw: { opcode: 0xc010, payload: '00 ff' }
    via: port:2
    posture: { taint: [X, M@/switches/sw0/ports/2], under_lockdown: reads, raw_commands: taints-this-switch, raw_allow_all: true, profile: bmc }
    state: { known: false, usps: { 1: 1 }, bindings: { 0/0: 3/3, 1/3: 2 }, never_send: { 0xc010: it crashes }, tags: { 2/0da9c0b5-bf41-4b78-8f79-96b1623b3f17: acme } }
    expect: allow
    rule: [a, b]
    errno: EIO
    class: raw
    scope: 3
    reach: opaque
    touches: [/switches/sw0]
    visible: [1, 2]
`).cases;
  expect(one?.expectation).toStrictEqual({
    verdict: 'allow',
    rules: ['a', 'b'],
    errno: 'EIO',
    class: 'raw',
    scope: 3,
    reach: 'opaque',
    touches: ['/switches/sw0'],
    visible: [1, 2],
  });
  expect(one?.posture).toStrictEqual({
    profile: 'bmc',
    lockdown: 'integrity',
    underLockdown: 'reads',
    rawCommands: 'taints-this-switch',
    rawAllowAll: true,
    taint: [
      { letter: 'X', scope: '/switches/sw0' },
      { letter: 'M', scope: '/switches/sw0/ports/2' },
    ],
  });
  expect(one?.submission).toMatchObject({
    submittedAs: 'raw',
    command: { hops: [{ kind: 'port', port: 2 }], opcode: 0xc010, payload: Uint8Array.of(0, 0xff) },
  });
  expect(one?.topology).toMatchObject({ known: false, switchCci: 'host-mailbox' });
  expect([...(one?.topology.neverSend ?? [])]).toEqual([[0xc010, 'it crashes']]);
});

test('state of a case replaces that of its suite member by member', () => {
  const [first, second] = suiteOf(`${head}state: { devices: { 2: mld }, bindings: { 0/0: 2 } }
cases:
  - { name: a, for: reader, command: identify }
  - { name: b, for: reader, command: identify, state: { bindings: { 0/1: 3/0 } } }
`).cases;
  expect(first?.topology.vcss.get(0)?.vppbs.slice(0, 2)).toEqual([{ kind: 'port', port: 2 }, { kind: 'unbound' }]);
  expect(second?.topology.vcss.get(0)?.vppbs.slice(0, 2)).toEqual([
    { kind: 'unbound' },
    { kind: 'ld', port: 3, ld: 0 },
  ]);
  expect([first, second].map((one) => one?.topology.ports.get(2)?.device)).toEqual(['mld', 'mld']);
});

test('state may be that of ports and VCSs with ids of two and three digits', () => {
  const wide = fabricOf(
    'switches: { sw0: { ports: [{ ids: 10 }, { ids: 200, lds: 1 }], vcss: [{ ids: 10, vppbs: 1 }, { ids: 100, vppbs: 1 }] } }\ntenants: { acme: {} }\n',
  );
  const tag = '0da9c0b5-bf41-4b78-8f79-96b1623b3f17';
  const state = `{ devices: { 10: mld }, usps: { 100: 200, 10: 10 }, bindings: { 10/0: 200/0 }, tags: { 10/${tag}: acme } }`;
  const text = `${head}state: ${state}\ncases:\n  - { name: c, for: reader, command: identify }\n`;
  const read = readSuite(text, 'suite.yaml', wide);
  if (!read.ok) throw new Error(read.problems.map(formatProblem).join('\n'));
  const topology = read.suite.cases[0]?.topology;
  expect(topology?.ports.get(10)).toEqual({ id: 10, role: 'usp', device: 'mld', ldCount: 0 });
  expect(topology?.ports.get(200)).toMatchObject({ role: 'usp', device: 'none' });
  expect([topology?.vcss.get(10)?.usp, topology?.vcss.get(100)?.usp]).toEqual([10, 200]);
  expect(topology?.vcss.get(10)?.vppbs).toEqual([{ kind: 'ld', port: 200, ld: 0 }]);
  expect(topology?.tagOwner?.(10, tag)).toBe('acme');
});

describe('what a suite has covered', () => {
  const run = (cases: string) => runSuites(shipped, [suiteOf(`${head}cases:\n${cases}`)], { profile: 'host' });

  test('is no row where what stood against a case is none', async () => {
    const { coverage, failed } = await run('  - { name: c, for: reader, raw: { opcode: 0xc010 }, rule: R7.1 }\n');
    expect(failed).toEqual([]);
    const rows = (await run('  - { name: c, for: reader, command: identify, via: "port:4" }\n')).coverage;
    // P1, P2 and P3 stand against the first; of the second nothing but whose it is.
    expect([coverage.covered, rows.covered]).toEqual([3, 0]);
  });

  test('is told without rows that a denial has', async () => {
    const bind = 'command: bind-vppb, params: { vcs_id: 0, vppb_id: 1, physical_port_id: 2, ld_id: 65535 }';
    const { failed } = await run(`  - { name: c, for: reader, ${bind}, rule: [nothing, grant], errno: EPERM }\n`);
    expect(failed.map(({ differences }) => differences)).toEqual([
      [
        {
          what: 'rule',
          expected: 'nothing',
          got: 'grant: nothing grants it on /switches/sw0/vcss/0/vppbs/1; grant: nothing grants it on /switches/sw0/ports/2',
        },
      ],
    ]);
  });
});
