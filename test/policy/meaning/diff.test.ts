import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { diffPolicies, type Side } from '../../../src/policy/meaning/index.ts';
import { openPolicy } from '../../../src/policy/trace/index.ts';
import { fabric, fabricOf, shipped, sourceOf } from '../load/fixture.ts';
import { sideOf } from './sides.ts';

const ISSUER = 'https://idp.example';
const base = 'p, role:reader, acme, own, class:allowlisted, allow\ng, group:tenant/acme, role:reader, acme\n';
const acme = (rows: string): Promise<Side> => sideOf({ acme: `${base}${rows}` });

async function grantsOf(before: string, after: string) {
  const diff = await diffPolicies(await acme(before), await acme(after));
  return diff.grants.map(({ kind, who, commands, resources, before: was, after: is }) => ({
    kind,
    who: who.map(({ names, also }) => [...names, ...also.map((name) => `= ${name}`)]),
    commands,
    resources,
    was: [was.allowed, was.because],
    is: [is.allowed, is.because],
    rows: is.rows,
  }));
}

describe('what a reviewer reads of a change', () => {
  test('a grant for everybody', async () => {
    expect(await grantsOf('', 'p, role:reader, acme, own, bind-vppb, allow\n')).toEqual([
      {
        kind: 'widened',
        who: [['group:tenant/acme']],
        commands: ['bind-vppb'],
        resources: ['own'],
        was: [false, 'no-row'],
        is: [true, 'grant'],
        rows: ['tenants/acme.csv:3'],
      },
    ]);
  });

  test('a row that is written otherwise and means the same is no change', async () => {
    const one = `p, role:a, acme, own, set:virtual-switch, allow\ng, group:${ISSUER}#x, role:a, acme\n`;
    const slugs = ['get-virtual-cxl-switch-info', 'bind-vppb', 'unbind-vppb', 'generate-aer-event'];
    const same = slugs.map((slug) => `p, role:b, acme, own, ${slug}, allow\n`).join('');
    expect(await grantsOf(one, `${same}g, group:${ISSUER}#x, role:b, acme\n`)).toEqual([]);
  });

  test('names with the same roles are told as one', async () => {
    const rows = `p, role:op, acme, /switches/sw0/ports/2/*, bind-vppb, allow\n`;
    const links = ['a', 'b', 'c'].map((name) => `g, user:${ISSUER}#${name}, role:op, acme\n`).join('');
    expect(await grantsOf(`${rows}g, user:${ISSUER}#z, role:op, acme\n`, `${rows}${links}`)).toMatchObject([
      { kind: 'widened', who: [[`user:${ISSUER}#a`, `= user:${ISSUER}#b`, `= user:${ISSUER}#c`]] },
      { kind: 'narrowed', who: [[`user:${ISSUER}#z`]], resources: ['/switches/sw0/ports/2/*'], is: [false, 'no-row'] },
    ]);
  });

  test('a role that comes through another role counts', async () => {
    const rows = `p, role:op, acme, own, bind-vppb, allow\ng, group:${ISSUER}#x, role:head, acme\ng, role:head, role:deputy, acme\n`;
    const given = await grantsOf(
      `${rows}p, role:deputy, acme, own, identify, allow\n`,
      `${rows}p, role:deputy, acme, own, bind-vppb, allow\n`,
    );
    expect(given).toMatchObject([{ kind: 'widened', who: [[`group:${ISSUER}#x`]], commands: ['bind-vppb'] }]);
  });

  test('a deny that goes away widens for whoever held both', async () => {
    const allow = `p, role:a, acme, own, bind-vppb, allow\ng, group:${ISSUER}#a, role:a, acme\n`;
    const deny = `p, role:d, acme, own, bind-vppb, deny\np, role:d, acme, own, identify, allow\ng, group:${ISSUER}#d, role:d, acme\n`;
    const gone = `p, role:d, acme, own, identify, allow\ng, group:${ISSUER}#d, role:d, acme\n`;
    expect(await grantsOf(`${allow}${deny}`, `${allow}${gone}`)).toMatchObject([
      { kind: 'widened', who: [[`group:${ISSUER}#a`, `group:${ISSUER}#d`]], was: [false, 'deny'], is: [true, 'grant'] },
    ]);
  });

  test.each([
    ['two users are never one caller', `user:${ISSUER}#a`, `user:${ISSUER}#d`],
    ['one token has one issuer', `group:${ISSUER}#a`, 'group:https://other.example#d'],
  ])('%s: a deny that only they could hold together changes nothing', async (_why, a, d) => {
    const allow = `p, role:a, acme, own, bind-vppb, allow\ng, ${a}, role:a, acme\n`;
    const deny = (effect: string) =>
      `p, role:d, acme, own, bind-vppb, ${effect}\np, role:d, acme, own, identify, allow\ng, ${d}, role:d, acme\n`;
    const gone = `p, role:d, acme, own, identify, allow\ng, ${d}, role:d, acme\n`;
    expect(await grantsOf(`${allow}${deny('deny')}`, `${allow}${gone}`)).toEqual([]);
  });

  test('a deny for everybody takes from everybody, and its end is told by who gains', async () => {
    const all = `p, role:a, acme, own, bind-vppb, allow\ng, group:${ISSUER}#a, role:a, acme\n`;
    const deny = 'p, role:reader, acme, own, bind-vppb, deny\n';
    expect(await grantsOf(all, `${all}${deny}`)).toMatchObject([
      { kind: 'narrowed', who: [[`group:${ISSUER}#a`]], is: [false, 'deny'] },
    ]);
    expect(await grantsOf(`${all}${deny}`, all)).toMatchObject([{ kind: 'widened', was: [false, 'deny'] }]);
  });

  test('more pairs than anybody reads are cut short', async () => {
    const names = Array.from({ length: 5 }, (_, i) => i);
    const allow = names
      .map((i) => `p, role:a${i}, acme, own, bind-vppb, allow\ng, group:${ISSUER}#a${i}, role:a${i}, acme\n`)
      .join('');
    const deny = (rows: boolean) =>
      names
        .map(
          (i) =>
            `${rows ? `p, role:d${i}, acme, own, bind-vppb, deny\n` : ''}p, role:d${i}, acme, own, identify, allow\ng, group:${ISSUER}#d${i}, role:d${i}, acme\n`,
        )
        .join('');
    const [change, ...more] = await grantsOf(`${allow}${deny(true)}`, `${allow}${deny(false)}`);
    expect(change?.who).toHaveLength(8);
    expect(more).toEqual([]);
  });

  test('queries of the switch itself are told by the class that the row names', async () => {
    expect(await grantsOf('', 'p, role:reader, acme, /switches/sw0, class:allowlisted, allow\n')).toMatchObject([
      { kind: 'widened', commands: ['class:allowlisted'], resources: ['/switches/sw0'] },
    ]);
  });

  test('one reading of a command, raw opcodes and ranges are told apart', async () => {
    const before = await sideOf(
      { fabric: 'p, role:a, fabric, own, get-supported-features, allow\ng, group:tenant/fabric, role:a, fabric\n' },
      { profile: 'bmc' },
    );
    const rows = ['scope:1', 'opcode:0xc000-0xc0ff', 'opcode:0xc100', 'opcode:0x5201'].map(
      (text) => `p, role:a, fabric, /switches/sw0/ports/5, ${text}, allow\n`,
    );
    const after = await sideOf(
      { fabric: `${rows.join('')}g, group:tenant/fabric, role:a, fabric\n` },
      { profile: 'bmc' },
    );
    const { grants } = await diffPolicies(before, after);
    const [widened] = grants.filter(
      ({ kind, resources }) => kind === 'widened' && resources.includes('/switches/sw0/ports/5'),
    );
    expect(widened?.commands).toEqual(
      expect.arrayContaining(['bind-vppb', 'raw opcode:0xc000-0xc100', 'raw opcode:0x5201']),
    );
    const cel = await sideOf({
      fabric: 'p, role:a, fabric, own, class:audited, allow\ng, group:tenant/fabric, role:a, fabric\n',
    });
    const both = await sideOf({
      fabric:
        'p, role:a, fabric, own, class:audited, allow\np, role:a, fabric, own, get-log, allow\ng, group:tenant/fabric, role:a, fabric\n',
    });
    const readings = await diffPolicies(cel, both);
    expect(readings.grants).toMatchObject([{ commands: ['get-log (Command Effects Log)'] }]);
  });
});

