import { describe, expect, test } from 'vitest';
import type { TaintEntry } from '../../../src/taint/index.ts';
import { type FakeMandatoryRow, fakePosture } from '../../support/fake-policy.ts';
import { ask, type Question, rawOpen, verdictOf } from './ask.ts';

const control = (transaction_type: string) => ({
  register_number: 0,
  extended_register_number: 0,
  first_dword_byte_enable: 15,
  transaction_type,
});
const reset = (ppb_id: number): Question => ({
  named: 'physical-port-control',
  params: { ppb_id, port_opcode: 'reset-ppb' },
});
const config = (port: number, ld: number, type: string): Question => ({
  named: 'send-ld-cxl-io-configuration-request',
  params: { ppb_id: port, request_control: control(type), ld_id: ld, transaction_data: 0 },
});
const ppb = (ppb_id: number, type: string): Question => ({
  named: 'send-ppb-cxl-io-configuration-request',
  params: { ppb_id, request_control: control(type), transaction_data: 0 },
});
const bind = (port: number, ld: number): Question => ({
  named: 'bind-vppb',
  params: { vcs_id: 0, vppb_id: 0, physical_port_id: port, ld_id: ld },
});
const unbind = (vcs_id: number, vppb_id: number): Question => ({
  named: 'unbind-vppb',
  params: { vcs_id, vppb_id, option: 'managed-hot-remove' },
});
const feature: Question = { opcode: 0x0502, size: 32, via: 'port:3' };
const boundTo = (kind: 'port' | 'ld', port: number, ld = 0) => ({
  0: { usp: 0, vppbs: [kind === 'port' ? ({ kind, port } as const) : ({ kind, port, ld } as const)] },
  1: { usp: 1, vppbs: [kind === 'port' ? ({ kind, port } as const) : ({ kind, port, ld } as const)] },
});

