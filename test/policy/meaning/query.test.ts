import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { answer, Desk, parseQuestion, type Side } from '../../../src/policy/meaning/index.ts';
import { openPolicy } from '../../../src/policy/trace/index.ts';
import { fabric, shipped, sourceOf } from '../load/fixture.ts';
import { sideOf } from './sides.ts';

const DEV = 'https://cci-broker.local/dev';
const tenants = Object.fromEntries(
  ['acme', 'globex', 'fabric'].map((name) => [name, String(shipped[`tenants/${name}.csv`])]),
);

async function ask(text: string, side?: Side, profile: 'host' | 'bmc' = 'host') {
  const desk = await Desk.of(side ?? (await sideOf(tenants, { profile })), profile);
  const parsed = parseQuestion(text, desk.side.engine);
  if (!parsed.ok) throw new Error(parsed.problem.message);
  return answer(desk, parsed.question);
}

describe('yes', () => {
  test('with somebody, the row for each object that is touched, and what has to be so', async () => {
    const found = await ask('can globex ever bind-vppb on /switches/sw0/ports/4');
    expect(found).toMatchObject({ yes: true, obstacles: [] });
    expect(found.witnesses).toMatchObject([
      {
        tenant: 'globex',
        names: [`group:${DEV}#operators`],
        command: 'bind-vppb',
        scope: 'cci:config',
        provided: ['/switches/sw0/ports/4 belongs to globex in the fabric file'],
        touched: [{ resource: expect.stringContaining('/vcss/1/vppbs/') }, { resource: '/switches/sw0/ports/4' }],
      },
    ]);
    const [witness] = found.witnesses;
    expect(witness?.unless.map(({ by }) => by.join()).join()).toMatch(/L8 .*T1 .*Q1 /);
  });

  test.each([
    ['can acme identify on /switches/sw0', []],
    ['can anyone of acme identify on /switches/sw0?', []],
    [`can group:tenant/acme get-ld-info on /switches/sw0/ports/3/lds/1`, []],
    [`can group:${DEV}#operators of acme bind-vppb on /switches/sw0/ports/2`, [`group:${DEV}#operators`]],
    ['can role:operator of acme bind-vppb on /switches/sw0/ports/2', [`group:${DEV}#operators`]],
    ['can role:reader of acme identify on /switches/sw0/ports/2', []],
    [
      `can user:${DEV}#alice of acme ever unbind-vppb on /switches/sw0/ports/3/lds/0`,
      [`user:${DEV}#alice`, `group:${DEV}#operators`],
    ],
    ['can anyone ever set:virtual-switch on /switches/sw0/vcss/0/*', undefined],
    ['can acme ever class:allowlisted on /switches/sw0/ports/3/*', []],
    ['can acme ever scope:1 on /switches/sw0/ports/2', undefined],
    ['can acme ever get-log on /switches/sw0/ports/2', []],
    ['can fabric ever physical-port-control on /switches/sw0/*', undefined],
    ['can acme get-physical-port-state on /switches/sw0/ports/2', []],
    ['can acme ever get-virtual-cxl-switch-info on /switches/sw0/vcss/0', []],
    ['can acme ever request-abort-background-operation on /switches/sw0', undefined],
  ])('%s', async (text, names) => {
    const found = await ask(text);
    expect(found.yes).toBe(true);
    if (names !== undefined) expect(found.witnesses[0]?.names).toEqual(names);
  });

  test('for a slot, an empty one and one that is taken', async () => {
    const [slot] = (await ask('can acme ever unbind-vppb on /switches/sw0/vcss/0/vppbs/1')).witnesses;
    expect(slot?.touched).toHaveLength(1);
    const [port] = (await ask('can acme ever unbind-vppb on /switches/sw0/ports/2')).witnesses;
    expect(port?.provided).toContain('port 2 is bound to vPPB 0/0 then');
    const [ld] = (await ask('can acme ever unbind-vppb on /switches/sw0/ports/3/lds/1')).witnesses;
    expect(ld?.provided).toContain('port 3 LD 1 is bound to vPPB 0/0 then');
  });

  test('below a port: heads, hosts and tags, and the pool', async () => {
    const rows = 'p, role:a, fabric, /switches/sw0/*, scope:<=3, allow\ng, group:tenant/fabric, role:a, fabric\n';
    const side = await sideOf({ fabric: rows }, { profile: 'bmc' });
    for (const [command, path] of [
      ['get-head-info', '/switches/sw0/ports/7/heads/1'],
      ['get-dc-region-extent-lists', '/switches/sw0/ports/7/hosts/0'],
      ['dynamic-capacity-add-reference', '/switches/sw0/ports/7/tags/00000000-0000-0000-0000-00000000000a'],
      ['get-dcd-info', '/switches/sw0/ports/7/ldpool'],
      ['get-ld-allocations', '/switches/sw0/ports/7/lds/1'],
      ['generate-aer-event', '/switches/sw0/vcss/1'],
    ]) {
      const found = await ask(`can fabric ever ${command} on ${path}`, side, 'bmc');
      expect({ command, path, yes: found.yes, obstacles: found.obstacles }).toMatchObject({ yes: true });
    }
  });

  test('raw commands where the profile lets them be', async () => {
    const rows =
      'p, role:a, fabric, /switches/sw0/ports/5, opcode:0xc000-0xc0ff, allow\ng, group:tenant/fabric, role:a, fabric\n';
    const side = await sideOf({ fabric: rows }, { profile: 'bmc' });
    const found = await ask('can fabric ever opcode:0xc010 on /switches/sw0/ports/5', side, 'bmc');
    expect(found).toMatchObject({
      yes: true,
      witnesses: [{ command: 'raw 0xc010', submittedAs: 'raw', scope: 'cci:raw', via: 'port:5' }],
    });
    expect(found.witnesses[0]?.provided.join()).toContain('raw_commands');
    const catalogued = await ask('can fabric ever opcode:0x5101 on /switches/sw0/ports/5', side, 'bmc');
    expect(catalogued).toMatchObject({ yes: false, obstacles: [{ because: 'no-row' }] });
  });

  test('names that are needed together, and none that is not', async () => {
    const rows = [
      `p, role:a, acme, /switches/sw0/ports/2, bind-vppb, allow\ng, group:${DEV}#a, role:a, acme\n`,
      `p, role:b, acme, /switches/sw0/vcss/0/*, bind-vppb, allow\ng, group:${DEV}#b, role:b, acme\n`,
      `p, role:c, acme, own, identify, allow\np, role:c, acme, own, bind-vppb, deny\ng, group:${DEV}#c, role:c, acme\n`,
      `g, user:${DEV}#u, role:c, acme\ng, group:https://other#a, role:a, acme\n`,
    ];
    const side = await sideOf({ acme: rows.join('') });
    const found = await ask('can acme ever bind-vppb on /switches/sw0/ports/2', side);
    expect(found.witnesses).toMatchObject([{ names: [`group:${DEV}#a`, `group:${DEV}#b`] }]);
    // Alone neither is enough; who can says it as well.
    expect((await ask(`can group:${DEV}#a of acme bind-vppb on /switches/sw0/ports/2`, side)).yes).toBe(false);
    expect((await ask('who can bind-vppb on /switches/sw0/ports/2', side)).witnesses).toMatchObject([
      { names: [`group:${DEV}#a`, `group:${DEV}#b`], also: [] },
    ]);
    // A user who is denied can't, whatever groups he is in.
    expect((await ask(`can user:${DEV}#u of acme ever bind-vppb on /switches/sw0/ports/2`, side)).yes).toBe(false);
    expect((await ask(`can user:${DEV}#v of acme ever bind-vppb on /switches/sw0/ports/2`, side)).yes).toBe(true);
  });

  test('who can: everybody, or each class of names that is enough', async () => {
    expect(
      (await ask('who can identify on /switches/sw0/ports/2')).witnesses.map(({ tenant, names }) => [tenant, names]),
    ).toEqual([
      ['acme', []],
      ['fabric', []],
    ]);
    const rows = `p, role:a, acme, own, bind-vppb, allow\ng, group:${DEV}#a, role:a, acme\ng, group:${DEV}#b, role:a, acme\n`;
    expect(
      (await ask('who can bind-vppb on /switches/sw0/ports/2', await sideOf({ acme: rows }))).witnesses,
    ).toMatchObject([{ names: [`group:${DEV}#a`], also: [`group:${DEV}#b`] }]);
  });

  test('a name without a tenant is looked for first where rows speak of it', async () => {
    const rows = {
      acme: 'p, role:a, acme, own, identify, allow\ng, group:tenant/acme, role:a, acme\n',
      globex: `p, role:a, globex, own, identify, allow\ng, user:${DEV}#bob, role:a, globex\n`,
    };
    const side = await sideOf(rows);
    expect((await ask(`can user:${DEV}#bob identify on /switches/sw0/*`, side)).witnesses).toMatchObject([
      { tenant: 'globex' },
    ]);
    expect((await ask(`can role:a ever identify on /switches/sw0/*`, side)).witnesses).toMatchObject([
      { tenant: 'acme' },
    ]);
  });

  test('a user that a row would have to be made up for is one that no row names', async () => {
    const rows = `p, role:a, acme, own, identify, allow\np, role:d, acme, own, identify, deny\ng, group:tenant/acme, role:a, acme\ng, user:any#somebody-1, role:d, acme\n`;
    expect((await ask('can acme identify on /switches/sw0/ports/2', await sideOf({ acme: rows }))).yes).toBe(true);
  });

  test('a reviewed vendor command', async () => {
    const slugs = ['northbay-get-port-temperature', 'northbay-set-retimer-preset'];
    const rows = slugs.map((slug) => `p, role:a, acme, own, ${slug}, allow\n`).join('');
    const source = sourceOf({
      tenants: { acme: `${rows}g, group:tenant/acme, role:a, acme\n` },
      fabric,
      profile: 'bmc',
    });
    if (!('files' in source)) throw new Error('no files');
    const commands = slugs.map((slug) => [
      `commands.d/${slug}.yaml`,
      readFileSync(`test/policy/load/commands/${slug}.yaml`, 'utf8'),
    ]);
    const opened = await openPolicy({ ...source, files: { ...source.files, ...Object.fromEntries(commands) } });
    if (!opened.ok) throw new Error(opened.error.map(({ message }) => message).join());
    const found = await ask(
      'can acme ever northbay-get-port-temperature on /switches/sw0/ports/2',
      opened.value,
      'bmc',
    );
    expect(found).toMatchObject({ yes: true, witnesses: [{ params: { port_id: 2 } }] });
    // What it touches is all at the end of a tunnel, or what its row names.
    for (const path of [
      '/switches/sw0/ports/2',
      '/switches/sw0/vcss/0',
      '/switches/sw0/vcss/0/vppbs/1',
      '/switches/sw0/ports/3/lds/1',
    ]) {
      const preset = await ask(`can acme ever northbay-set-retimer-preset on ${path}`, opened.value, 'bmc');
      expect(typeof preset.yes).toBe('boolean');
    }
  });
});

