import { describe, expect, test } from 'vitest';
import { learn, learnedCsv, UsageCollector } from '../../../src/policy/learn/index.ts';
import type { Side } from '../../../src/policy/meaning/index.ts';
import { sideOf } from '../meaning/sides.ts';

const DEV = 'https://cci-broker.local/dev';
const SLOT = '/switches/sw0/vcss/0/vppbs/0';
const LD = '/switches/sw0/ports/3/lds/0';
const policy = `p, role:reader, acme, own, class:allowlisted, allow
p, role:reader, acme, /switches/sw0, class:allowlisted, allow
p, role:op, acme, own, bind-vppb, allow
p, role:op, acme, own, unbind-vppb, allow
g, group:tenant/acme, role:reader, acme
g, group:${DEV}#operators, role:op, acme
`;

const read = {
  seq: 1,
  requestId: 'r-1',
  at: '2026-11-01T10:00:00.000Z',
  switch: 'sw0',
  principal: `user:${DEV}#alice`,
  tenant: 'acme',
  groups: [`group:${DEV}#operators`],
  scopes: ['cci:read'],
  opcode: 0x5101,
  command: 'get-physical-port-state',
  class: 'allowlisted',
  scope: 0,
  reach: 'query',
  touched: ['/switches/sw0/ports/2'],
  conditions: [],
  activeTaint: [],
  verdict: 'allow',
  posture: { version: 1, lockdown: 'none', taint: '-', profile: 'host', underLockdown: 'allow' },
};
const bind = {
  ...read,
  opcode: 0x5201,
  command: 'bind-vppb',
  class: 'audited',
  touched: [SLOT, LD],
  reach: 'own',
  conditions: ['mutating'],
};

async function learned(records: readonly object[], { side, allowance }: { side?: Side; allowance?: number } = {}) {
  const current = side ?? (await sideOf({ acme: policy }));
  const collector = new UsageCollector(current, 'acme');
  for (const record of records) collector.take(record as typeof read);
  const found = await learn(current, 'acme', collector.usage(), allowance);
  const csv = learnedCsv(found, { snapshot: current.engine.id, allowance });
  const rows = csv.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return { found, csv, rows };
}

