import { describe, expect, test } from 'vitest';
import { errnoTable, NO_SUCH_OBJECT, neededScope } from '../../../src/policy/index.ts';
import { fakePosture } from '../../support/fake-policy.ts';
import { ask, type Question, rawOpen, verdictOf } from './ask.ts';

const reset = (ppb_id: number): Question => ({
  named: 'physical-port-control',
  params: { ppb_id, port_opcode: 'reset-ppb' },
});
const identify: Question = { named: 'identify-switch-device' };
const letters = (question: Question): string =>
  ask(question)
    .decision.taints.map(({ letter }) => letter)
    .join('');

describe('a decision', () => {
  test('carries the command that is sent: decoded and written anew, with the path and tags it came with', () => {
    const { decision, input } = ask({ named: 'identify', via: 'port:5/ld:0' });
    expect(decision.command).toEqual(input.submission.command);
    expect(decision.command.payload).not.toBe(input.submission.command.payload);
  });

  test('never sends bytes that the codec does not write: a zero count that some senders add is dropped (D22)', () => {
    const payload = `0200000001000000000000000000000000000000000000000000000000000000`;
    const { decision } = ask({ opcode: 0x5604, payload, via: 'port:3' });
    expect(decision.verdict).toBe('allow');
    expect(decision.command.payload).toHaveLength(28);
    expect(
      ask({ opcode: 0x5604, payload, via: 'port:3', raw: true, posture: rawOpen }).decision.command.payload,
    ).toHaveLength(28);
  });

  test('leaves bytes without a codec as they are', () => {
    const { decision } = ask({ opcode: 0xc010, payload: 'beef', raw: true, via: 'port:3', posture: rawOpen });
    expect([...decision.command.payload]).toEqual([0xbe, 0xef]);
  });

  test('names what it rested on', () => {
    expect(ask(identify).decision.basis).toEqual({
      snapshot: 'f'.repeat(64),
      posture: 3,
      topology: 7,
      tokenExpiresAtMs: 2_000_000,
    });
  });

  test('holds every reason, in the order of the steps, though the first alone is told', () => {
    const { decision } = ask({
      opcode: 0x0403,
      payload: '00',
      scopes: [],
      grants: [],
      topology: { cels: { '': new Map() }, neverSend: new Map([[0x0403, 'it dies']]) },
      mandatory: [{ id: 'Q1', if: 'quirk', errno: 'ENOTTY' }],
    });
    expect(decision.reasons.map(({ step, rule }) => `${step} ${rule}`)).toEqual([
      'payload R5',
      'payload R6',
      'cel R3',
      'offered quirk',
      'mandatory Q1',
      'scope scope',
    ]);
    expect(decision.outward).toEqual({ errno: 'ENOMEM', returnCode: 0x16, text: errnoTable.ENOMEM.text });
  });

  test('says the same of a foreign object and of none, whatever else failed', () => {
    const foreign = [4, 99].map((port) => ask({ ...reset(port), scopes: [], grants: [] }).decision.outward);
    expect(foreign[0]).toEqual({ errno: 'EPERM', returnCode: 2, text: NO_SUCH_OBJECT });
    expect(foreign[1]).toEqual(foreign[0]);
    const bound = { id: 'B2', opcodes: [0x5102], if: 'bound-without-mld', errno: 'EBUSY', returnCode: 7 } as const;
    expect(verdictOf(ask({ ...reset(4), mandatory: [bound] }))).toBe('EBUSY B2 -> EPERM 2');
    expect(verdictOf(ask({ ...reset(4), tenant: 'globex', mandatory: [bound] }))).toBe('EBUSY B2 -> EBUSY 7');
  });

  test('denies by a row of the policy and says which', () => {
    const grants = [
      { tenant: 'acme', resource: 'own', command: '*' },
      { tenant: 'acme', resource: '/switches/sw0/ports/3', command: 'physical-port-control', effect: 'deny' },
    ] as const;
    const { decision } = ask({ ...reset(3), grants });
    expect(decision.reasons).toMatchObject([{ step: 'grant', errno: 'EPERM', rule: 'grant', source: 'grants.csv:2' }]);
    expect(verdictOf(ask({ ...reset(7), grants }))).toBe('allow');
  });

  test('needs a grant on each of several touched resources', () => {
    const bind: Question = {
      named: 'bind-vppb',
      params: { vcs_id: 0, vppb_id: 0, physical_port_id: 3, ld_id: 0xffff },
    };
    const port = { tenant: 'acme', resource: '/switches/sw0/ports/3', command: 'bind-vppb' };
    const vcs = { tenant: 'acme', resource: '/switches/sw0/vcss/0/*', command: 'bind-vppb' };
    expect(verdictOf(ask({ ...bind, grants: [port] }))).toBe('EPERM grant -> EPERM 2');
    expect(verdictOf(ask({ ...bind, grants: [vcs] }))).toBe('EPERM grant -> EPERM 2');
    expect(verdictOf(ask({ ...bind, grants: [port, vcs] }))).toBe('allow');
  });

  test('takes the LD that is granted where one is enough', () => {
    const onLd = (ld: number) => [{ tenant: 'acme', resource: `/switches/sw0/ports/5/lds/${ld}`, command: '*' }];
    const info: Question = { named: 'get-ld-info', via: 'port:5' };
    expect(ask({ ...info, grants: onLd(3) }).decision).toMatchObject({
      verdict: 'allow',
      facts: { touched: ['/switches/sw0/ports/5/lds/3'] },
    });
    expect(verdictOf(ask({ ...info, grants: onLd(1) }))).toBe('EPERM grant -> EPERM 2');
    const stranger = { ports: { 5: { lds: 2, ldOwners: { 0: 'globex' } } }, vcss: {} };
    expect(verdictOf(ask({ ...info, spec: stranger }))).toBe('EPERM ownership -> EPERM 2');
  });

  test('never allows what cannot be granted, whatever the rules say', () => {
    expect(verdictOf(ask({ opcode: 0x4500, via: 'port:3' }))).toBe('EPERM grant -> EPERM 2');
  });

  test('counts a grant only if it is true, not if it looks like it', () => {
    const grant = (_principal: unknown, resource: `/switches/${string}`) => ({
      resource,
      allowed: 'yes' as unknown as boolean,
    });
    expect(verdictOf(ask({ ...reset(3), engine: { grant } }))).toBe('EPERM grant -> EPERM 2');
  });
});

