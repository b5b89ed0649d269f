import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { Side } from '../../../src/policy/meaning/index.ts';
import { Replay, readPastDecision, redecide } from '../../../src/policy/replay/index.ts';
import { openPolicy } from '../../../src/policy/trace/index.ts';
import { fabric, fabricOf, sourceOf } from '../load/fixture.ts';
import { sideOf } from '../meaning/sides.ts';
import { bind, DEV, LD, SLOT } from './recorded.ts';

const reader = 'p, role:reader, acme, own, class:allowlisted, allow\ng, group:tenant/acme, role:reader, acme\n';
const operator = `${reader}p, role:op, acme, own, bind-vppb, allow\ng, group:${DEV}#operators, role:op, acme\n`;
const notGranted = { step: 'grant', rule: 'grant', text: `nothing grants it on ${SLOT}` };
const denied = { ...bind, kind: 'decision', verdict: 'deny', reasons: [notGranted] };

async function replayed(candidate: Side, ...records: readonly object[]) {
  const replay = await Replay.of(candidate);
  const flips = records.map((record) => replay.take(record as typeof bind));
  return { flips, summary: replay.summary() };
}

describe('a replay', () => {
  test('tells a past command that would be denied, and why', async () => {
    const { flips, summary } = await replayed(await sideOf({ acme: reader }), bind);
    expect(flips).toMatchObject([
      {
        sequence: 7,
        requestId: 'r-7',
        principal: `user:${DEV}#alice`,
        before: 'allow',
        after: 'deny',
        touched: [SLOT, LD],
      },
    ]);
    expect(flips[0]?.because.map(({ text }) => text)).toEqual([
      `nothing grants it on ${SLOT}`,
      `nothing grants it on ${LD}`,
    ]);
    expect(summary).toMatchObject({ records: 1, replayed: 1, widened: 0, narrowed: 1 });
  });

  test('tells a past denial that would be allowed, with the rows', async () => {
    const { flips, summary } = await replayed(await sideOf({ acme: operator }), denied);
    expect(flips).toMatchObject([
      { before: 'deny', after: 'allow', because: [{ source: 'tenants/acme.csv:3' }, { source: 'tenants/acme.csv:3' }] },
    ]);
    expect(summary).toMatchObject({
      widened: 1,
      narrowed: 0,
      groups: [{ after: 'allow', because: 'tenants/acme.csv:3', count: 1 }],
    });
  });

  test('tells a row that denies', async () => {
    const rows = `${operator}p, role:op, acme, ${LD}, bind-vppb, deny\n`;
    const { flips } = await replayed(await sideOf({ acme: rows }), bind);
    expect(flips[0]?.because).toEqual([
      { text: expect.stringContaining(`denied on ${LD} by a row`), source: 'tenants/acme.csv:5' },
    ]);
  });

  test('leaves what no policy decides as it was', async () => {
    const side = await sideOf({ acme: operator });
    for (const step of ['structure', 'raw-gate', 'payload', 'cel', 'exclusive', 'offered', 'scope', 'quota']) {
      const reasons = [notGranted, { step, rule: 'R3', text: 'not in the CEL' }];
      expect((await replayed(side, { ...denied, reasons })).flips).toEqual([undefined]);
    }
    // The end of a tunnel path is not in the record, so what was said of it stays.
    const end = { step: 'ownership', rule: 'ownership', text: "the end of the path is not the caller's" };
    expect((await replayed(side, { ...denied, reasons: [notGranted, end] })).flips).toEqual([undefined]);
    // Refused by the pipeline: nothing of the decision stood against it.
    expect((await replayed(side, { ...denied, reasons: [] })).flips).toEqual([undefined]);
    const past = readPastDecision({ ...denied, reasons: [] });
    if (past.kind !== 'decision') throw new Error(past.kind);
    expect(redecide(side.engine, past.decision).reasons).toMatchObject([{ step: 'recorded' }]);
  });

  test('asks whose it is anew', async () => {
    const text = readFileSync('config/fabric.yaml', 'utf8');
    const moved = fabricOf(
      text
        .replace('      - /switches/sw0/ports/3/lds/0\n', '')
        .replace('globex:\n    owns:\n', 'globex:\n    owns:\n      - /switches/sw0/ports/3/lds/0\n'),
    );
    const open = `${operator}p, role:op, acme, ${LD}, bind-vppb, allow\n`;
    const { flips } = await replayed(await sideOf({ acme: open }, { fabric: moved }), bind);
    expect(flips[0]?.because).toEqual([{ text: `${LD} is not the caller's, or does not exist` }]);
    const foreign = { step: 'ownership', rule: 'ownership', text: `${LD} is not the caller's, or does not exist` };
    expect((await replayed(await sideOf({ acme: open }), { ...denied, reasons: [foreign] })).flips).toMatchObject([
      { after: 'allow' },
    ]);
    const gone = fabricOf(text.replace(/ {2}acme:[\s\S]*? {2}globex:/, '  globex:'));
    expect(
      (await replayed(await sideOf({ globex: reader.replaceAll('acme', 'globex') }, { fabric: gone }), bind)).flips,
    ).toMatchObject([{ after: 'deny' }]);
  });

  test('who first added a tag stays as it was recorded', async () => {
    const tag = '/switches/sw0/ports/3/tags/00000000-0000-0000-0000-00000000000a';
    const of = {
      ...bind,
      command: 'dynamic-capacity-add-reference',
      opcode: 0x5606,
      touched: [tag],
      grants: [{ resource: LD }],
    };
    const rows = `${reader}p, role:reader, acme, own, set:dcd-management, allow\n`;
    expect((await replayed(await sideOf({ acme: rows }), of)).flips).toEqual([undefined]);
    const foreign = { step: 'ownership', rule: 'ownership', text: `${tag} is not the caller's, or does not exist` };
    expect(
      (await replayed(await sideOf({ acme: rows }), { ...of, verdict: 'deny', reasons: [foreign] })).flips,
    ).toEqual([undefined]);
  });

  test('queries of the switch itself are any tenants', async () => {
    const side = await sideOf({
      acme: 'p, role:reader, acme, /switches/sw0, class:allowlisted, allow\np, role:reader, acme, /switches/sw0, class:audited, allow\ng, group:tenant/acme, role:reader, acme\n',
    });
    const query = {
      ...bind,
      touched: ['/switches/sw0'],
      grants: [{ resource: '/switches/sw0' }],
      conditions: [],
      reach: 'query',
      class: 'allowlisted',
    };
    const verdicts = async (change: object) =>
      (await replayed(side, { ...query, ...change })).flips[0]?.after ?? 'allow';
    expect(await verdicts({ opcode: 1, command: 'identify' })).toBe('allow');
    expect(await verdicts({ opcode: 0x0401, command: 'get-log' })).toBe('allow');
    expect(
      await verdicts({ opcode: 0x0401, command: 'get-log', class: 'audited', scope: 1, conditions: ['other-log'] }),
    ).toBe('deny');
    expect(
      await verdicts({
        opcode: 5,
        command: 'request-abort-background-operation',
        class: 'audited',
        scope: 3,
        conditions: ['mutating'],
        reach: 'own',
      }),
    ).toBe('allow');
    expect(await verdicts({ opcode: 1, command: 'identify', conditions: ['mutating'], reach: 'own' })).toBe('deny');
    expect(await verdicts({ opcode: 0x5201, command: 'bind-vppb', class: 'audited' })).toBe('deny');
    expect(await verdicts({ opcode: 0x0102, command: 'get-event-interrupt-policy', class: 'audited' })).toBe('deny');
    expect(await verdicts({ opcode: 0x0701, command: 'opcode:0x0701', class: 'raw', scope: 3 })).toBe('deny');
    expect(await verdicts({ opcode: 0xc010, command: 'opcode:0xc010', class: 'raw', scope: 3 })).toBe('deny');
  });

  test('operators: what they may name, and an explicit grant on each resource under lockdown', async () => {
    const rows = (place: string) =>
      `p, role:a, fabric, ${place}, bind-vppb, allow\ng, group:tenant/fabric, role:a, fabric\n`;
    const moving = {
      ...bind,
      tenant: 'fabric',
      groups: [],
      reach: 'cross-tenant',
      conditions: ['mutating', 'crosses-tenants'],
      posture: { ...bind.posture, lockdown: 'integrity' },
    };
    const whole = await sideOf({ fabric: rows('/switches/sw0/*') });
    expect((await replayed(whole, moving)).flips).toEqual([undefined]);
    const absent = { ...moving, touched: ['/switches/sw0/ports/99'], grants: [{ resource: '/switches/sw0/ports/99' }] };
    expect((await replayed(whole, absent)).flips).toEqual([undefined]);
    const part = await sideOf({ fabric: rows('/switches/sw0/vcss/0/*') });
    expect((await replayed(part, absent)).flips).toMatchObject([{ after: 'deny' }]);
    const { flips } = await replayed(part, moving);
    expect(flips[0]?.because.map(({ text }) => text).join()).toMatch(/\(L5\)/);
  });

  test('mandatory rows of the candidate', async () => {
    const raised = { ...denied, reasons: [{ step: 'mandatory', rule: 'T1', text: 'taint' }], activeTaint: ['M'] };
    expect((await replayed(await sideOf({ acme: operator }), raised)).flips).toEqual([undefined]);
    expect((await replayed(await sideOf({ acme: operator }), { ...raised, activeTaint: [] })).flips).toMatchObject([
      { after: 'allow' },
    ]);
  });

  test('a vendor command that the candidate has not reviewed is denied', async () => {
    const slug = 'northbay-get-port-temperature';
    const of = {
      ...bind,
      opcode: 0xc010,
      command: slug,
      scope: 1,
      conditions: [],
      reach: 'query',
      touched: ['/switches/sw0/ports/2'],
      grants: [{ resource: '/switches/sw0/ports/2' }],
    };
    const rows = `${reader}p, role:reader, acme, own, ${slug}, allow\n`;
    const source = sourceOf({ tenants: { acme: rows }, fabric });
    if (!('files' in source)) throw new Error('no files');
    const yaml = readFileSync(`test/policy/load/commands/${slug}.yaml`, 'utf8');
    const opened = await openPolicy({ ...source, files: { ...source.files, [`commands.d/${slug}.yaml`]: yaml } });
    if (!opened.ok) throw new Error('refused');
    expect((await replayed(opened.value, of)).flips).toEqual([undefined]);
    const onSwitch = { ...of, touched: ['/switches/sw0'], grants: [{ resource: '/switches/sw0' }] };
    expect((await replayed(opened.value, onSwitch)).flips).toMatchObject([{ after: 'deny' }]);
    // On the switch itself only where the row says so, and nothing of its reply is anybody's.
    const whole = `${rows}p, role:reader, acme, /switches/sw0, ${slug}, allow\n`;
    for (const [ownerData, after] of [
      ['none', undefined],
      ['possible', 'deny'],
    ] as const) {
      const text = yaml
        .replace('{ port-field: port_id }', 'switch')
        .replace('owner_data: none', `owner_data: ${ownerData}`);
      const wide = sourceOf({ tenants: { acme: whole }, fabric });
      if (!('files' in wide)) throw new Error('no files');
      const policy = await openPolicy({ ...wide, files: { ...wide.files, [`commands.d/${slug}.yaml`]: text } });
      if (!policy.ok) throw new Error('refused');
      expect((await replayed(policy.value, onSwitch)).flips[0]?.after).toBe(after);
      expect((await replayed(policy.value, { ...onSwitch, conditions: ['mutating'] })).flips[0]?.after).toBe('deny');
    }
    const { flips } = await replayed(await sideOf({ acme: reader }), of);
    expect(flips).toMatchObject([
      { after: 'deny', because: [{ text: `under this policy 0xc010 is not \`${slug}\`` }] },
    ]);
  });

  test('what was decided with the candidate itself is not asked again', async () => {
    const side = await sideOf({ acme: reader });
    const { flips, summary } = await replayed(side, { ...bind, snapshot: side.engine.id });
    expect(flips).toEqual([undefined]);
    expect(summary).toMatchObject({ replayed: 1, unchanged: 1 });
  });

  test('flips that are alike are told as one, the widening ones first', async () => {
    const side = await sideOf({
      acme: `${reader}p, role:op, acme, own, unbind-vppb, allow\ng, group:${DEV}#operators, role:op, acme\n`,
    });
    const unbind = { ...denied, command: 'unbind-vppb', opcode: 0x5202 };
    const { summary } = await replayed(
      side,
      bind,
      { ...bind, seq: 8, principal: `user:${DEV}#bob` },
      unbind,
      { ...unbind, seq: 9, tenant: 'globex' },
      { ...bind, seq: 10, groups: [] },
      {
        ...unbind,
        seq: 11,
        groups: [`group:${DEV}#operators`, `group:${DEV}#z`],
        touched: [SLOT],
        grants: [{ resource: SLOT }],
      },
      { ...bind, seq: 12, touched: [SLOT], grants: [{ resource: SLOT }] },
    );
    expect(summary.groups).toMatchObject([
      { after: 'allow', command: 'unbind-vppb', count: 2 },
      { after: 'deny', command: 'bind-vppb', count: 3, principals: 2, first: 7, last: 10 },
      { after: 'deny', command: 'bind-vppb', count: 1 },
    ]);
  });

  test('a journal with too many kinds of flips is told by number', async () => {
    const side = await sideOf({ acme: reader });
    const replay = await Replay.of(side);
    for (let i = 0; i < 10_001; i += 1) {
      const path = `/switches/sw0/ports/2/tags/00000000-0000-0000-0000-${i.toString(16).padStart(12, '0')}`;
      replay.take({
        ...bind,
        seq: i + 1,
        command: 'dynamic-capacity-add-reference',
        opcode: 0x5606,
        touched: [path],
        grants: [{ resource: path }],
      });
    }
    expect(replay.summary()).toMatchObject({ narrowed: 10_001, ungrouped: 1 });
  });
});