/** Reach, and whose resources are touched or disturbed. */
const reaches: readonly [string, Question, string, readonly string[]][] = [
  ['a read', { named: 'identify', via: 'port:3' }, 'query', ['acme']],
  ['a read of the switch', { named: 'identify' }, 'query', ['fabric']],
  ['a reset of a free port', reset(3), 'own', ['acme']],
  [
    'a reset of a port that a stranger is bound to',
    {
      ...reset(3),
      topology: { vcss: { 0: { usp: 0, vppbs: [] }, 1: { usp: 1, vppbs: [{ kind: 'port', port: 3 }] } } },
    },
    'cross-tenant',
    ['acme', 'globex'],
  ],
  [
    'a reset of an MLD with a stranger on one LD',
    {
      ...reset(8),
      topology: { vcss: { 0: { usp: 0, vppbs: [] }, 1: { usp: 1, vppbs: [{ kind: 'ld', port: 8, ld: 1 }] } } },
    },
    'cross-tenant',
    ['acme', 'globex'],
  ],
  [
    'a reset where a binding is not known',
    { ...reset(3), topology: { vcss: { 0: { usp: 0, vppbs: [] }, 1: { usp: 1, vppbs: [{ kind: 'unknown' }] } } } },
    'cross-tenant',
    ['acme', 'globex'],
  ],
  [
    'a reset where a VCS was never read',
    { ...reset(3), topology: { vcss: { 0: { usp: 0, vppbs: [] } } } },
    'cross-tenant',
    ['acme', 'globex'],
  ],
  ["a reset of one's own upstream port", reset(0), 'own', ['acme']],
  [
    "a reset of a port that is another host's upstream port",
    { ...reset(3), topology: { vcss: { 0: { usp: 0, vppbs: [] }, 1: { usp: 3, vppbs: [] } } } },
    'cross-tenant',
    ['acme', 'globex'],
  ],
  [
    'a reset without a picture of the fabric',
    { ...reset(3), topology: { known: false } },
    'switch',
    ['acme', 'fabric', 'globex'],
  ],
  [
    'a reset of a shared MLD, by an operator',
    { ...reset(5), tenant: 'fabric' },
    'cross-tenant',
    ['acme', 'fabric', 'globex'],
  ],
  ['a config read', ppb(3, 'read'), 'query', ['acme']],
  ['a config write', ppb(3, 'write'), 'own', ['acme']],
  ['a config write to an LD', config(5, 0, 'write'), 'own', ['acme']],
  [
    'a config write to an LD that a stranger holds',
    { ...config(5, 0, 'write'), topology: { vcss: boundTo('ld', 5, 0) } },
    'cross-tenant',
    ['acme', 'globex'],
  ],
  [
    'a config write to an LD of a port that a stranger holds',
    { ...config(5, 0, 'write'), topology: { vcss: boundTo('port', 5) } },
    'cross-tenant',
    ['acme', 'globex'],
  ],
  [
    'a config write to the FM-owned LD of a shared MLD',
    { ...config(5, 0xffff, 'write'), tenant: 'fabric' },
    'cross-tenant',
    ['acme', 'fabric', 'globex'],
  ],
  ['a memory request', { opcode: 0x5302, payload: `05000000000004000000000000000000` }, 'opaque', ['acme']],
  ['bind of a port', bind(3, 0xffff), 'own', ['acme']],
  ["bind of an LD beside another tenant's", bind(5, 0), 'own', ['acme']],
  [
    'bind of an LD that a stranger holds',
    { ...bind(5, 0), topology: { vcss: boundTo('ld', 5, 0) } },
    'cross-tenant',
    ['acme', 'globex'],
  ],
  [
    "bind while another tenant's bind is in progress",
    { ...bind(5, 0), topology: { vcss: { 0: { usp: 0, vppbs: [] }, 1: { usp: 1, vppbs: [{ kind: 'unknown' }] } } } },
    'own',
    ['acme'],
  ],
  ['unbind of nothing', unbind(0, 0), 'own', ['acme']],
  ['unbind of an LD', { ...unbind(1, 1), tenant: 'globex' }, 'own', ['globex']],
  ['unbind of a port', { ...unbind(1, 0), tenant: 'globex' }, 'own', ['globex']],
  [
    'unbind of a port below which a stranger holds an LD',
    {
      ...unbind(0, 0),
      topology: {
        vcss: {
          0: { usp: 0, vppbs: [{ kind: 'port', port: 8 }] },
          1: { usp: 1, vppbs: [{ kind: 'ld', port: 8, ld: 0 }] },
        },
      },
    },
    'cross-tenant',
    ['acme', 'globex'],
  ],
  ['an error for a host', { opcode: 0x5203, size: 40 }, 'own', ['acme']],
  ['sanitize of an LD', { named: 'sanitize', via: 'port:5/ld:0' }, 'own', ['acme']],
  ['sanitize of an SLD', { named: 'sanitize', via: 'port:3' }, 'own', ['acme']],
  [
    'sanitize of an SLD that a stranger holds',
    { named: 'sanitize', via: 'port:3', topology: { vcss: boundTo('port', 3) } },
    'cross-tenant',
    ['acme', 'globex'],
  ],
  [
    'maintenance of an LD, which may share media',
    {
      named: 'perform-maintenance',
      params: { maintenance_operation_class: 'no-operation', maintenance_operation_subclass: 0 },
      via: 'port:5/ld:0',
    },
    'cross-tenant',
    ['acme', 'fabric', 'globex'],
  ],
  [
    'limits of own LDs on a shared MLD',
    { named: 'set-qos-bw-limit', params: { start_ld_id: 0, qos_limit_fractions: [9] }, via: 'port:5' },
    'cross-tenant',
    ['acme', 'fabric', 'globex'],
  ],
  [
    'limits on an MLD of one owner',
    { named: 'set-qos-bw-limit', params: { start_ld_id: 0, qos_limit_fractions: [9] }, via: 'port:8' },
    'own',
    ['acme'],
  ],
  [
    'firmware of the switch',
    { opcode: 0x0202, payload: '0101', tenant: 'fabric' },
    'switch',
    ['acme', 'fabric', 'globex'],
  ],
  ['a feature', feature, 'opaque', ['acme']],
  ['raw without a codec', { opcode: 0xc010, raw: true, via: 'port:3', posture: rawOpen }, 'opaque', ['acme']],
  ['raw with a codec', { opcode: 0x5102, payload: '0302', raw: true, posture: rawOpen }, 'own', ['acme']],
  [
    'effects that the catalogue does not know',
    { named: 'identify', via: 'port:3', topology: { cels: { 3: new Map([[1, 2]]) } } },
    'opaque',
    ['acme'],
  ],
];

describe('reach', () => {
  test.each(reaches)('%s', (_name, question, reach, tenants) => {
    const { decision, facts } = ask(question);
    expect(decision.facts.reach).toBe(reach);
    expect(decision.facts.tenants).toEqual(tenants);
    expect(facts?.reach).toBe(reach);
  });
});

