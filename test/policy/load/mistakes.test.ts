import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { type LoadError, loadPolicy } from '../../../src/policy/load/index.ts';
import { fabric, fabricOf, mistakesOf, shipped, sourceOf } from './fixture.ts';

/** `CODE LINE:COLUMN [TEXT] what is said -> what is offered instead` */
function said({ code, line, column, text, message, help }: LoadError): string {
  return `${code} ${line}:${column} [${text}] ${message} -> ${help}`;
}

function readCases<T>(name: string): readonly T[] {
  return parse(readFileSync(`${import.meta.dirname}/mistakes/${name}.yaml`, 'utf8')) as readonly T[];
}

interface TenantMistake {
  readonly name: string;
  readonly text: string;
  readonly errors: readonly string[];
}

const tenantMistakes = readCases<TenantMistake>('tenant');

describe("a mistake in a tenant's file", () => {
  test.each(tenantMistakes)('$name is pointed at and mended', async ({ text, errors }) => {
    const found = await mistakesOf({ tenants: { acme: text } });
    expect(found.map(said)).toEqual(errors);
    for (const { file, message } of found) {
      expect(file).toBe('tenants/acme.csv');
      expect(message.charAt(0)).toBe(message.charAt(0).toLowerCase());
    }
  });

  test('a line that is longer than any row is not read, one that is as long is', async () => {
    const row = (length: number) => 'p, role:a, acme, own, bind-vppb, allow'.padEnd(length);
    expect((await mistakesOf({ tenants: { acme: row(4097) } })).map(said)).toEqual([
      'syntax 1:4097 [] the line is longer than 4096 characters -> a row is one short line',
    ]);
    expect(await mistakesOf({ tenants: { acme: row(4096) } })).toEqual([]);
  });

  test('all of them are said at once, in the order of the file', async () => {
    const text = tenantMistakes
      .slice(0, 12)
      .map(({ text }) => text)
      .join('\n');
    const errors = await mistakesOf({ tenants: { acme: text, globex: 'x' } });
    expect(errors.length).toBeGreaterThanOrEqual(12);
    expect(errors.map(({ line }) => line).slice(0, -1)).toEqual(
      errors
        .map(({ line }) => line)
        .slice(0, -1)
        .toSorted((a, b) => a - b),
    );
    expect(errors.at(-1)?.file).toBe('tenants/globex.csv');
  });

  test('a file that is nothing but mistakes is cut off after a thousand', async () => {
    const errors = await mistakesOf({ tenants: { acme: 'x\n'.repeat(5000) } });
    expect(errors).toHaveLength(1001);
    expect(errors.at(-1)?.message).toBe('and 4000 more mistakes');
  });

  test('what a denial speaks about need not be grantable', async () => {
    const rows = [
      'class:raw',
      'set-passphrase',
      'set:security-passthrough',
      'opcode:0x4301',
      'claim-ownership',
      'opcode:0x0000',
    ];
    const text = [
      'p, role:a, acme, own, bind-vppb, allow',
      ...rows.map((row) => `p, role:a, acme, own, ${row}, deny`),
    ].join('\n');
    expect(await mistakesOf({ tenants: { acme: text } })).toEqual([]);
  });

  test('forms that are right are taken', async () => {
    const text = `
# a comment, and a comma
   # another
p , role:a.b_c-1 ,acme,\town\t, bind-vppb , allow
p, "role:b", acme, /switches/sw0/*, "set:virtual-switch", deny\r
p, role:b, acme, /switches/sw0/ports/*, scope:<=1, allow
p, role:b, acme, /switches/*, scope:3, deny
p, role:b, acme, /switches/sw0/ports/3/lds/*, scope:>=2, allow
p, role:b, acme, /switches/sw0/ports/3/tags/00000000-0000-0000-0000-00000000000a, opcode:0xc000-0xc0ff, allow
g, user:https://idp.example#auth0|5f, role:a.b_c-1, acme
g, group:https://idp.example/x?#y, role:b, acme
`.replace('x?#y', 'x#y');
    expect(await mistakesOf({ tenants: { acme: text } })).toEqual([]);
  });
});

