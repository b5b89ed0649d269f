import { describe, expect, test } from 'vitest';
import { Replay, readPastDecision, redecide } from '../../../src/policy/replay/index.ts';
import { sideOf } from '../meaning/sides.ts';
import { bind, DEV, LD, SLOT } from './recorded.ts';

const reader = 'p, role:reader, acme, own, class:allowlisted, allow\ng, group:tenant/acme, role:reader, acme\n';
const granting = (command: string, place = 'own') =>
  `${reader}p, role:op, acme, ${place}, ${command}, allow\ng, group:${DEV}#operators, role:op, acme\n`;
const notGranted = { step: 'grant', rule: 'grant', text: `nothing grants it on ${SLOT}` };

async function again(rows: Parameters<typeof sideOf>[0], record: object) {
  const { engine } = await sideOf(rows);
  const reading = readPastDecision(record as typeof bind);
  if (reading.kind !== 'decision') throw new Error(reading.kind);
  return redecide(engine, reading.decision);
}

describe('a decision that is taken again', () => {
  test('tells each row that allows it', async () => {
    expect(await again({ acme: granting('bind-vppb') }, bind)).toEqual({
      verdict: 'allow',
      reasons: [],
      grants: [SLOT, LD].map((resource) => ({
        resource,
        allowed: true,
        rule: { source: 'tenants/acme.csv:3', text: 'p, role:op, acme, own, bind-vppb, allow' },
      })),
    });
  });

  test('tells everything that stands against it, in order', async () => {
    const record = {
      ...bind,
      verdict: 'deny',
      activeTaint: ['M'],
      touched: [SLOT, '/switches/sw0/ports/4'],
      grants: [{ resource: SLOT }, { resource: '/switches/sw0/ports/4' }],
      reasons: [
        { step: 'mandatory', rule: 'T1', text: 'gone' },
        { step: 'scope', rule: 'R14', text: 'the token does not say so' },
        { step: 'ownership', rule: 'ownership', text: "/switches/sw0/ports/4 is not the caller's, or does not exist" },
        { step: 'ownership', rule: 'ownership', text: "/switches/sw0/ports/44 is not the caller's, or does not exist" },
        notGranted,
      ],
    };
    const { verdict, reasons } = await again({ acme: granting('bind-vppb', '/switches/sw0/vcss/0/*') }, record);
    expect(verdict).toBe('deny');
    expect(reasons).toEqual([
      {
        step: 'mandatory',
        text: 'an unacknowledged taint X or M is on this component (T1)',
        source: expect.stringMatching(/^mandatory\.csv:\d+$/),
      },
      { step: 'ownership', text: "/switches/sw0/ports/4 is not the caller's, or does not exist" },
      { step: 'grant', text: 'nothing grants it on /switches/sw0/ports/4' },
      { step: 'recorded', text: 'the token does not say so (R14)' },
      { step: 'recorded', text: "/switches/sw0/ports/44 is not the caller's, or does not exist (ownership)" },
    ]);
  });

  test('tells the row that denies, and what the broker refused for itself', async () => {
    const rows = `${granting('bind-vppb')}p, role:op, acme, ${LD}, bind-vppb, deny\n`;
    expect((await again({ acme: rows }, { ...bind, verdict: 'deny', reasons: [] })).reasons).toEqual([
      {
        step: 'grant',
        text: `denied on ${LD} by a row: p, role:op, acme, ${LD}, bind-vppb, deny`,
        source: 'tenants/acme.csv:5',
      },
      { step: 'recorded', text: 'the broker refused it for a reason other than policy' },
    ]);
  });

  test('is denied where a name means another command now, with what was recorded', async () => {
    const reasons = [{ step: 'quota', rule: 'quota', text: 'too many' }];
    expect(
      await again({ acme: granting('bind-vppb') }, { ...bind, command: 'unbind-vppb', verdict: 'deny', reasons }),
    ).toEqual({
      verdict: 'deny',
      reasons: [
        { step: 'grant', text: 'under this policy 0x5201 is not `unbind-vppb`' },
        { step: 'recorded', text: 'too many (quota)' },
      ],
      grants: [],
    });
  });

  test('a command that only its slug grants is still that', async () => {
    const record = {
      ...bind,
      opcode: 0x4400,
      command: 'sanitize',
      scope: 3,
      touched: [LD],
      grants: [{ resource: LD }],
    };
    expect((await again({ acme: granting('scope:<=3') }, record)).verdict).toBe('deny');
    expect((await again({ acme: granting('sanitize') }, record)).verdict).toBe('allow');
  });

  test('raw bytes are granted by number, whatever the catalogue calls them', async () => {
    const posture = { ...bind.posture, profile: 'bmc' };
    const record = { ...bind, class: 'raw', scope: 3, posture };
    for (const command of ['bind-vppb', 'opcode:0x5201']) {
      expect((await again({ acme: granting('opcode:0x5201') }, { ...record, command })).verdict).toBe('allow');
      expect((await again({ acme: granting('bind-vppb') }, { ...record, command })).verdict).toBe('deny');
    }
    const vendor = { ...record, opcode: 0xc010, command: 'opcode:0xc010' };
    expect((await again({ acme: granting('opcode:0xc000-0xc0ff') }, vendor)).verdict).toBe('allow');
    expect((await again({ acme: granting('opcode:0xc011') }, vendor)).verdict).toBe('deny');
  });

  test('the standing of the switch is that of the day', async () => {
    const side = { acme: granting('bind-vppb') };
    const rulesOf = async (posture: object, change: object = {}) =>
      (await again(side, { ...bind, ...change, posture: { ...bind.posture, ...posture } })).reasons.map(({ text }) =>
        text.slice(text.lastIndexOf('(')),
      );
    expect(await rulesOf({})).toEqual([]);
    expect(await rulesOf({ lockdown: 'integrity', underLockdown: 'off' })).toEqual(['(L8)']);
    expect(await rulesOf({ lockdown: 'integrity', underLockdown: 'reads' })).toEqual(['(L8)']);
    expect(await rulesOf({ lockdown: 'none', underLockdown: 'off' })).toEqual([]);
    expect(await rulesOf({}, { reach: 'cross-tenant' })).toEqual(['(P2)']);
    expect(await rulesOf({}, { reach: 'switch' })).toEqual(['(P2)', '(P3)']);
    expect(await rulesOf({ profile: 'bmc' }, { reach: 'switch' })).toEqual(['(P2)']);
    expect(await rulesOf({}, { conditions: ['quirk'] })).toEqual(['(Q1)']);
    expect(await rulesOf({ lockdown: 'integrity' }, { conditions: ['crosses-tenants'] })).toEqual(['(L5)']);
    expect(await rulesOf({ lockdown: 'integrity' }, { conditions: ['leaves-tenant'] })).toEqual(['(L5)']);
  });
});