describe('no', () => {
  test.each([
    ['can acme ever bind-vppb on /switches/sw0/ports/4', 'ownership', '/switches/sw0/ports/4 belongs to globex'],
    [
      'can acme ever identify on /switches/sw0/ports/4/*',
      'ownership',
      'nothing below /switches/sw0/ports/4 belongs to acme',
    ],
    ['can acme ever bind-vppb on /switches/sw0', 'ownership', 'on the switch itself is for fabric alone'],
    ['can acme ever physical-port-control on /switches/sw0/ports/2', 'no-row', 'no row of acme allows'],
    ['can anyone ever freeze-security-state on /switches/sw0/ports/2', 'never', "can't be granted to anybody"],
    ['can role:nobody ever identify on /switches/sw0/ports/2', 'nobody', 'nobody of acme has that role'],
    ['can fabric ever set-response-message-limit on /switches/sw0/ports/2', 'decision', 'never touches'],
    ['can acme ever opcode:0xc010 on /switches/sw0/ports/2', 'no-row', '`raw 0xc010`'],
  ])('%s', async (text, because, sentence) => {
    const found = await ask(text);
    expect(found).toMatchObject({ yes: false, witnesses: [] });
    expect(found.obstacles).toEqual(
      expect.arrayContaining([expect.objectContaining({ because, text: expect.stringContaining(sentence) })]),
    );
  });

  test('because nobody has the role, because another row denies it, because a mandatory row does', async () => {
    const rows = {
      acme: 'p, role:a, acme, own, bind-vppb, allow\np, role:b, acme, own, unbind-vppb, allow\np, role:b, acme, own, unbind-vppb, deny\ng, group:tenant/acme, role:b, acme\n',
      fabric:
        'p, role:a, fabric, /switches/sw0/*, scope:<=3, allow\np, role:a, fabric, /switches/sw0/*, opcode:0xc010, allow\ng, group:tenant/fabric, role:a, fabric\n',
    };
    const side = await sideOf(rows);
    const [nobody] = (await ask('can acme ever bind-vppb on /switches/sw0/ports/2', side)).obstacles;
    expect(nobody).toMatchObject({
      because: 'nobody',
      sources: ['tenants/acme.csv:1'],
      text: expect.stringContaining('role:a'),
    });
    const [denied] = (await ask('can acme ever unbind-vppb on /switches/sw0/ports/2', side)).obstacles;
    expect(denied).toMatchObject({ because: 'deny', sources: ['tenants/acme.csv:2', 'tenants/acme.csv:3'] });
    const raw = await ask('can fabric ever opcode:0xc010 on /switches/sw0/ports/5', side);
    expect(raw.obstacles).toEqual(
      expect.arrayContaining([expect.objectContaining({ because: 'mandatory', text: expect.stringContaining('P1') })]),
    );
  });

  test('who can: nobody', async () => {
    const found = await ask('who can freeze-security-state on /switches/sw0/ports/2');
    expect(found).toMatchObject({ yes: false, obstacles: [{ because: 'never' }] });
  });

  test("a tag on a device that is shared is the decision's to tell", async () => {
    const path = '/switches/sw0/ports/3/tags/00000000-0000-0000-0000-00000000000a';
    const found = await ask(`can acme ever dynamic-capacity-add-reference on ${path}`);
    expect(found.yes).toBe(false);
    expect(found.obstacles.map(({ because }) => because)).toEqual(expect.arrayContaining(['ownership', 'decision']));
  });
});

