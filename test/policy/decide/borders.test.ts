import { describe, expect, test } from 'vitest';
import { inStepOrder, reason } from '../../../src/policy/decide/reason.ts';
import type { Reason, Step } from '../../../src/policy/types.ts';
import { ask, type Question, rawOpen, verdictOf } from './ask.ts';

// Where what is one's own ends: the last id of a range, the next LD, the other port of the same device, the host of
// another tenant, and what the gate says before anybody has looked into the payload.

const sw = '/switches/sw0';
const foreign = 'EPERM ownership -> EPERM 2';
const tag = 'a1'.repeat(16);
const tagText = 'a1a1a1a1-a1a1-a1a1-a1a1-a1a1a1a1a1a1';
const noTag = '00'.repeat(16);
const heldBy1 = (kind: 'port' | 'ld', port: number, ld = 0) => ({
  0: { usp: 0, vppbs: [] },
  1: { usp: 1, vppbs: [kind === 'port' ? ({ kind, port } as const) : ({ kind, port, ld } as const)] },
});
const config = (port: number, ld: number): Question => ({
  named: 'send-ld-cxl-io-configuration-request',
  params: {
    ppb_id: port,
    request_control: {
      register_number: 0,
      extended_register_number: 0,
      first_dword_byte_enable: 15,
      transaction_type: 'write',
    },
    ld_id: ld,
    transaction_data: 0,
  },
});
const bind = (port: number, ld: number): Question => ({
  named: 'bind-vppb',
  params: { vcs_id: 0, vppb_id: 0, physical_port_id: port, ld_id: ld },
});
const unbind = (vcs_id: number, vppb_id: number): Question => ({
  named: 'unbind-vppb',
  params: { vcs_id, vppb_id, option: 'managed-hot-remove' },
});
const abort: Question = { opcode: 0x0005 };

const reaches: readonly (readonly [string, Question, string, readonly string[]])[] = [
  ["the end of one's own background operation", abort, 'own', ['acme']],
  ["an operator's end of whatever runs", { ...abort, tenant: 'fabric' }, 'switch', ['acme', 'fabric', 'globex']],
  [
    'bind of a port that a stranger holds',
    { ...bind(3, 0xffff), topology: { vcss: heldBy1('port', 3) } },
    'cross-tenant',
    ['acme', 'globex'],
  ],
  [
    'unbind while a binding of another host is not known',
    {
      ...unbind(0, 0),
      topology: {
        vcss: { 0: { usp: 0, vppbs: [{ kind: 'ld', port: 5, ld: 0 }] }, 1: { usp: 1, vppbs: [{ kind: 'unknown' }] } },
      },
    },
    'own',
    ['acme'],
  ],
  [
    'unbind of an LD that another host holds as well',
    {
      ...unbind(0, 0),
      topology: { vcss: { ...heldBy1('ld', 5, 0), 0: { usp: 0, vppbs: [{ kind: 'ld', port: 5, ld: 0 }] } } },
    },
    'cross-tenant',
    ['acme', 'globex'],
  ],
  ['a write to the LD of the same number behind another port', config(8, 1), 'own', ['acme']],
  [
    'sanitize of an LD that a stranger holds',
    { named: 'sanitize', via: 'port:5/ld:0', topology: { vcss: heldBy1('ld', 5, 0) } },
    'cross-tenant',
    ['acme', 'globex'],
  ],
  [
    'memory given to the host of an LD that a stranger holds',
    {
      named: 'initiate-dynamic-capacity-add',
      params: { host_id: 0, selection_policy: 'free', region: 0, length: 1, tag: noTag },
      via: 'port:5',
      topology: { vcss: heldBy1('ld', 5, 0) },
    },
    'cross-tenant',
    ['acme', 'globex'],
  ],
  [
    "the end of the fabric manager's hold on one's own tag",
    {
      named: 'dynamic-capacity-remove-reference',
      params: { tag },
      via: 'port:5',
      topology: { tagOwners: { [`5/${tagText}`]: 'acme' } },
    },
    'own',
    ['acme'],
  ],
];