describe('whose it is, asked again', () => {
  const OTHERS = '/switches/sw0/ports/4';
  const about = (path: string) => ({ touched: [path], grants: [{ resource: path }] });
  const verdictOf = async (rows: string, record: object, tenant = 'acme') =>
    (await again({ [tenant]: rows }, { ...bind, tenant, ...record })).verdict;
  const everybody = (tenant: string, place: string, command = 'bind-vppb') =>
    `p, role:a, ${tenant}, ${place}, ${command}, allow\ng, group:tenant/${tenant}, role:a, ${tenant}\n`;

  test('operators may act on what is a tenant by a row about just that, and on nothing that is not there', async () => {
    expect(await verdictOf(everybody('fabric', OTHERS), about(OTHERS), 'fabric')).toBe('allow');
    expect(await verdictOf(everybody('fabric', OTHERS), about('/switches/sw0/ports/99'), 'fabric')).toBe('deny');
  });

  test('a tenant may not, and has nothing that is not there, whatever his rows cover', async () => {
    expect(await verdictOf(everybody('acme', OTHERS), about(OTHERS))).toBe('deny');
    expect(await verdictOf(everybody('acme', '/switches/*'), about('/switches/sw0/ports/99'))).toBe('deny');
  });

  test('a query of the switch is one of the switch alone', async () => {
    const identify = { opcode: 1, command: 'identify', class: 'allowlisted', conditions: [], reach: 'query' };
    const rows = everybody('acme', '/switches/*', 'class:allowlisted');
    expect(await verdictOf(rows, { ...identify, ...about('/switches/sw0') })).toBe('allow');
    expect(await verdictOf(rows, { ...identify, ...about(OTHERS) })).toBe('deny');
    expect(await verdictOf(rows, { ...identify, ...about('/switches/sw0'), switch: 'sw1' })).toBe('deny');
    const capabilities = { ...identify, opcode: 0x0402, command: 'get-log-capabilities', conditions: ['other-log'] };
    expect(await verdictOf(rows, { ...capabilities, ...about('/switches/sw0') })).toBe('allow');
  });

  test('under lockdown operators need a grant on each resource, and lose one that they had', async () => {
    const moving = {
      conditions: ['mutating', 'crosses-tenants', 'leaves-tenant'],
      reach: 'cross-tenant',
      posture: { ...bind.posture, lockdown: 'integrity' },
    };
    expect(await verdictOf(everybody('fabric', OTHERS), { ...moving, ...about(OTHERS) }, 'fabric')).toBe('allow');
    expect(
      await verdictOf(everybody('fabric', '/switches/sw0/ports/5'), { ...moving, ...about(OTHERS) }, 'fabric'),
    ).toBe('deny');
    expect(await verdictOf(everybody('fabric', OTHERS), { ...moving, touched: [], grants: [] }, 'fabric')).toBe('deny');
  });

  test('what the broker said of a touched object for another reason than ownership stays', async () => {
    const reasons = [{ step: 'quota', rule: 'quota', text: `${SLOT} is asked for too often` }];
    expect(await verdictOf(granting('bind-vppb'), { verdict: 'deny', reasons })).toBe('deny');
  });
});