describe('what is no question', () => {
  test.each([
    ['', /not a question/],
    ['can acme', /not a question/],
    ['on', /not a question/],
    ['may acme identify on /switches/sw0', /not a question/],
    ['can identify on /switches/sw0', /not a question/],
    ['can acme of identify on /switches/sw0', /not a question/],
    ['can acme of acme of acme identify on /switches/sw0', /not a question/],
    ['can acme for globex identify on /switches/sw0', /not a question/],
    ['can acme identify on /switches/sw0 now', /not a question/],
    ['can acme of globex identify on /switches/sw0', /a tenant is of no tenant/],
    ['can acmee identify on /switches/sw0', /no tenant `acmee`/],
    ['can zzzzzzzz identify on /switches/sw0', /no tenant `zzzzzzzz`/],
    ['can anyone of nobody identify on /switches/sw0', /no tenant `nobody`/],
    ['can role:UPPER identify on /switches/sw0', /not a role/],
    ['can user:x identify on /switches/sw0', /not a name that a caller can have/],
    ['can user:a#b,c identify on /switches/sw0', /not a name that a caller can have/],
    ['can group:tenant/nobody identify on /switches/sw0', /no tenant `nobody`/],
    ['can group:tenant/acme of globex identify on /switches/sw0', /nobody of `globex` has/],
    ['can acme bind-vpb on /switches/sw0', /bind-vpb/],
    ['can acme class:raw on /switches/sw0', /too many commands/],
    ['can acme get-pbr-link-partner-info on /switches/sw0', /get-pbr-link-partner-info/],
    ['can acme identify on /switches/sw1', /not in the fabric file/],
    ['can acme identify on /switches/sw0/ports/22', /not in the fabric file/],
    ['can acme identify on nowhere/*', /not in the fabric file/],
  ])('%s', async (text, why) => {
    const { engine } = await sideOf(tenants);
    expect(parseQuestion(text, engine)).toMatchObject({ ok: false, problem: { message: expect.stringMatching(why) } });
  });

  test('every problem says what to write', async () => {
    const { engine } = await sideOf(tenants);
    const near = parseQuestion('can acmee identify on /switches/sw0', engine);
    expect(near).toMatchObject({ problem: { help: 'did you mean `acme`?' } });
    expect(parseQuestion('can user:a#b,c identify on /switches/sw0', engine)).toMatchObject({
      problem: { help: expect.stringContaining('user:a#b%2Cc') },
    });
    expect(parseQuestion('can acme identify on /switches/sw0/ports/22', engine)).toMatchObject({
      problem: { help: expect.stringContaining('did you mean') },
    });
    expect(parseQuestion('can acme identify on x', engine)).toMatchObject({
      problem: { help: expect.stringContaining('write a path') },
    });
  });

  test('a large fabric is not searched for near misses', async () => {
    const { engine } = await sideOf(tenants);
    const objects = Array.from({ length: 2001 }, (_, i): `/switches/${string}` => `/switches/sw0/ports/${i}`);
    const large = { ...engine.fabric, objects, exists: () => false, tenants: ['acme'] };
    const parsed = parseQuestion('can acme identify on /switches/sw0/portz/1', {
      fabric: large,
      commands: engine.commands,
    });
    expect(parsed).toMatchObject({ problem: { help: expect.stringContaining('write a path') } });
  });
});