test('a command with several readings is told by its slug where it is given in all of them', async () => {
  expect(await grantsOf('', 'p, role:reader, acme, own, get-log, allow\n')).toMatchObject([
    { commands: ['get-log (other logs)'] },
  ]);
  const alone = await sideOf({ acme: 'p, role:a, acme, own, identify, allow\ng, group:tenant/acme, role:a, acme\n' });
  const more = await sideOf({
    acme: 'p, role:a, acme, own, identify, allow\np, role:a, acme, own, get-log, allow\ng, group:tenant/acme, role:a, acme\n',
  });
  expect((await diffPolicies(alone, more)).grants).toMatchObject([{ commands: ['get-log'] }]);
});

describe('what the fabric file changes', () => {
  const rows = {
    acme: base,
    globex: 'p, role:reader, globex, own, class:allowlisted, allow\ng, group:tenant/globex, role:reader, globex\n',
  };
  const text = readFileSync('config/fabric.yaml', 'utf8');

  test('an object that changes hands widens for one tenant and narrows for the other', async () => {
    const moved = fabricOf(
      text
        .replace('      - /switches/sw0/ports/2\n', '')
        .replace('globex:\n    owns:\n', 'globex:\n    owns:\n      - /switches/sw0/ports/2\n'),
    );
    const diff = await diffPolicies(await sideOf(rows), await sideOf(rows, { fabric: moved }));
    expect(diff.grants).toMatchObject([
      { kind: 'narrowed', tenant: 'acme', resources: ['/switches/sw0/ports/2/*'], after: { because: 'ownership' } },
      { kind: 'widened', tenant: 'globex', resources: ['/switches/sw0/ports/2/*'], before: { because: 'ownership' } },
    ]);
  });

  test('an object that is new, and a tenant who owns nothing', async () => {
    const larger = fabricOf(
      text
        .replace('      - { ids: 6 } ', '      - { ids: 6, lds: 2 } ')
        .replace('tenants:\n', 'tenants:\n  initech:\n    owns: []\n'),
    );
    const operators =
      'p, role:a, fabric, /switches/sw0/ports/6/*, identify, allow\ng, group:tenant/fabric, role:a, fabric\n';
    const nothing = 'p, role:a, initech, own, identify, allow\ng, group:tenant/initech, role:a, initech\n';
    const diff = await diffPolicies(
      await sideOf({ fabric: operators }),
      await sideOf({ fabric: operators, initech: nothing }, { fabric: larger }),
    );
    expect(diff.grants).toMatchObject([
      {
        kind: 'widened',
        tenant: 'fabric',
        resources: [0, 1].map((ld) => `/switches/sw0/ports/6/lds/${ld}`).concat('/switches/sw0/ports/6/ldpool'),
      },
    ]);
  });

  test('a tenant that is new, and one that is gone', async () => {
    const without = fabricOf(text.replace(/ {2}globex:[\s\S]*$/, ''));
    const diff = await diffPolicies(await sideOf({ acme: base }, { fabric: without }), await sideOf(rows));
    expect(diff.grants).toMatchObject([
      { kind: 'widened', tenant: 'globex', resources: ['own'], before: { because: 'ownership' } },
    ]);
    expect((await diffPolicies(await sideOf(rows), await sideOf({ acme: base }, { fabric: without }))).widened).toBe(
      false,
    );
  });
});