describe('what is proposed', () => {
  test('is one row for each command on each object, for the widest name that it was allowed for', async () => {
    const { csv, rows, found } = await learned([
      read,
      { ...read, at: '2026-11-02T10:00:00.000Z', principal: `user:${DEV}#bob` },
      bind,
    ]);
    expect(rows).toEqual([
      'p, role:learned-acme, acme, /switches/sw0/ports/2, get-physical-port-state, allow',
      'g, group:tenant/acme, role:learned-acme, acme',
      `p, role:learned-operators, acme, ${LD}, bind-vppb, allow`,
      `p, role:learned-operators, acme, ${SLOT}, bind-vppb, allow`,
      `g, group:${DEV}#operators, role:learned-operators, acme`,
    ]);
    expect(csv).toContain('# 2 times by 2 callers, last 2026-11-02T10:00:00.000Z\np, role:learned-acme');
    expect(csv).toContain('# once by 1 caller');
    expect(found.unused.map(({ source }) => source)).toEqual(['tenants/acme.csv:2', 'tenants/acme.csv:4']);
    expect(csv).toContain('#   tenants/acme.csv:4: p, role:op, acme, own, unbind-vppb, allow');
    await expect(sideOf({ acme: csv })).resolves.toBeDefined();
  });

  test('says nothing of rows where all were used, nor of the time where nothing was', async () => {
    const side = await sideOf({
      acme: 'p, role:a, acme, own, get-physical-port-state, allow\ng, group:tenant/acme, role:a, acme\n',
    });
    expect((await learned([read], { side })).csv).not.toContain('decided nothing');
    expect((await learned([], { side })).csv).toContain('From 0 decisions, none to none');
  });

  test('is given to the user where the policy does not allow it any more, and says so', async () => {
    const side = await sideOf({ acme: 'p, role:a, acme, own, identify, allow\ng, group:tenant/acme, role:a, acme\n' });
    const { rows, csv } = await learned([bind], { side });
    expect(rows.at(-1)).toBe(`g, user:${DEV}#alice, role:learned-user-alice, acme`);
    expect(csv).toContain('# 2 uses are not allowed by that policy any more');
  });

  test('is given to the user too where no name of his is enough alone', async () => {
    const rows = `p, role:a, acme, own, bind-vppb, allow\ng, user:${DEV}#alice, role:a, acme\n`;
    const { rows: found } = await learned([{ ...bind, groups: [] }], { side: await sideOf({ acme: rows }) });
    expect(found.at(-1)).toBe(`g, user:${DEV}#alice, role:learned-user-alice, acme`);
  });

  test('never takes a role that is there, and names that look alike get roles of their own', async () => {
    const rows = `${policy}p, role:learned-acme, acme, own, identify, allow\n`;
    const side = await sideOf({
      acme: `${rows}p, role:op, acme, own, identify, allow\ng, group:https://other#operators, role:op, acme\n`,
    });
    const { found } = await learned(
      [read, bind, { ...bind, principal: 'user:https://other#x', groups: ['group:https://other#operators'] }],
      { side },
    );
    expect(found.roles.map(({ role }) => role)).toEqual([
      'role:learned-acme-2',
      'role:learned-operators',
      'role:learned-operators-2',
    ]);
  });

  test('keeps the rows that deny some of it, with who has them', async () => {
    const rows = `${policy}p, role:no, acme, ${LD}, bind-vppb, deny\np, role:no, acme, own, identify, deny\np, role:no, acme, /switches/sw0/ports/4, bind-vppb, deny\np, role:no, acme, own, bind-vppb, allow\ng, group:${DEV}#interns, role:no, acme\n`;
    const { rows: found, csv } = await learned([bind], { side: await sideOf({ acme: rows }) });
    expect(found.slice(-2)).toEqual([
      `p, role:no, acme, ${LD}, bind-vppb, deny`,
      `g, group:${DEV}#interns, role:no, acme`,
    ]);
    expect(csv).toContain('# tenants/acme.csv:7\n');
    const everywhere = `${policy}p, role:no, acme, own, set:virtual-switch, deny\np, role:no, acme, own, identify, allow\ng, group:${DEV}#interns, role:no, acme\n`;
    expect((await learned([bind], { side: await sideOf({ acme: everywhere }) })).found.denials).toHaveLength(1);
  });

  test('leaves out what no row can give, and says why', async () => {
    const gone = { ...bind, touched: ['/switches/sw0/ports/4'] };
    const unknown = { ...bind, opcode: 0xc010, command: 'no-such-vendor-command', touched: [LD] };
    const raw = { ...read, opcode: 0x4400, command: 'sanitize', class: 'raw', scope: 3, touched: [LD] };
    const never = { ...read, opcode: 0x4500, command: 'get-security-state', class: 'audited', scope: 3, touched: [LD] };
    const { csv, rows } = await learned([gone, gone, unknown, raw, never]);
    expect(rows).toEqual([]);
    expect(csv).toContain(
      '# Left out: `bind-vppb` on /switches/sw0/ports/4, 2 times: it does not belong to the tenant.',
    );
    expect(csv).toContain('unknown command `no-such-vendor-command`');
    expect(csv).toContain("`opcode:0x4400` on /switches/sw0/ports/3/lds/0, once: 0x4400 can't be granted by opcode");
    expect(csv).toContain('get-security-state');
  });

  test('no row is about one log, which the comment says', async () => {
    const log = { ...read, opcode: 0x0401, command: 'get-log', touched: [LD] };
    expect((await learned([log])).csv).toContain(
      '; gives every log\np, role:learned-acme, acme, /switches/sw0/ports/3/lds/0, get-log, allow',
    );
  });

  test('raw commands are granted by opcode', async () => {
    const side = await sideOf({ acme: `${policy}p, role:reader, acme, own, opcode:0xc000-0xc0ff, allow\n` });
    const { rows } = await learned(
      [{ ...read, opcode: 0xc010, command: 'opcode:0xc010', class: 'raw', scope: 3, touched: [LD] }],
      { side },
    );
    expect(rows[0]).toBe(`p, role:learned-acme, acme, ${LD}, opcode:0xc010, allow`);
  });

  test('counts only the tenant, only what was allowed, only what can be read', async () => {
    const { posture: _posture, ...old } = read;
    const { command: _command, ...nothing } = read;
    const { csv, found } = await learned([
      read,
      { ...read, tenant: 'globex' },
      { ...read, verdict: 'deny' },
      old,
      nothing,
    ]);
    expect(found.usage).toMatchObject({ records: 2, unreadable: 1, uses: [{ count: 1 }] });
    expect(csv).toContain('# 1 records could not be read');
  });

  test('what a journal holds ends no comment', async () => {
    const { csv } = await learned([{ ...bind, command: 'no-such\np, role:x, acme, own, bind-vppb, allow' }]);
    expect(csv).not.toMatch(/^p, role:x/m);
  });
});

