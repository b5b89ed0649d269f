import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { formatFinding } from '../../../src/policy/tools.ts';
import { quiet, type Reviewed, reviewed, told } from './reviewed.ts';

const acme = (...rows: string[]): Reviewed => ({ tenants: { acme: `${rows.join('\n')}\n` } });
const operators = (...rows: string[]): Reviewed => ({ tenants: { fabric: `${rows.join('\n')}\n` } });
const some = (tenant: string, role = 'role:x') => `g, group:https://idp#some, ${role}, ${tenant}`;

interface Case extends Reviewed {
  readonly name: string;
  /** The text of a fabric file, or the name of one that several cases share. */
  readonly fabric?: string;
  readonly asks: readonly string[];
}

const { fabrics, cases } = parse(readFileSync(`${import.meta.dirname}/findings.yaml`, 'utf8')) as {
  readonly fabrics: { readonly [name: string]: string };
  readonly cases: readonly Case[];
};

describe('a reviewer asks about', () => {
  test.each(cases)('$name', async ({ fabric, asks, ...files }) => {
    const found = await reviewed({ ...files, ...(fabric === undefined ? {} : { fabric: fabrics[fabric] ?? fabric }) });
    expect(
      found.map(({ file, line, column, code, text, reason, help }) =>
        [`${file}:${line}:${column} ${code}`, text, reason, help].join(' | '),
      ),
    ).toEqual(asks);
  });

  test('each finding with its text, a reason and what to do', async () => {
    const [found] = await reviewed(
      acme('p, role:x, acme, own, bind-vppb, allow', 'g, group:tenant/acme, role:x, acme'),
    );
    expect(found).toEqual({
      code: 'grant-to-everybody',
      level: 'warning',
      file: 'tenants/acme.csv',
      line: 1,
      column: 23,
      text: 'bind-vppb',
      reason: 'every caller of acme has role:x, and `bind-vppb` is more than the safe reads: bind-vppb',
      help: 'give a role of its own to those who need it, with a `g` row for their group',
    });
  });

  test('in lines for people: the finding, and what to do', async () => {
    const found = await reviewed({ tenants: { globex: '' } });
    expect(found.map(formatFinding)).toEqual([
      'fabric.yaml:15:3: tenant-without-rules: no row grants anything to globex\n  help: write `tenants/globex.csv`, beginning with `p, role:reader, globex, own, class:allowlisted, allow`',
    ]);
  });

  test('many commands by naming a few', async () => {
    const [found] = await reviewed(
      acme('p, role:x, acme, own, scope:<=3, allow', 'g, group:tenant/acme, role:x, acme'),
    );
    expect(found?.reason).toMatch(/: [a-z-]+, [a-z-]+, [a-z-]+ and \d+ more$/);
  });

  test('the very many rows of one role about one object not one by one', async () => {
    const rows = Array.from(
      { length: 2001 },
      (_, i) => `p, role:x, fabric, own, opcode:0x${(0xc000 + i).toString(16)}, deny`,
    );
    const files = operators('p, role:x, fabric, own, opcode:0xc000, allow', ...rows, some('fabric'));
    expect(told(await reviewed({ ...files, profile: 'bmc' }))).toEqual(['tenants/fabric.csv:1:25 raw-granted']);
  });

  test('nothing in quiet files of either profile', async () => {
    expect(await reviewed({ tenants: quiet, profile: 'bmc' })).toEqual([]);
  });
});