describe('what mandatory rows change', () => {
  const mandatory = String(shipped['mandatory.csv']);
  const tenants = { acme: base };

  test('a shipped row that is gone (profile bmc)', async () => {
    const loose = await sideOf(tenants, { mandatory: mandatory.replace(/^p2, T1,.*\n/m, ''), profile: 'bmc' });
    const diff = await diffPolicies(await sideOf(tenants, { profile: 'bmc' }), loose);
    expect(diff).toMatchObject({ widened: true, narrowed: false, grants: [] });
    const [change] = diff.mandatory;
    expect(change).toMatchObject({ kind: 'widened', id: 'T1', taints: ['M', 'X'], conditions: [] });
    expect(diff.mandatory.flatMap(({ profiles }) => profiles)).toContain('bmc');
  });

  test('a row of ones own, and the same row in other words', async () => {
    const more = await sideOf(tenants, {
      mandatory: `${mandatory}p2, L20, *, *, *, *, *, *, bind-vppb, deny, not here\n`,
    });
    const diff = await diffPolicies(await sideOf(tenants), more);
    expect(diff).toMatchObject({ widened: false, narrowed: true });
    expect(diff.mandatory[0]).toMatchObject({
      id: 'L20',
      commands: expect.arrayContaining(['bind-vppb']),
      reason: 'not here',
    });
    const twice = `${mandatory}p2, L21, integrity, *, *, *, *, *, bind-vppb, deny, a\np2, L22, *, *, *, *, *, *, bind-vppb, deny, b\n`;
    const same = await diffPolicies(more, await sideOf(tenants, { mandatory: twice }));
    expect(same).toMatchObject({ widened: false, narrowed: false });
  });

  test('a row that can never apply is nobodys loss', async () => {
    const never = `${mandatory}p2, L20, *, *, *, *, *, *, * if under-lockdown-reads and under-lockdown-off, deny, never\n`;
    const impossible = `${never}p2, B20, *, *, *, *, *, *, identify if bound, deny, identify names no port\n`;
    const diff = await diffPolicies(await sideOf(tenants, { mandatory: impossible }), await sideOf(tenants));
    expect(diff).toMatchObject({ widened: false, narrowed: false, mandatory: [] });
  });

  test('a row for tenants alone, and one for a configured restriction', async () => {
    const some = `${mandatory}p2, P20, *, *, *, *, *, own, bind-vppb if caller-not-fabric and mutating, deny, operators only\np2, L20, integrity, *, host, *, *, *, identify if under-lockdown-reads, deny, no\np2, L21, integrity, *, *, *, *, *, get-timestamp if under-lockdown-off, deny, no\n`;
    const diff = await diffPolicies(await sideOf(tenants, { mandatory: some }), await sideOf(tenants));
    expect(diff.mandatory.map(({ id, conditions }) => [id, conditions])).toEqual(
      expect.arrayContaining([
        ['P20', ['caller-not-fabric', 'mutating']],
        ['L20', ['under-lockdown-reads']],
      ]),
    );
  });
});

