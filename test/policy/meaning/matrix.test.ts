import { describe, expect, test } from 'vitest';
import { matrixOf, parseMatrixFilter } from '../../../src/policy/meaning/index.ts';
import { sideOf } from './sides.ts';

const DEV = 'https://cci-broker.local/dev';
const operators = (tenant: string, rows: string): string =>
  `p, role:reader, ${tenant}, own, class:allowlisted, allow
p, role:reader, ${tenant}, /switches/sw0, class:allowlisted, allow
${rows}p, role:operator, ${tenant}, /switches/sw0, request-abort-background-operation, allow
g, role:operator, role:reader, ${tenant}
g, group:tenant/${tenant}, role:reader, ${tenant}
g, group:${DEV}#operators, role:operator, ${tenant}
`;
const tenants = {
  acme: operators(
    'acme',
    'p, role:operator, acme, own, bind-vppb, allow\np, role:operator, acme, own, scope:1, allow\n',
  ),
  globex: operators('globex', 'p, role:operator, globex, own, set:virtual-switch, allow\n'),
  fabric: `p, role:reader, fabric, /switches/sw0/*, class:allowlisted, allow
p, role:admin, fabric, /switches/sw0/vcss/0/*, set:virtual-switch, allow
g, role:admin, role:reader, fabric
g, group:tenant/fabric, role:reader, fabric
g, group:${DEV}#admins, role:admin, fabric
`,
};
const rowsOf = async (texts: Record<string, string>, profile: 'host' | 'bmc' = 'host') =>
  (await matrixOf(await sideOf(texts, { profile }), profile)).rows.map(({ who, kind, commands, resources }) => [
    who,
    kind,
    commands,
    resources,
  ]);

describe('the matrix', () => {
  test('of the shipped policies is a table that a person reads', async () => {
    const found = await matrixOf(await sideOf(tenants), 'host');
    expect(found.without).toEqual([]);
    expect(found.rows.filter(({ tenant }) => tenant === 'acme')).toMatchObject([
      { who: 'group:tenant/acme', kind: 'may', commands: ['class:allowlisted'], resources: ['/switches/sw0'] },
      { who: 'group:tenant/acme', kind: 'may', commands: ['class:allowlisted'], resources: ['own'] },
      { who: `group:${DEV}#operators`, commands: ['request-abort-background-operation'], resources: ['/switches/sw0'] },
      { who: `group:${DEV}#operators`, commands: ['scope:1', 'bind-vppb'], resources: ['own'] },
    ]);
    expect(found.rows.find(({ who }) => who === 'group:tenant/fabric')).toMatchObject({
      resources: ['/switches/sw0/*'],
      sources: ['tenants/fabric.csv:1'],
    });
  });

  test('says what a name takes from whoever has it', async () => {
    const rows = `p, role:a, acme, own, identify, allow\np, role:d, acme, /switches/sw0/ports/2, identify, deny\ng, group:tenant/acme, role:a, acme\ng, group:${DEV}#d, role:d, acme\n`;
    expect(await rowsOf({ acme: rows })).toEqual([
      ['group:tenant/acme', 'may', ['identify'], ['own']],
      [`group:${DEV}#d`, 'may-not', ['identify'], ['/switches/sw0/ports/2']],
    ]);
  });

  test('does not say again what everybody may on a part of it', async () => {
    const rows = `p, role:a, acme, /switches/sw0/ports/2, get-virtual-cxl-switch-info, allow
p, role:op, acme, /switches/sw0/ports/2, set:virtual-switch, allow
p, role:op, acme, /switches/sw0/ports/0, bind-vppb, allow
p, role:op, acme, /switches/sw0/ports/0, unbind-vppb, allow
p, role:op, acme, /switches/sw0/ports/0, generate-aer-event, allow
g, group:tenant/acme, role:a, acme
g, group:${DEV}#op, role:op, acme
`;
    expect(await rowsOf({ acme: rows })).toEqual([
      ['group:tenant/acme', 'may', ['get-virtual-cxl-switch-info'], ['/switches/sw0/ports/2']],
      [
        `group:${DEV}#op`,
        'may',
        ['bind-vppb', 'unbind-vppb', 'generate-aer-event'],
        ['/switches/sw0/ports/0', '/switches/sw0/ports/2'],
      ],
    ]);
  });

  test('leaves out what the profile never lets through', async () => {
    const rows = {
      fabric: `p, role:a, fabric, /switches/sw0/ports/5, opcode:0xc010, allow\np, role:a, fabric, /switches/sw0/ports/5, identify, allow\ng, group:tenant/fabric, role:a, fabric\n`,
    };
    expect(await rowsOf(rows)).toEqual([['group:tenant/fabric', 'may', ['identify'], ['/switches/sw0/ports/5']]]);
    expect(await rowsOf(rows, 'bmc')).toEqual([
      ['group:tenant/fabric', 'may', ['identify', 'raw opcode:0xc010'], ['/switches/sw0/ports/5']],
    ]);
  });

  test('names tenants who may nothing', async () => {
    expect(
      (
        await matrixOf(
          await sideOf({ acme: tenants.acme, globex: 'p, role:x, globex, own, identify, allow\n' }),
          'host',
        )
      ).without,
    ).toEqual(['fabric', 'globex']);
  });

  test.each([
    [{ tenant: 'globex' }, ['globex']],
    [{ command: 'generate-aer-event' }, ['fabric', 'globex']],
    [{ resource: '/switches/sw0/ports/2' }, ['acme', 'fabric']],
    [{ tenant: 'acme', command: 'set:virtual-switch', resource: '/switches/sw0/vcss/0/*' }, ['acme']],
  ])('shows only what is asked for: %j', async (texts, expected) => {
    const side = await sideOf(tenants);
    const parsed = parseMatrixFilter(texts, side.engine);
    if (!parsed.ok) throw new Error(parsed.problem.message);
    const { rows } = await matrixOf(side, 'host', parsed.filter);
    expect([...new Set(rows.map(({ tenant }) => tenant))]).toEqual(expected);
  });

  test.each([
    [{ tenant: 'acmee' }, /no tenant/],
    [{ command: 'bindd' }, /bindd/],
    [{ resource: '/switches/sw9' }, /not in the fabric file/],
  ])('refuses a filter that names nothing: %j', async (texts, why) => {
    const { engine } = await sideOf(tenants);
    expect(parseMatrixFilter(texts, engine)).toMatchObject({
      ok: false,
      problem: { message: expect.stringMatching(why) },
    });
  });

  test('heads, hosts and tags that a row names are told from the others below the port', async () => {
    const rows = {
      acme: 'p, role:a, acme, /switches/sw0/ports/2/heads/99999, get-head-info, allow\np, role:a, acme, /switches/sw0/ports/2/*, identify, allow\ng, group:tenant/acme, role:a, acme\n',
    };
    expect(await rowsOf(rows)).toEqual([
      [
        'group:tenant/acme',
        'may',
        ['identify'],
        ['', '/heads/*', '/hosts/*', '/tags/*'].map((below) => `/switches/sw0/ports/2${below}`),
      ],
      ['group:tenant/acme', 'may', ['identify', 'get-head-info'], ['/switches/sw0/ports/2/heads/99999']],
    ]);
  });
});