describe('what is in a journal', () => {
  const without = (name: string) => Object.fromEntries(Object.entries(bind).filter(([key]) => key !== name));

  test.each([['command'], ['principal']])('a record without %s decided no command', (name) => {
    expect(readPastDecision(without(name))).toEqual({ kind: 'undecided' });
  });

  test.each([['groups'], ['scopes'], ['conditions'], ['activeTaint'], ['posture'], ['class'], ['reach'], ['touched']])(
    'a record without %s is of an older broker',
    (name) => expect(readPastDecision(without(name))).toEqual({ kind: 'incomplete' }),
  );

  test('so is one whose posture has no profile', () => {
    const { profile: _profile, ...posture } = bind.posture;
    expect(readPastDecision({ ...bind, posture })).toEqual({ kind: 'incomplete' });
  });

  test.each([
    ['seq', 'x'],
    ['at', '2026\np, role:x'],
    ['principal', 'role:operator'],
    ['principal', 7],
    ['tenant', 'ACME'],
    ['groups', ['group:x']],
    ['groups', 'operators'],
    ['opcode', 0],
    ['opcode', 0x10000],
    ['class', 'open'],
    ['scope', 4],
    ['reach', 'far'],
    ['touched', ['ports/3']],
    ['grants', [{ resource: 3 }]],
    ['grants', [7]],
    ['conditions', ['sunny']],
    ['activeTaint', ['Z']],
    ['verdict', 'perhaps'],
    ['reasons', [{ step: 'grant' }]],
    ['reasons', [null]],
    ['snapshot', 3],
    ['posture', 'none'],
    ['posture', { ...bind.posture, lockdown: 'total' }],
  ])('%s: %j is nothing that a broker writes', async (name, value) => {
    const member = name === 'posture' && typeof value === 'object' ? 'posture.lockdown' : name;
    expect(readPastDecision({ ...bind, [name]: value })).toEqual({ kind: 'malformed', member });
    const { summary } = await replayed(
      await sideOf({ acme: reader }),
      { ...bind, [name]: value },
      without('command'),
      without('reach'),
    );
    expect(summary).toMatchObject({ records: 3, replayed: 0, malformed: 1, undecided: 1, incomplete: 1 });
  });

  test('a record without grants is replayed on what was touched', () => {
    expect(readPastDecision(without('grants'))).toMatchObject({ decision: { asked: [SLOT, LD] } });
    expect(readPastDecision(without('reasons'))).toMatchObject({ decision: { reasons: [] } });
  });

  test('more names than are remembered are looked at anew', () => {
    for (let i = 0; i < 100_001; i += 1) {
      const reading = readPastDecision({ ...bind, principal: `user:${DEV}#u${i}` });
      if (reading.kind !== 'decision') expect.unreachable(`u${i}`);
    }
  });
});