describe('roles that are right', () => {
  const grants = ['a', 'b', 'c', 'd'].map((role) => `p, role:${role}, acme, own, bind-vppb, allow`);

  test.each([
    [
      'that part and meet again',
      ['g, role:a, role:b, acme', 'g, role:a, role:c, acme', 'g, role:b, role:d, acme', 'g, role:c, role:d, acme'],
    ],
    ['that have no row but for what they are', ['g, group:tenant/acme, role:top, acme', 'g, role:top, role:a, acme']],
    ['that two names have', ['g, group:tenant/acme, role:a, acme', 'g, user:https://idp.example#x, role:a, acme']],
  ])('are taken: %s', async (_name, links) => {
    expect(await mistakesOf({ tenants: { acme: [...grants, ...links].join('\n') } })).toEqual([]);
  });

  test.each([
    [4, []],
    [5, ['role-depth 32:4 `role:n0` reaches its roles by more than 4096 ways']],
  ])(
    'are taken where five forks of %d lie behind each other, as long as the ways are not too many',
    async (sides, said) => {
      const grants = new Set<string>();
      const links: string[] = [];
      for (let fork = 0; fork < 5; fork += 1) {
        grants
          .add(`p, role:n${fork}, acme, own, bind-vppb, allow`)
          .add(`p, role:n${fork + 1}, acme, own, bind-vppb, allow`);
        for (let side = 0; side < sides; side += 1) {
          grants.add(`p, role:s${fork}-${side}, acme, own, identify, allow`);
          links.push(
            `g, role:n${fork}, role:s${fork}-${side}, acme`,
            `g, role:s${fork}-${side}, role:n${fork + 1}, acme`,
          );
        }
      }
      const errors = await mistakesOf({ tenants: { acme: [...grants, ...links].join('\n') } });
      expect(errors.map(({ code, line, column, message }) => `${code} ${line}:${column} ${message}`)).toEqual(said);
    },
  );
});

const base = shipped['mandatory.csv'] ?? '';

interface MandatoryMistake {
  readonly name: string;
  readonly row: string;
  readonly errors: readonly string[];
}

describe('a mistake in mandatory.csv', () => {
  test.each(readCases<MandatoryMistake>('mandatory'))('$name is pointed at and mended', async ({ row, errors }) => {
    const line = base.split('\n').length;
    const found = await mistakesOf({ mandatory: `${base}${row}\n` });
    const shown = found.map((error) =>
      said(error)
        .replace(` ${line}:`, ' ROW:')
        .replace(/stands in line \d+/, 'stands in line N'),
    );
    expect(shown).toEqual(errors);
  });
});