describe('who is disturbed', () => {
  test.each(reaches)('%s', (_name, question, reach, tenants) => {
    const { facts } = ask(question).decision;
    expect([facts.reach, facts.tenants]).toEqual([reach, tenants]);
  });

  test("a tenant may be granted the end of his own background operation, never an operator's command beside it", () => {
    expect(verdictOf(ask(abort))).toBe('allow');
    expect(ask(abort).decision.facts.mutating).toBe(true);
    // Changes the switch for everybody: a raw form of the same is no query of his own either.
    expect(verdictOf(ask({ opcode: 0x0202, payload: '0101' }))).toBe(foreign);
  });

  test('what the mandatory rules were told is what the journal keeps', () => {
    const { facts } = ask({ ...config(5, 0), topology: { vcss: heldBy1('ld', 5, 0) } }).decision;
    expect(facts.conditions).toEqual(['bound', 'mutating', 'leaves-tenant', 'crosses-tenants']);
  });
});

const lds = (...ids: readonly number[]): readonly string[] => ids.map((ld) => `${sw}/ports/8/lds/${ld}`);

/** Commands that name a range of LDs behind port 8, which has two; by an operator nothing is cut away. */
const ranges: readonly (readonly [string, Question, readonly string[]])[] = [
  ['get-ld-allocations', { opcode: 0x5401, payload: '0002' }, lds(0, 1)],
  ['set-ld-allocations', { opcode: 0x5402, payload: `02000000${'01'.repeat(32)}` }, lds(0, 1)],
  ['get-qos-allocated-bw', { opcode: 0x5406, payload: '0200' }, lds(0, 1)],
  ['set-qos-allocated-bw', { opcode: 0x5407, payload: '02000101' }, lds(0, 1)],
  ['get-qos-bw-limit', { opcode: 0x5408, payload: '0200' }, lds(0, 1)],
  ['set-qos-bw-limit', { opcode: 0x5409, payload: '02000101' }, lds(0, 1)],
  ['get-multi-headed-info', { opcode: 0x5500, payload: '0002' }, lds(0, 1)],
  ['set-qos-allocated-bw of one', { opcode: 0x5407, payload: '010101' }, lds(1)],
];

describe('reasons', () => {
  const of = (step: string, text: string): Reason => reason(step as Step, 'EPERM', 'x', text);

  test('stand in the order of the steps, those of one step as they were found', () => {
    const found = [
      of('grant', '1'),
      of('structure', '2'),
      of('grant', '3'),
      of('mandatory', '4'),
      of('structure', '5'),
    ];
    expect(inStepOrder(found).map(({ text }) => text)).toEqual(['2', '5', '4', '1', '3']);
  });

  test('of a step that nobody has heard of refuse like any other', () => {
    expect(inStepOrder([of('quota', '1'), of('new-step', '2')]).map(({ text }) => text)).toEqual(['2', '1']);
  });
});

describe('a range of LDs', () => {
  test.each(ranges)('%s touches each of them', (_name, question, expected) => {
    expect(ask({ ...question, via: 'port:8', tenant: 'fabric' }).decision.facts.touched).toEqual(expected);
  });

  test.each(ranges.filter(([name]) => name.startsWith('get')))(
    '%s, raw, is refused for one foreign LD',
    (_n, question) => {
      const payload = question.opcode === 0x5401 || question.opcode === 0x5500 ? '0002' : '0200';
      expect(verdictOf(ask({ ...question, payload, via: 'port:5', raw: true, posture: rawOpen }))).toBe(foreign);
    },
  );

  test.each(ranges.filter(([name]) => name.startsWith('set-')))(
    '%s with a foreign LD in it is refused',
    (_n, question) => {
      expect(verdictOf(ask({ ...question, via: 'port:5' }))).toBe(foreign);
    },
  );
});