describe('a command without a sound form', () => {
  test('is taken for the worst there is and touches nothing that could be told', () => {
    expect(ask({ opcode: 0 }).decision).toMatchObject({
      verdict: 'deny',
      facts: {
        command: 'opcode:0x0000',
        class: 'raw',
        scope: 3,
        mutating: true,
        reach: 'opaque',
        touched: [],
        tenants: [],
      },
      outward: { errno: 'EINVAL' },
    });
  });
});

describe('inconsistencies inside', () => {
  const broken = (): never => {
    throw new Error('no such table');
  };

  test('an engine that fails denies, and outside it looks like everything else', () => {
    const { decision } = ask({ ...reset(3), engine: { grant: broken } });
    expect(decision).toMatchObject({
      verdict: 'deny',
      disclosed: false,
      reasons: [{ rule: 'internal', errno: 'EIO', text: 'the policy layer contradicts itself: no such table' }],
      outward: { errno: 'EPERM', returnCode: 2, text: NO_SUCH_OBJECT },
    });
    expect(verdictOf(ask({ ...reset(3), engine: { mandatory: broken } }))).toBe('EIO internal -> EPERM 2');
  });

  test('what is thrown need not be an error', () => {
    const grant = (): never => {
      throw 'text';
    };
    expect(ask({ ...reset(3), engine: { grant } }).decision.reasons[0]?.text).toContain('unknown');
  });

  test('a gate that fails refuses', () => {
    const { snapshot, input } = ask({ opcode: 0xc010, raw: true, via: 'port:3', posture: rawOpen });
    const topology = { ...input.topology, component: broken };
    const gate = snapshot.rawGate({ ...input, principal: { ...input.principal, tenant: 'acme' }, topology });
    expect(gate).toMatchObject({ kind: 'refused', reason: { rule: 'internal' } });
    expect(snapshot.decide({ ...input, topology }, gate).verdict).toBe('deny');
  });
});

