import { describe, expect, test } from 'vitest';
import { formatFinding } from '../../../src/policy/tools.ts';
import { fabricText, reviewed, told } from './reviewed.ts';

const rows = (...lines: string[]) => ({ tenants: { acme: `${lines.join('\n')}\n` } });
const grant = 'p, role:x, acme, own, bind-vppb, allow';
const everybody = 'g, group:tenant/acme, role:x, acme';

describe('a silencing comment', () => {
  test('on the line above silences one finding, with its reason', async () => {
    const found = await reviewed(
      rows('# cci:allow grant-to-everybody: a one-man tenant, every caller is he', grant, everybody),
    );
    expect(told(found)).toEqual([]);
    expect(found.map(formatFinding)).toEqual([
      'tenants/acme.csv:2:23: grant-to-everybody: every caller of acme has role:x, and `bind-vppb` is more than the safe reads: bind-vppb\n  silenced: a one-man tenant, every caller is he',
    ]);
  });

  test('silences nothing else of that row, and nothing of another row', async () => {
    const found = await reviewed(
      rows(
        '# cci:allow grant-to-everybody: tried out',
        'p, role:x, acme, /switches/sw0/*, bind-vppb, allow',
        'p, role:x, acme, own, unbind-vppb, allow',
        everybody,
      ),
    );
    expect(told(found)).toEqual([
      'tenants/acme.csv:2:18 grant-reaches-others',
      'tenants/acme.csv:3:23 grant-to-everybody',
    ]);
  });

  test('stands below others about the same row', async () => {
    const found = await reviewed(
      rows(
        '# cci:allow grant-to-everybody: tried out',
        '  #cci:allow grant-reaches-others : tried out',
        'p, role:x, acme, /switches/sw0/*, bind-vppb, allow',
        everybody,
      ),
    );
    expect(told(found)).toEqual([]);
    expect(found).toHaveLength(2);
  });

  test.each([
    [
      'above a line between',
      ['# cci:allow grant-to-everybody: why', '', grant, everybody],
      'tenants/acme.csv:3:23 grant-to-everybody',
    ],
    [
      'about something else',
      ['# cci:allow redundant: why', grant, everybody],
      'tenants/acme.csv:2:23 grant-to-everybody',
    ],
    [
      'at the end of a file',
      [grant, everybody, '# cci:allow grant-to-everybody: why'],
      'tenants/acme.csv:1:23 grant-to-everybody',
    ],
  ])('%s silences nothing, and that is told', async (_name, lines, finding) => {
    const found = told(await reviewed(rows(...lines)));
    expect(found).toContain(finding);
    expect(found.filter((one) => one.endsWith('unused-silencer'))).toHaveLength(1);
  });

  test('that the other profile needs is in use', async () => {
    const files = rows(
      '# cci:allow never-applies: for profile host',
      '# cci:allow raw-granted: kept',
      'p, role:x, acme, own, opcode:0xc010, allow',
      'g, user:https://idp#a, role:x, acme',
    );
    expect(told(await reviewed({ ...files, profile: 'host' }))).toEqual([]);
    expect(told(await reviewed({ ...files, profile: 'bmc' }))).toEqual([]);
  });

  test.each([
    ['without a reason', '# cci:allow grant-to-everybody:', 'malformed-silencer'],
    ['without a code', '# cci:allow', 'malformed-silencer'],
    ['of another verb', '# cci:ignore grant-to-everybody: why', 'malformed-silencer'],
    ['with a mistyped code', '# cci:allow grant-to-everbody: why', 'unknown-silencer'],
    ['with no code at all like it', '# cci:allow anything: why', 'unknown-silencer'],
    ['that silences silencers', '# cci:allow unused-silencer: why', 'unknown-silencer'],
  ])('%s is a mistake', async (_name, line, code) => {
    const found = await reviewed(rows(line, grant, everybody));
    expect(found.find((one) => one.code === code)).toMatchObject({ level: 'error', line: 1, column: 1, text: line });
    expect(told(found)).toContain('tenants/acme.csv:2:23 grant-to-everybody');
  });

  test('of each wrong kind says what is wrong with it, and what to write', async () => {
    const found = await reviewed(
      rows(
        '\t# cci:allow  ',
        ' #cci:allow redundant:  ',
        '# cci:allow redundant why',
        '# cci:allow: why',
        '# cci:allow anything at all: why',
        '# cci:allow anything: why',
        '# cci:allow unknown-silencer: why',
        '# cci:allow malformed-silencer: why',
        '# cci:allow redundent: why',
        grant,
        everybody,
      ),
    );
    const form = 'write `# cci:allow CODE: REASON`, such as `# cci:allow redundant: kept for the audit of 2027`';
    const malformed = ['malformed-silencer', 'this comment does not say what is allowed and why', form];
    const codes =
      'the codes are grant-to-everybody, grant-reaches-others, radius-beyond-own, raw-granted, opaque-granted, never-applies, shadowed, redundant, role-nobody-has, tenant-without-rules, resource-nobody-owns, wider-than-fabric';
    const said = found
      .filter(({ level }) => level === 'error')
      .map(({ line, column, text, code, reason, help }) => [`${line}:${column}`, text, code, reason, help]);
    expect(said).toEqual([
      ['1:2', '# cci:allow', ...malformed],
      ['2:2', '#cci:allow redundant:', ...malformed],
      ['3:1', '# cci:allow redundant why', ...malformed],
      ['4:1', '# cci:allow: why', ...malformed],
      ['5:1', '# cci:allow anything at all: why', ...malformed],
      ['6:1', '# cci:allow anything: why', 'unknown-silencer', '`anything` is no finding that can be silenced', codes],
      ...['unknown', 'malformed'].map((word, i) => [
        `${7 + i}:1`,
        `# cci:allow ${word}-silencer: why`,
        'unknown-silencer',
        `\`${word}-silencer\` is no finding that can be silenced`,
        codes,
      ]),
      [
        '9:1',
        '# cci:allow redundent: why',
        'unknown-silencer',
        '`redundent` is no finding that can be silenced',
        'did you mean `redundant`?',
      ],
    ]);
  });

  test('that nothing is below, not even the end of a line, is told with its place', async () => {
    const files = rows(grant, everybody);
    const tenants = { acme: `${files.tenants.acme}  # cci:allow  grant-to-everybody : why` };
    const found = await reviewed({ tenants });
    expect(found.find(({ code }) => code === 'unused-silencer')).toEqual({
      code: 'unused-silencer',
      level: 'warning',
      file: 'tenants/acme.csv',
      line: 3,
      column: 3,
      text: 'cci:allow grant-to-everybody',
      reason: 'there is no `grant-to-everybody` on the line below',
      help: 'remove the comment, or put it on the line directly above the row that it is about',
    });
  });

  test('is one only at the beginning of a line, and not in the middle of another comment', async () => {
    const found = await reviewed(rows('# see # cci:allow grant-to-everybody: why', grant, everybody));
    expect(told(found)).toEqual(['tenants/acme.csv:2:23 grant-to-everybody']);
  });

  test('in one file says nothing about the same line of another', async () => {
    const found = await reviewed({
      tenants: {
        acme: `# cci:allow grant-to-everybody: why\n${grant}\n${everybody}\n`,
        globex: `#\n${grant.replaceAll('acme', 'globex')}\n${everybody.replaceAll('acme', 'globex')}\n`,
      },
    });
    expect(told(found)).toEqual(['tenants/globex.csv:2:25 grant-to-everybody']);
  });

  test('that profile bmc alone needs is in use in profile host', async () => {
    const mandatory =
      '# cci:allow never-applies: for profile host\np2, P20, *, *, host, *, *, *, bind-vppb if quirk, deny, not here\n';
    expect(told(await reviewed({ mandatory, profile: 'host' }))).toEqual([]);
    expect(told(await reviewed({ mandatory, profile: 'bmc' }))).toEqual([]);
  });

  test('suggests the code that was meant', async () => {
    const found = await reviewed(rows('# cci:allow grant-to-everbody: why', grant, everybody));
    expect(found.map(({ help }) => help)).toContain('did you mean `grant-to-everybody`?');
  });

  test('in the fabric file answers for tenants and objects', async () => {
    const fabric = fabricText
      .replace('      - { ids: 3 }\n', '      # cci:allow resource-nobody-owns: spare\n      - { ids: 3 }\n')
      .replace('  globex:\n', '  # cci:allow tenant-without-rules: comes next month\n  globex:\n')
      .replace('  fabric:\n    owns:\n      - /switches/sw0/ports/3\n', '');
    expect(told(await reviewed({ fabric, tenants: { globex: '' } }))).toEqual([]);
  });
});