describe('with --generalize', () => {
  const ports = ['/switches/sw0/ports/0', '/switches/sw0/ports/2'];
  const reads = ports.map((path) => ({ ...read, touched: [path] }));

  test('objects are folded only where no more is added than may be', async () => {
    const none = await learned(reads, { allowance: 0 });
    expect(none.rows).toHaveLength(3);
    const { rows, csv } = await learned(reads, { allowance: 10 });
    expect(rows[0]).toBe('p, role:learned-acme, acme, own, get-physical-port-state, allow');
    expect(csv).toContain('; gives 7 more that were not used');
    expect(csv).toContain('# A row may give up to 10 pairs');
  });

  test('a port and what is below it', async () => {
    const below = ['/switches/sw0/vcss/0', SLOT, `${SLOT.slice(0, -1)}1`, `${SLOT.slice(0, -1)}2`].map((path) => ({
      ...bind,
      touched: [path],
    }));
    const { rows } = await learned(below, { allowance: 1 });
    expect(rows[0]).toBe('p, role:learned-operators, acme, /switches/sw0/vcss/0/*, bind-vppb, allow');
  });

  test('commands are folded into a word that gives them in all their readings', async () => {
    const slugs = [
      [0x5200, 'get-virtual-cxl-switch-info', 'allowlisted'],
      [0x5201, 'bind-vppb', 'audited'],
      [0x5202, 'unbind-vppb', 'audited'],
      [0x5203, 'generate-aer-event', 'audited'],
    ] as const;
    const side = await sideOf({ acme: `${policy}p, role:reader, acme, own, set:virtual-switch, allow\n` });
    const uses = slugs.map(([opcode, command, commandClass]) => ({
      ...bind,
      opcode,
      command,
      class: commandClass,
      scope: opcode === 0x5203 ? 2 : 0,
      touched: [SLOT],
    }));
    const { rows } = await learned(uses, { side, allowance: 0 });
    expect(rows[0]).toBe(`p, role:learned-acme, acme, ${SLOT}, set:virtual-switch, allow`);
    // What is not the tenant's own, like the switch itself, is never folded.
    const onSwitch = [0x0001, 0x0003].map((opcode) => ({
      ...read,
      opcode,
      command: opcode === 1 ? 'identify' : 'get-response-message-limit',
      touched: ['/switches/sw0'],
    }));
    expect((await learned(onSwitch, { allowance: 100 })).rows).toHaveLength(3);
  });

  test('heads, hosts and tags count for the commands that touch them', async () => {
    const rows = `${policy}p, role:reader, acme, own, get-head-info, allow\n`;
    const side = await sideOf({ acme: rows });
    const heads = [0, 1].map((head) => ({
      ...read,
      opcode: 0x5501,
      command: 'get-head-info',
      class: 'audited',
      scope: 1,
      touched: [`/switches/sw0/ports/2/heads/${head}`],
    }));
    expect((await learned(heads, { side, allowance: 3 })).rows).toHaveLength(3);
    const denied = await sideOf({
      acme: `${rows}p, role:no, acme, /switches/sw0/ports/2/*, get-head-info, deny\np, role:no, acme, own, identify, allow\ng, group:${DEV}#interns, role:no, acme\n`,
    });
    const wide = await learned(heads, { side: denied, allowance: 1000 });
    expect(wide.rows.slice(-2)[0]).toBe('p, role:no, acme, /switches/sw0/ports/2/*, get-head-info, deny');
    const below = await learned(heads, { side: denied, allowance: 5 });
    expect(below.rows.slice(-2)[0]).toBe('p, role:no, acme, /switches/sw0/ports/2/*, get-head-info, deny');
    expect(below.rows[0]).toContain('/switches/sw0/ports/2/*, get-head-info');
    const far = await sideOf({
      acme: `${rows}p, role:no, acme, /switches/sw0/ports/4, get-head-info, deny\np, role:no, acme, own, identify, allow\n`,
    });
    expect((await learned(heads, { side: far, allowance: 1000 })).found.denials).toEqual([]);
    const own = await sideOf({
      acme: `${rows}p, role:no, acme, own, get-head-info, deny\np, role:no, acme, own, identify, allow\n`,
    });
    expect((await learned(heads, { side: own, allowance: 1000 })).found.denials).toMatchObject([{ names: [] }]);
  });
});