describe('the raw gate', () => {
  const vendor: Question = { opcode: 0xc010, raw: true, via: 'port:3' };

  test('a verdict of an earlier posture does not hold', () => {
    const { snapshot, input, gate } = ask({ ...vendor, posture: rawOpen });
    expect(gate.kind).toBe('accepted');
    const locked = { ...input, posture: fakePosture({ level: 'integrity', rawCommands: 'taints-this-switch' }) };
    expect(snapshot.decide(locked, gate).reasons[0]).toMatchObject({ step: 'raw-gate', rule: 'R7.2' });
  });

  test('a raw command that went around it is refused', () => {
    expect(verdictOf(ask({ ...vendor, posture: rawOpen, gate: { kind: 'notRaw' } }))).toBe('EPERM R7 -> EPERM 2');
    expect(verdictOf(ask({ ...vendor, gate: { kind: 'accepted', taints: [] } }))).toBe('EPERM R7.1 -> EPERM 2');
  });

  test('a refusal of it is kept', () => {
    const { gate } = ask({ ...vendor, posture: fakePosture() });
    expect(verdictOf(ask({ ...vendor, posture: rawOpen, gate }))).toBe('EPERM R7.1 -> EPERM 2');
  });

  test('without the scope it refuses, and the reason is told once', () => {
    const { gate, decision } = ask({ ...vendor, posture: rawOpen, scopes: ['cci:read'] });
    expect(gate).toMatchObject({ kind: 'refused', reason: { step: 'scope' } });
    expect(decision.reasons).toHaveLength(1);
  });

  test.each([
    ["another tenant's SLD", 'port:4'],
    ["another tenant's LD", 'port:5/ld:1'],
    ['a shared MLD', 'port:5'],
    ['nothing', 'port:99'],
  ])('who owns nothing at the end of the path cannot taint it: %s', (_name, via) => {
    const { gate, decision } = ask({ ...vendor, via, posture: rawOpen });
    expect(gate).toMatchObject({ kind: 'refused', reason: { step: 'ownership', errno: 'EPERM' } });
    expect(decision.taints).toEqual([]);
    expect(decision.outward?.text).toBe(NO_SUCH_OBJECT);
  });

  test('nor the switch, except by a command whose payload would tell whose it is', () => {
    expect(ask({ opcode: 0xc010, raw: true, posture: rawOpen }).gate.kind).toBe('refused');
    expect(ask({ opcode: 0x5102, payload: '0302', raw: true, posture: rawOpen }).gate.kind).toBe('accepted');
  });

  test('marks the subtree that it went to', () => {
    const scopes = (via: string | undefined, tenant: string): readonly string[] => {
      const { gate } = ask({
        opcode: 0xc010,
        raw: true,
        ...(via === undefined ? {} : { via }),
        tenant,
        posture: rawOpen,
      });
      return gate.kind === 'accepted' ? gate.taints.map(({ letter, scope }) => `${letter} ${scope}`) : [];
    };
    expect(scopes('port:3', 'acme')).toEqual(['R /switches/sw0/ports/3', 'V /switches/sw0/ports/3']);
    expect(scopes('port:5/ld:3', 'acme')).toEqual(['R /switches/sw0/ports/5/lds/3', 'V /switches/sw0/ports/5/lds/3']);
    expect(scopes('port:8/ldpool', 'acme')).toEqual([
      'R /switches/sw0/ports/8/ldpool',
      'V /switches/sw0/ports/8/ldpool',
    ]);
    expect(scopes(undefined, 'fabric')).toEqual(['R /switches/sw0', 'V /switches/sw0']);
  });
});