describe('a device behind two ports', () => {
  const topology = {
    devices: { 5: { device: 'mld', ldCount: 4, beside: [8] }, 8: { device: 'mld', ldCount: 4, beside: [5] } },
  } as const;

  test('a part of it that the switch is asked to change is the same part behind the other', () => {
    expect(ask({ ...config(5, 0), topology }).decision.facts.touched).toEqual([
      `${sw}/ports/5/lds/0`,
      `${sw}/ports/8/lds/0`,
    ]);
  });

  test('a virtual switch with the number of such a port is none', () => {
    const devices = { 0: { device: 'mld', ldCount: 4, beside: [8] } } as const;
    const touched = ask({ opcode: 0x5203, size: 40, topology: { devices } }).decision.facts.touched;
    expect(touched).toEqual([`${sw}/vcss/0`]);
  });
});

describe('what only the switch can say', () => {
  const operator = { tenant: 'fabric' } as const;

  test.each([
    ['a vPPB past the last', unbind(0, 4), 'allow'],
    ['a VCS that nobody has', unbind(9, 0), 'allow'],
    ['a vPPB whose binding was not read', { ...unbind(1, 0), topology: { vcss: heldBy1('port', 4) } }, 'allow'],
    [
      'a vPPB that is there, its binding not known',
      { ...unbind(1, 0), topology: { vcss: { 1: { usp: 1, vppbs: [{ kind: 'unknown' }] } } } },
      'EBUSY target-unknown -> EBUSY 6',
    ],
    [
      'a VCS that the file has and nobody has read',
      { ...unbind(1, 0), topology: { vcss: {} } },
      'EBUSY target-unknown -> EBUSY 6',
    ],
  ] as const)('an operator unbinds %s', (_name, question, expected) => {
    expect(verdictOf(ask({ ...(question as Question), ...operator }))).toBe(expected);
  });

  test('an operator looks behind a port with nothing in it, a tenant is told nothing', () => {
    expect(verdictOf(ask({ named: 'identify', via: 'port:7', ...operator }))).toBe('ENOTTY offered -> ENOTTY 3');
    expect(verdictOf(ask({ named: 'identify', via: 'port:99', ...operator }))).toBe('allow');
    expect(verdictOf(ask({ named: 'identify', via: 'port:99' }))).toBe(foreign);
  });
});

describe('the raw gate, before the payload is looked at', () => {
  const effects = (key: string) => ({
    cels: {
      [key]: new Map([
        [1, 2],
        [0x5300, 0],
      ]),
    },
  });

  test("effects that nobody knew make a command raw: not at the end of a stranger's path", () => {
    const { gate, decision } = ask({ named: 'identify', via: 'port:4', topology: effects('4'), posture: rawOpen });
    expect(gate).toMatchObject({ kind: 'refused', reason: { step: 'ownership' } });
    expect(decision.taints).toEqual([]);
  });

  test("and at one's own, or at the switch, it is the payload that tells whose it is", () => {
    expect(ask({ named: 'identify', via: 'port:3', topology: effects('3'), posture: rawOpen }).gate.kind).toBe(
      'accepted',
    );
    expect(ask({ named: 'identify', topology: effects(''), posture: rawOpen }).gate.kind).toBe('accepted');
  });

  test('the window onto a list of tags stays as it was given', () => {
    const window = '0100000002000000';
    const raw = ask({ opcode: 0x5608, payload: window, via: 'port:8', raw: true, posture: rawOpen });
    expect(Buffer.from(raw.decision.command.payload).toString('hex')).toBe(window);
    const typed = ask({ opcode: 0x5608, payload: window, via: 'port:8' });
    expect(Buffer.from(typed.decision.command.payload).toString('hex')).toBe('00000000ffffffff');
  });
});