const debugLog = '5e1819d911a9400c811fd60719403d86';
const celLog = '0da9c0b5bf414b788f7996b1623b3f17';
const free = { vcss: { 0: { usp: 0, vppbs: [] }, 1: { usp: 1, vppbs: [] } } } as const;

/** Conditions that hold, of all there are. */
const conditions: readonly [string, Question, readonly string[]][] = [
  ['a read', { named: 'identify' }, []],
  ['a change of what is own', { ...reset(3), topology: free }, ['mutating']],
  ['a config read of a free port', { ...ppb(3, 'read'), topology: free }, []],
  ['a config read of a bound port', { ...ppb(3, 'read'), topology: { vcss: boundTo('port', 3) } }, ['bound']],
  ['a config read of a port with a bound LD', { ...ppb(8, 'read'), topology: { vcss: boundTo('ld', 8) } }, ['bound']],
  ['a config read while the picture is out of date', { ...ppb(3, 'read'), topology: { known: false } }, ['bound']],
  [
    'a config read while a binding is not known',
    {
      ...ppb(3, 'read'),
      topology: { vcss: { 0: { usp: 0, vppbs: [{ kind: 'unknown' }] }, 1: { usp: 1, vppbs: [] } } },
    },
    ['bound'],
  ],
  [
    'a config read while a VCS was never read',
    { ...ppb(3, 'read'), topology: { vcss: { 0: { usp: 0, vppbs: [] } } } },
    ['bound'],
  ],
  [
    'a config read of a port that the picture lacks',
    { ...ppb(77, 'read'), tenant: 'fabric', topology: free },
    ['bound'],
  ],
  ['a request to a free LD beside a bound one', { ...config(5, 0, 'read') }, []],
  ['a request to a bound LD', { ...config(5, 1, 'read'), tenant: 'globex' }, ['bound']],
  ['a request to the FM-owned LD above bound ones', { ...config(5, 0xffff, 'read'), tenant: 'fabric' }, []],
  [
    'a memory request to a bound LD',
    { opcode: 0x5302, payload: '05000000010004000000000000000000', tenant: 'globex' },
    ['bound'],
  ],
  [
    'a malformed config request',
    { opcode: 0x5103, payload: '03' },
    ['bound', 'mutating', 'leaves-tenant', 'crosses-tenants'],
  ],
  ['a reset of a bound SLD', { ...reset(4), tenant: 'globex' }, ['bound-without-mld', 'mutating']],
  ['a reset of a free SLD', { ...reset(3), topology: free }, ['mutating']],
  [
    'a reset of an MLD with bound LDs',
    { ...reset(8), topology: { vcss: { ...free.vcss, 0: { usp: 0, vppbs: [{ kind: 'ld', port: 8, ld: 0 }] } } } },
    ['mutating'],
  ],
  ['a malformed reset', { opcode: 0x5102, payload: '03' }, ['mutating', 'leaves-tenant', 'crosses-tenants']],
  ['a quirk', { named: 'identify', topology: { neverSend: new Map([[0x0001, 'it dies']]) } }, ['quirk']],
  [
    "no quirk, the clock is the caller's own",
    { named: 'get-timestamp', topology: { neverSend: new Map([[0x0300, 'it dies']]) } },
    [],
  ],
  ["a change of the caller's own clock", { named: 'set-timestamp', params: { timestamp: 1 } }, []],
  ['the CEL', { opcode: 0x0401, payload: `${celLog}0000000000000000` }, []],
  ['another log', { opcode: 0x0401, payload: `${debugLog}0000000000000000` }, ['other-log']],
  ['capabilities of another log', { opcode: 0x0402, payload: debugLog }, ['other-log']],
  ['clearing another log', { opcode: 0x0403, payload: debugLog, via: 'port:3' }, ['other-log', 'mutating']],
  ['filling another log', { opcode: 0x0404, payload: debugLog, via: 'port:3' }, ['other-log', 'mutating']],
  ['a list of logs names none', { opcode: 0x0405, payload: '0100' }, []],
  ['a feature', feature, ['immediate-effect', 'mutating', 'leaves-tenant', 'crosses-tenants']],
  [
    'a change that crosses tenants',
    { ...reset(3), topology: { vcss: boundTo('port', 3) } },
    ['bound-without-mld', 'mutating', 'leaves-tenant', 'crosses-tenants'],
  ],
  [
    'the same by an operator with a grant on what is touched',
    { ...reset(3), tenant: 'fabric', topology: free },
    ['mutating', 'crosses-tenants'],
  ],
  [
    'the same by an operator without one',
    { ...reset(3), tenant: 'fabric', topology: free, grants: [] },
    ['mutating', 'leaves-tenant', 'crosses-tenants'],
  ],
];