describe('effects in the CEL', () => {
  const via = 'port:3';
  const cels = (bits: number) => ({
    cels: {
      3: new Map([
        [1, bits],
        [0x5300, 0],
        [0x4202, bits],
        [0x5603, bits],
      ]),
    },
  });
  const alerts: Question = { opcode: 0x4202, size: 12, via };

  test.each([1, 2, 3, 4, 5])('bit %i above the row makes the command raw and marks the component', (bit) => {
    const question: Question = { named: 'identify', via, topology: cels(1 << bit) };
    expect(ask(question).decision.facts).toMatchObject({ class: 'raw', mutating: true, reach: 'opaque' });
    expect(ask(question).decision.taints).toMatchObject([{ letter: 'E', scope: '/switches/sw0/ports/3' }]);
    expect(verdictOf(ask(question))).toBe('EPERM R7.1 -> EPERM 2');
  });

  test.each([0, 6, 7, 8, 9, 10, 11, 12, 15])('bit %i means nothing', (bit) => {
    expect(verdictOf(ask({ named: 'identify', via, topology: cels(1 << bit) }))).toBe('allow');
  });

  test('bits that the row has are no surprise; where the row says nothing every bit is', () => {
    expect(verdictOf(ask({ ...alerts, topology: cels(0x08) }))).toBe('allow');
    expect(ask({ ...alerts, topology: cels(0x0c) }).decision.facts.class).toBe('raw');
    const extents: Question = { opcode: 0x5603, size: 12, via };
    expect(ask({ ...extents, topology: cels(0x02) }).decision.facts.class).toBe('raw');
  });

  test('nor those that the device is known for', () => {
    const toleratedEffects = new Map([[1, 0x02]]);
    expect(verdictOf(ask({ named: 'identify', via, topology: { ...cels(0x02), toleratedEffects } }))).toBe('allow');
    expect(ask({ named: 'identify', via, topology: { ...cels(0x06), toleratedEffects } }).decision.facts.class).toBe(
      'raw',
    );
  });

  test('effects of the tunnel command itself are not those of what it carries', () => {
    const topology = { cels: { '': new Map([[0x5300, 0x3e]]) } };
    expect(verdictOf(ask({ named: 'identify', via, topology }))).toBe('allow');
  });

  test('with open gates the command goes on as a raw one', () => {
    const { decision } = ask({ named: 'identify', via, topology: cels(2), posture: rawOpen });
    expect(decision.verdict).toBe('allow');
    expect(decision.taints.map(({ letter }) => letter)).toEqual(['E', 'R']);
  });

  test("a stranger's device marks nothing", () => {
    const topology = {
      cels: {
        4: new Map([
          [1, 2],
          [0x5300, 0],
        ]),
      },
    };
    expect(letters({ named: 'identify', via: 'port:4', topology })).toBe('');
  });
});

describe('a CEL that was not read', () => {
  const unread = { cels: { 5: 'unread', '5/ld0': 'unread', 4: 'unread' } } as const;

  test('is asked for, outermost first', () => {
    const { decision } = ask({ named: 'identify', via: 'port:5/ld:0', topology: unread });
    expect(decision).toMatchObject({ verdict: 'deny', needsCel: [{ kind: 'port', port: 5 }] });
    expect(decision.reasons[0]?.text).toBe('the CEL of port:5 was not read yet');
  });

  test("is not asked for at a stranger's device", () => {
    expect(ask({ named: 'identify', via: 'port:4', topology: unread }).decision.needsCel).toBeUndefined();
  });

  test('is asked for whatever else stands against the command, so that a refusal tells nothing of others', () => {
    expect(
      ask({ named: 'identify', via: 'port:5/ld:0', topology: unread, scopes: [] }).decision.needsCel,
    ).toBeDefined();
  });
});