describe('mandatory rows as shipped', () => {
  const without = (id: string) =>
    base
      .split('\n')
      .filter((line) => !line.startsWith(`p2, ${id},`))
      .join('\n');

  test('a missing one is refused in profile host, and named', async () => {
    const [error, ...more] = await mistakesOf({ mandatory: without('L1') });
    expect(more).toEqual([]);
    expect(error?.code).toBe('loosened');
    expect(error?.message).toBe('the shipped row `L1` is missing or changed');
    expect(error?.help).toContain('put `p2, L1, integrity, *, *, raw, *, *, *, deny, REASON` back');
  });

  test('a changed one is refused in profile host, however little', async () => {
    const errors = await mistakesOf({ mandatory: base.replace('p2, L1, integrity,', 'p2, L1, confidentiality,') });
    expect(errors.map(({ code, text }) => `${code} ${text}`)).toEqual(['loosened L1']);
  });

  test('a missing one is said beside a mistake of another file', async () => {
    const errors = await mistakesOf({ mandatory: without('L1'), tenants: { acme: 'x' } });
    expect(errors.map(({ code, file }) => `${code} ${file}`)).toEqual([
      'loosened mandatory.csv',
      'unknown-section tenants/acme.csv',
    ]);
  });

  test('a mistyped one is said once', async () => {
    const errors = await mistakesOf({ mandatory: base.replace('p2, L1, integrity,', 'p2, L1, integrety,') });
    expect(errors.map(({ code }) => code)).toEqual(['column']);
  });

  test('in profile bmc they may be loosened, and the snapshot says which', async () => {
    const loaded = await loadPolicy(sourceOf({ mandatory: without('L5'), profile: 'bmc' }));
    expect(loaded.ok && loaded.value.loosened).toEqual(['L5']);
    const whole = await loadPolicy(sourceOf({ profile: 'bmc' }));
    expect(whole.ok && whole.value.loosened).toEqual([]);
  });

  test('without the row that allows nothing is loaded in any profile', async () => {
    expect(
      (await mistakesOf({ mandatory: without('A0'), profile: 'bmc' })).map(({ code, text }) => `${code} ${text}`),
    ).toEqual(['loosened A0']);
    expect((await mistakesOf({ mandatory: '# nothing', profile: 'host' })).length).toBe(19);
  });

  test('another order, another reason and further rows are no loosening', async () => {
    const lines = base
      .split('\n')
      .toReversed()
      .map((line) => line.replace('deny, raw commands are off', 'deny, keine rohen Kommandos'));
    const mandatory = [
      ...lines,
      'p2, L20, *, *, *, *, *, *, bind-vppb|set:features if mutating and bound, deny, ours',
    ].join('\n');
    const loaded = await loadPolicy(sourceOf({ mandatory }));
    expect(loaded.ok && loaded.value.loosened).toEqual([]);
  });
});

const model = shipped['model.conf'] ?? '';

interface ModelMistake {
  readonly name: string;
  readonly replace: readonly (readonly [string, string])[];
  readonly errors: readonly string[];
}

describe('a mistake in model.conf', () => {
  test.each(readCases<ModelMistake>('model'))('$name is refused', async ({ replace, errors }) => {
    const text = replace.reduce((file, [from, to]) => file.replace(from, () => to), model);
    expect(text).not.toBe(model);
    const found = await mistakesOf({ model: text });
    expect(found.map((error) => said(error).replace(/ \d+:/, error.line === 1 ? ' 1:' : ' N:'))).toEqual(errors);
  });

  test('another order of fields, a missing section and no text at all are refused', async () => {
    const codes = async (text: string) =>
      (await mistakesOf({ model: text })).map(({ code, text }) => `${code} ${text}`);
    const swapped = await mistakesOf({ model: model.replace('p = role, tenant', 'p = tenant, role') });
    expect(swapped.map(({ message }) => message)).toEqual([
      '`p` differs from the model that this product is built for',
    ]);
    expect(await codes(model.replace(/\[matchers\][\s\S]*$/, ''))).toEqual(['model m', 'model m2']);
    expect(await codes('')).toEqual(
      ['r', 'r2', 'p', 'p2', 'g', 'g2', 'e', 'e2', 'm', 'm2'].map((key) => `model ${key}`),
    );
  });

  test('blanks and comments are free', async () => {
    expect(
      await mistakesOf({ model: model.replaceAll(' = ', '   =  ').replaceAll(', ', ',  ').replaceAll('\n', '\r\n') }),
    ).toEqual([]);
  });
});