describe('facts for mandatory rows', () => {
  test.each(conditions)('conditions of %s', (_name, question, expected) => {
    expect([...(ask(question).facts?.conditions ?? [])]).toEqual(expected);
  });

  test('level, profile, tenant and the command are told as they are', () => {
    const posture = fakePosture({ level: 'confidentiality', underLockdown: 'reads', profile: 'host' });
    const { facts } = ask({ named: 'set-lsa', params: { offset: 0, data: '00' }, via: 'port:5/ld:0', posture });
    expect(facts).toMatchObject({
      level: 'confidentiality',
      underLockdown: 'reads',
      profile: 'host',
      tenant: 'acme',
      command: { opcode: 0x4103, slug: 'set-lsa', class: 'audited', scope: 2, grant: 'slug-only' },
    });
  });

  test('an opcode without a row has no slug and no set', () => {
    expect(ask({ opcode: 0xc010, raw: true, via: 'port:3', posture: rawOpen }).facts?.command).toEqual({
      opcode: 0xc010,
      class: 'raw',
      scope: 3,
    });
  });

  test('classes and scopes: where a command is executed and what it reads can matter', () => {
    const at = (question: Question): string => {
      const { class: commandClass, scope } = ask(question).decision.facts;
      return `${commandClass} ${scope}`;
    };
    expect(at({ named: 'identify' })).toBe('allowlisted 0');
    expect(at({ named: 'get-ld-info', via: 'port:5' })).toBe('allowlisted 0');
    expect(at({ named: 'get-ld-info' })).toBe('audited 0');
    expect(at({ opcode: 0x0401, payload: `${celLog}0000000000000000` })).toBe('allowlisted 0');
    expect(at({ opcode: 0x0401, payload: `${debugLog}0000000000000000` })).toBe('audited 1');
    expect(at({ opcode: 0x0401, payload: `${debugLog}0000000000000000`, raw: true })).toBe('raw 1');
    expect(at({ named: 'get-fw-info' })).toBe('audited 1');
    expect(at({ opcode: 0x4900 })).toBe('raw 3');
    expect(at({ opcode: 0x5fff })).toBe('raw 3');
  });
});

describe('taints that restrict', () => {
  const row: FakeMandatoryRow = { id: 'T1', taint: ['X', 'M'], notClass: 'allowlisted' };
  const entry = (letter: TaintEntry['letter'], scope: string): TaintEntry => ({
    letter,
    scope,
    atMs: 5,
    by: 'broker',
    record: '1',
    reason: 'test',
  });
  const tainted = (entries: readonly TaintEntry[], acknowledged: readonly TaintEntry[] = []) =>
    fakePosture({ profile: 'bmc', taint: { mask: 1, letters: 'X', entries, acknowledgements: acknowledged } });
  const dyes: readonly [string, string, Question, string][] = [
    ['on the touched port', '/switches/sw0/ports/3', reset(3), 'EPERM T1 -> EPERM 2'],
    ['on the switch', '/switches/sw0', reset(3), 'EPERM T1 -> EPERM 2'],
    ['on another port', '/switches/sw0/ports/7', reset(3), 'allow'],
    ['on a port whose number begins the same', '/switches/sw0/ports/33', reset(3), 'allow'],
    ['below the touched port', '/switches/sw0/ports/8/lds/0', reset(8), 'EPERM T1 -> EPERM 2'],
    ["on another tenant's LD of the same MLD", '/switches/sw0/ports/5/lds/1', bind(5, 0), 'allow'],
    ["on one's own LD", '/switches/sw0/ports/5/lds/0', bind(5, 0), 'EPERM T1 -> EPERM 2'],
    ['allowlisted commands stay', '/switches/sw0/ports/3', { named: 'identify', via: 'port:3' }, 'allow'],
  ];

  test.each(dyes)('%s', (_name, scope, question, expected) => {
    expect(
      verdictOf(ask({ ...question, topology: free, mandatory: [row], posture: tainted([entry('X', scope)]) })),
    ).toBe(expected);
  });

  test('letters come in bit order, each once, and not when acknowledged', () => {
    const port = '/switches/sw0/ports/3';
    const posture = tainted(
      [entry('M', port), entry('X', port), entry('E', port), entry('X', '/switches/sw0')],
      [entry('E', port)],
    );
    expect(ask({ ...reset(3), posture }).facts?.taint).toEqual(['M', 'X']);
  });
});