describe('what may be told', () => {
  const scopesWithPolicy: Question['scopes'] = ['cci:policy'];

  test.each<[string, Question, boolean]>([
    ['own objects', { ...reset(3), grants: [] }, true],
    ['own objects, where nothing is told', { ...reset(3), grants: [], disclose: 'none' }, false],
    ['foreign objects', reset(4), false],
    ['no objects', reset(99), false],
    ['the switch itself, queried', { ...identify, grants: [] }, true],
    ['the switch itself, changed', { opcode: 0x0404, size: 16 }, false],
    ['foreign objects, to a tenant who may see policies', { ...reset(4), scopes: scopesWithPolicy }, false],
    [
      'whatever is there, to an operator who may see policies',
      { ...reset(4), tenant: 'fabric', grants: [], scopes: scopesWithPolicy },
      true,
    ],
    [
      'own objects, to a tenant who may see policies, where nothing is told',
      { ...reset(3), scopes: scopesWithPolicy, disclose: 'none' },
      false,
    ],
    ['a malformed command', { opcode: 0 }, true],
    ['a switch that does not exist', { ...identify, switch: 'sw9' }, false],
    ['an operator on what a tenant owns', { ...reset(3), tenant: 'fabric', grants: [] }, false],
  ])('reasons for %s', (_name, question, disclosed) => {
    expect(ask(question).decision.disclosed).toBe(disclosed);
  });
});

describe('taints of what is accepted', () => {
  test.each<[string, Question, string]>([
    ['scope 0', { named: 'identify' }, ''],
    ['scope 1', { opcode: 0x4102, size: 8, via: 'port:3' }, ''],
    ['scope 2', reset(3), 'J'],
    ['scope 3', { named: 'sanitize', via: 'port:3' }, 'J'],
    ['firmware moved', { opcode: 0x0201, size: 128, via: 'port:3' }, 'JF'],
    ['firmware activated', { opcode: 0x0202, payload: '0101', via: 'port:3' }, 'JF'],
    ['nothing where refused', { ...reset(3), grants: [] }, ''],
  ])('%s', (_name, question, expected) => {
    expect(letters(question)).toBe(expected);
  });
});

describe('quirks and claims', () => {
  test('a device that must not be sent tunnels gets none, but all else', () => {
    const topology = { neverSend: new Map([[0x5300, 'it dies']]) };
    expect(verdictOf(ask({ named: 'identify', via: 'port:3', topology }))).toBe('ENOTTY quirk -> ENOTTY 3');
    expect(verdictOf(ask({ named: 'identify', topology }))).toBe('allow');
  });

  test('prohibitions of a host mailbox are not those of a fabric manager', () => {
    expect(verdictOf(ask(reset(3)))).toBe('allow');
    expect(verdictOf(ask({ ...reset(3), topology: { switchCci: 'host-mailbox' } }))).toBe('ENOTTY offered -> ENOTTY 3');
  });

  test('what only a GAE has is prohibited on mailboxes that are none', () => {
    expect(
      ask({ opcode: 0x5800, size: 2, raw: true, tenant: 'fabric', posture: rawOpen }).decision.reasons.map(
        ({ text }) => text,
      ),
    ).toContain('0x5800 is prohibited on the CCI that would execute it');
  });
});

describe('token scopes', () => {
  test('each caps its own number; raw commands have one of their own', () => {
    expect(neededScope('allowlisted', 0)).toBe('cci:read');
    expect([0, 1, 2, 3].map((scope) => neededScope('audited', scope as 0))).toEqual([
      'cci:config',
      'cci:debug-read',
      'cci:debug-write',
      'cci:debug-write-full',
    ]);
    expect(neededScope('raw', 0)).toBe('cci:raw');
  });
});
