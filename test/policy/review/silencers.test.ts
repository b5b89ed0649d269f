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