describe('a policy as a whole', () => {
  test('one without a grant is refused', async () => {
    const [error] = await mistakesOf({ tenants: { acme: '# nothing yet\n' } });
    expect(error?.code).toBe('empty-policy');
    expect(error?.help).toContain('role:reader');
  });

  test('missing files are named', async () => {
    const loaded = await loadPolicy({ files: {}, fabric, profile: 'host' });
    const codes = loaded.ok ? [] : loaded.error.map(({ code, file }) => `${code} ${file}`);
    expect(codes).toEqual(['missing-file mandatory.csv', 'missing-file model.conf']);
  });

  test.each([
    ['tenants/acne.csv', 'unknown-tenant', /did you mean `tenants\/acme.csv`/],
    ['tenants/somebody-else.csv', 'unknown-tenant', /list it under/],
    ['tenants/ACME.csv', 'unknown-file', /left out unseen/],
    ['tenants/acme.csv.bak', 'unknown-file', /left out unseen/],
    ['tenants/acme.CSV', 'unknown-file', /a policy has/],
    ['acme.csv', 'unknown-file', /a policy has/],
    ['commands.d/vendor.yml', 'unknown-file', /a policy has/],
    ['tenants/../../etc/passwd.csv', 'unknown-file', /a policy has/],
    ['__proto__', 'unknown-file', /a policy has/],
  ])('a file %s is not passed over', async (name, code, help) => {
    const { files } = sourceOf({}) as { readonly files: Record<string, string> };
    const loaded = await loadPolicy({ files: { ...files, [name]: '' }, fabric, profile: 'host' });
    const errors = loaded.ok ? [] : loaded.error;
    expect(errors.map((error) => error.code)).toEqual([code]);
    expect(errors[0]?.help).toMatch(help);
  });

  test('in a large fabric a wrong path is refused without a guess', async () => {
    const large = fabricOf('switches: { s: { ports: [{ ids: 0-255, lds: 16 }] } }\ntenants: { acme: {} }');
    const errors = await mistakesOf({
      fabric: large,
      tenants: { acme: 'p, role:a, acme, /switches/s/ports/0/lds/99, bind-vppb, allow' },
    });
    expect(errors[0]?.help).toMatch(/write a path such as/);
  });

  test.each([
    ['a chain of eleven roles', 11, 'role-depth'],
    ['a chain of ten roles', 10, undefined],
  ])('%s above a caller is %3$s', async (_name, depth, code) => {
    const rows = ['p, role:r1, acme, own, bind-vppb, allow', 'g, group:tenant/acme, role:r1, acme'];
    for (let i = 1; i < depth; i += 1)
      rows.push(`g, role:r${i}, role:r${i + 1}, acme`, `p, role:r${i + 1}, acme, own, unbind-vppb, allow`);
    const errors = await mistakesOf({ tenants: { acme: rows.join('\n') } });
    expect(errors[0]?.code).toBe(code);
    if (code !== undefined)
      expect(errors.map((error) => `${error.line}:${error.column} ${error.message}`)).toEqual([
        '2:4 `group:tenant/acme` has a chain of 11 roles above it',
      ]);
  });

  test('among thousands of roles an unknown one is named without a guess', async () => {
    const rows = Array.from({ length: 2001 }, (_, i) => `p, role:r${i}, acme, own, bind-vppb, allow`);
    const errors = await mistakesOf({ tenants: { acme: [...rows, 'g, group:tenant/acme, role:r, acme'].join('\n') } });
    expect(errors.map(({ code, line }) => `${code} ${line}`)).toEqual(['unknown-role 2002']);
    expect(errors[0]?.help).toMatch(/write a row/);
  });

  test('a chain of ten thousand roles is one mistake and no stack overflow', async () => {
    const rows = ['p, role:r0, acme, own, bind-vppb, allow'];
    for (let i = 0; i < 10_000; i += 1)
      rows.push(`g, role:r${i}, role:r${i + 1}, acme`, `p, role:r${i + 1}, acme, own, unbind-vppb, allow`);
    const errors = await mistakesOf({ tenants: { acme: rows.join('\n') } });
    expect(errors.map(({ code }) => code)).toEqual(['role-depth']);
  });

  test('roles that branch and join too often are refused, because casbin follows every path', async () => {
    const rows = ['p, role:l0n0, acme, own, bind-vppb, allow', 'g, group:tenant/acme, role:l0n0, acme'];
    for (let level = 0; level < 9; level += 1) {
      for (const from of [0, 1, 2]) {
        for (const to of [0, 1, 2]) rows.push(`g, role:l${level}n${from}, role:l${level + 1}n${to}, acme`);
      }
    }
    for (const n of [0, 1, 2]) rows.push(`p, role:l9n${n}, acme, own, bind-vppb, allow`);
    const errors = await mistakesOf({ tenants: { acme: rows.join('\n') } });
    expect(errors[0]?.code).toBe('role-depth');
    expect(errors[0]?.message).toMatch(/more than 4096 ways/);
  });
});