describe('what reviewed vendor commands change', () => {
  const slug = 'northbay-get-port-temperature';
  const yaml = readFileSync(`test/policy/load/commands/${slug}.yaml`, 'utf8');
  const grant = `${base}p, role:reader, acme, own, ${slug}, allow\n`;

  async function withCommand(text: string | undefined, rows: string): Promise<Side> {
    const source = sourceOf({ tenants: { acme: rows }, fabric });
    if (!('files' in source)) throw new Error('no files');
    const files = text === undefined ? source.files : { ...source.files, [`commands.d/${slug}.yaml`]: text };
    const opened = await openPolicy({ ...source, files });
    if (!opened.ok) throw new Error(opened.error.map(({ message }) => message).join());
    return opened.value;
  }

  test('one that is new widens for whoever is granted it, and its end narrows', async () => {
    const [without, reviewed] = [await withCommand(undefined, base), await withCommand(yaml, grant)];
    const added = await diffPolicies(without, reviewed);
    expect(added).toMatchObject({ widened: true, commands: [{ kind: 'added', slug, opcode: 0xc010 }] });
    expect(added.grants).toMatchObject([
      { commands: [slug], before: { because: 'no-command' }, after: { because: 'grant' } },
    ]);
    const removed = await diffPolicies(reviewed, without);
    expect(removed).toMatchObject({ widened: false, narrowed: true, commands: [{ kind: 'removed' }] });
  });

  test('one that is described otherwise is for somebody to look at', async () => {
    const changed = await diffPolicies(
      await withCommand(yaml, grant),
      await withCommand(yaml.replace('scope: 1', 'scope: 2'), grant),
    );
    expect(changed).toMatchObject({ widened: true, commands: [{ kind: 'changed', slug }], grants: [] });
    const same = await diffPolicies(await withCommand(yaml, grant), await withCommand(yaml, grant));
    expect(same).toMatchObject({ widened: false, commands: [] });
  });
});

test('an engine that does not say what was worked out is not papered over', async () => {
  const before = await acme('');
  const after = await acme('p, role:reader, acme, own, bind-vppb, allow\n');
  const lying: Side = { rules: after.rules, engine: before.engine };
  await expect(diffPolicies(before, lying)).rejects.toThrow('disagree');
});