describe('a caller of whom no row speaks', () => {
  test('is none of whom one does, however he would be made up', async () => {
    const rows = `${reader}p, role:op, acme, own, bind-vppb, allow\ng, user:${DEV}#somebody-1, role:op, acme\ng, group:${DEV}#readers, role:reader, acme\n`;
    const replay = await Replay.of(await sideOf({ acme: rows }));
    const bob = { ...bind, principal: `user:${DEV}#bob`, groups: [`group:${DEV}#readers`] };
    expect(replay.take(bob)).toMatchObject({ after: 'deny' });
    expect(replay.take({ ...bob, principal: `user:${DEV}#somebody-1` })).toBeUndefined();
    expect(replay.take({ ...bob, principal: `user:${DEV}#carol`, groups: [] })).toMatchObject({ after: 'deny' });
  });
});

describe('what a replay has found', () => {
  test('is counted to the last record, and told with the rows', async () => {
    const side = await sideOf({ acme: granting('unbind-vppb') });
    const replay = await Replay.of(side);
    const unbind = { ...bind, command: 'unbind-vppb', opcode: 0x5202, verdict: 'deny', reasons: [notGranted] };
    const flips = [
      bind,
      { ...bind, seq: 8, touched: [LD], grants: [{ resource: LD }], principal: `user:${DEV}#bob` },
      { ...bind, seq: 9, touched: [LD], grants: [{ resource: LD }] },
      { ...unbind, seq: 10 },
      { ...unbind, seq: 11, touched: [LD], grants: [{ resource: LD }], command: 'unbind-vppb' },
      { ...bind, seq: 12, snapshot: side.engine.id },
      { ...bind, seq: 13, verdict: 'deny', reasons: [notGranted] },
      { ...bind, seq: 'x' },
      { seq: 14 },
      { ...bind, posture: undefined },
    ].map((record) => replay.take(record));
    expect(flips[0]).toEqual({
      sequence: 7,
      requestId: 'r-7',
      at: '2026-11-01T10:00:00.000Z',
      principal: `user:${DEV}#alice`,
      tenant: 'acme',
      command: 'bind-vppb',
      touched: [SLOT, LD],
      before: 'allow',
      after: 'deny',
      because: [{ text: `nothing grants it on ${SLOT}` }, { text: `nothing grants it on ${LD}` }],
    });
    expect(flips[3]).toMatchObject({
      before: 'deny',
      after: 'allow',
      because: Array(2).fill({
        text: 'p, role:op, acme, own, unbind-vppb, allow',
        source: 'tenants/acme.csv:3',
      }),
    });
    expect(flips.slice(5)).toEqual(Array(5).fill(undefined));
    const group = { tenant: 'acme', principals: 1 };
    expect(replay.summary()).toEqual({
      candidate: side.engine.id,
      records: 10,
      replayed: 7,
      unchanged: 1,
      widened: 2,
      narrowed: 3,
      undecided: 1,
      incomplete: 1,
      malformed: 1,
      ungrouped: 0,
      groups: [
        {
          ...group,
          after: 'allow',
          command: 'unbind-vppb',
          because: 'tenants/acme.csv:3',
          count: 2,
          first: 10,
          last: 11,
        },
        {
          ...group,
          after: 'deny',
          command: 'bind-vppb',
          because: `nothing grants it on ${LD}`,
          count: 2,
          principals: 2,
          first: 8,
          last: 9,
        },
        {
          ...group,
          after: 'deny',
          command: 'bind-vppb',
          because: `nothing grants it on ${SLOT}, nothing grants it on ${LD}`,
          count: 1,
          first: 7,
          last: 7,
        },
      ],
    });
  });

  test('of the same kind is counted on when there are too many kinds', async () => {
    const replay = await Replay.of(await sideOf({ acme: reader }));
    const onTag = (seq: number, tag: number) => {
      const path = `/switches/sw0/ports/2/tags/00000000-0000-0000-0000-${tag.toString(16).padStart(12, '0')}`;
      const of = { command: 'dynamic-capacity-add-reference', opcode: 0x5606 };
      replay.take({ ...bind, ...of, seq, touched: [path], grants: [{ resource: path }] });
    };
    for (let tag = 0; tag < 10_000; tag += 1) onTag(tag, tag);
    onTag(10_000, 0);
    expect(replay.summary()).toMatchObject({ narrowed: 10_001, ungrouped: 0 });
    onTag(10_001, 10_000);
    const { ungrouped, groups } = replay.summary();
    expect(ungrouped).toBe(1);
    expect(groups).toHaveLength(10_000);
    expect(groups[0]).toMatchObject({ count: 2, first: 0, last: 10_000 });
  });
});
