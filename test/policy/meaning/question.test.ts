import { describe, expect, test } from 'vitest';
import { parseMatrixFilter, parseQuestion, type Question } from '../../../src/policy/meaning/index.ts';
import { resourceProblem } from '../../../src/policy/meaning/question.ts';
import { fabric, fabricOf } from '../load/fixture.ts';
import { sideOf } from './sides.ts';

const DEV = 'https://cci-broker.local/dev';
const { engine } = await sideOf({ acme: 'p, role:a, acme, own, identify, allow\n' });

const FORMS =
  'write `can WHO [of TENANT] [ever] COMMAND on RESOURCE` or `who can COMMAND on RESOURCE`, such as `can globex ever bind-vppb on /switches/sw0/ports/4`';
const WHO = 'write a tenant, `anyone`, `user:ISSUER#SUBJECT`, `group:ISSUER#NAME`, `group:tenant/T` or `role:NAME`';
const RAW = 'raw commands are asked for by opcode: `opcode:0xc010` or `opcode:0xc000-0xc0ff`';
const PATHS = 'write a path such as `/switches/sw0/ports/2`, or one that ends in `/*`';

describe('a question', () => {
  const rest: Omit<Question, 'kind' | 'who' | 'ever'> = {
    command: 'identify',
    selector: { kind: 'slug', slug: 'identify', opcode: 1 },
    resource: '/switches/sw0',
  };
  test.each<[string, Pick<Question, 'kind' | 'who' | 'ever'>]>([
    ['can anyone', { kind: 'can', who: { kind: 'anyone' }, ever: false }],
    ['can anyone ever', { kind: 'can', who: { kind: 'anyone' }, ever: true }],
    ['  can   anyone of acme', { kind: 'can', who: { kind: 'tenant', tenant: 'acme' }, ever: false }],
    ['can acme', { kind: 'can', who: { kind: 'tenant', tenant: 'acme' }, ever: false }],
    ['can fabric ever', { kind: 'can', who: { kind: 'tenant', tenant: 'fabric' }, ever: true }],
    ['can role:x', { kind: 'can', who: { kind: 'role', name: 'role:x', tenant: undefined }, ever: false }],
    ['can role:x of acme ever', { kind: 'can', who: { kind: 'role', name: 'role:x', tenant: 'acme' }, ever: true }],
    [
      `can user:${DEV}#a`,
      { kind: 'can', who: { kind: 'name', name: `user:${DEV}#a`, tenant: undefined }, ever: false },
    ],
    [
      `can group:${DEV}#a of globex`,
      { kind: 'can', who: { kind: 'name', name: `group:${DEV}#a`, tenant: 'globex' }, ever: false },
    ],
    [
      'can group:tenant/acme',
      { kind: 'can', who: { kind: 'name', name: 'group:tenant/acme', tenant: 'acme' }, ever: false },
    ],
    [
      'can group:tenant/acme of acme',
      { kind: 'can', who: { kind: 'name', name: 'group:tenant/acme', tenant: 'acme' }, ever: false },
    ],
    [
      'can group:tenant/acme#x of globex',
      { kind: 'can', who: { kind: 'name', name: 'group:tenant/acme#x', tenant: 'globex' }, ever: false },
    ],
    ['who can', { kind: 'who', who: { kind: 'anyone' }, ever: true }],
  ])('%s', (head, expected) => {
    for (const end of ['', '?', ' '])
      expect(parseQuestion(`${head} identify on /switches/sw0${end}`, engine)).toEqual({
        ok: true,
        question: { ...rest, ...expected },
      });
  });

  test.each([
    ['/switches/*', true],
    ['/switches/sw0/*', true],
    ['/switches/sw0/ports/*', true],
    ['/switches/sw0/ports/2/*', true],
    ['/switches/sw0/ports/2/lds/*', false],
    ['/switches/sw0/ports/3/lds/*', true],
    ['/switches/sw0/ports/2/heads/7', true],
    ['/switches/sw0/ports', false],
    ['/switches', false],
    ['/switch/*', false],
    ['/switches/sw/*', false],
    ['*', false],
  ])('may be about %s: %s', (resource, isRight) => {
    expect(parseQuestion(`can acme identify on ${resource}`, engine).ok).toBe(isRight);
  });

  test.each([
    [
      'can acme console:tool on /switches/sw0',
      '`console:tool` is no command',
      'the matrix and the diff tell who has its rows',
    ],
    ['can acme class:raw on /switches/sw0', '`class:raw` is too many commands', RAW],
    ['can acme identify-gfd on /switches/sw0', '`identify-gfd` is raw, its layout is not confirmed', RAW],
    ['can acme identfy on /switches/sw0', 'unknown command `identfy`', 'did you mean `identify`?'],
    ['can acmee identify on /switches/sw0', 'there is no tenant `acmee` in the fabric file', 'did you mean `acme`?'],
    [
      'can umbrella identify on /switches/sw0',
      'there is no tenant `umbrella` in the fabric file',
      'the tenants are acme, fabric, globex',
    ],
    ['can acme of globex identify on /switches/sw0', 'a tenant is of no tenant', FORMS],
    ['can role:X identify on /switches/sw0', '`role:X` is not a role', WHO],
    ['can user:x identify on /switches/sw0', '`user:x` is not a name that a caller can have', WHO],
    [
      'can user:a#b,c identify on /switches/sw0',
      '`user:a#b,c` is not a name that a caller can have',
      'claims are encoded: write `user:a#b%2Cc`',
    ],
    ['can group:tenant/acme of globex identify on /switches/sw0', 'nobody of `globex` has `group:tenant/acme`', FORMS],
    [
      'can acme identify on /switches/sw0/ports/22',
      '`/switches/sw0/ports/22` is not in the fabric file',
      'did you mean `/switches/sw0/ports/2`?',
    ],
    ['can acme identify on nowhere/*', '`nowhere/*` is not in the fabric file', PATHS],
    ['can acme identify', 'this is not a question', FORMS],
    ['acme identify on /switches/sw0', 'this is not a question', FORMS],
    ['who can acme identify on /switches/sw0', 'this is not a question', FORMS],
    ['can acme of identify on /switches/sw0', 'this is not a question', FORMS],
    ['can acme identify on /switches/sw0 on', 'this is not a question', FORMS],
    [
      'can acme identify on /switches/sw0??',
      '`/switches/sw0?` is not in the fabric file',
      'did you mean `/switches/sw0`?',
    ],
  ])('%s: %s', (text, message, help) => {
    expect(parseQuestion(text, engine)).toEqual({ ok: false, problem: { message, help } });
  });

  test('longer than anybody writes is cut, and so none', () => {
    const long = `can acme identify${' '.repeat(2000)}on /switches/sw0`;
    expect(parseQuestion(long, engine)).toMatchObject({ ok: false, problem: { message: 'this is not a question' } });
    expect(parseQuestion(`can acme identify${' '.repeat(1900)}on /switches/sw0`, engine).ok).toBe(true);
  });
});

describe('an object that there is not', () => {
  // A switch with a port and VCSs that make up the rest: so many objects in all.
  const fabricWith = (objects: number) =>
    fabricOf(
      `switches: { sw0: { ports: [{ ids: 0 }], vcss: [{ ids: 0-7, vppbs: 246 }, { ids: 8, vppbs: ${objects - 1979} }] } }\ntenants: {}\n`,
    );

  test('is guessed among two thousand and no more', () => {
    const helps = [2000, 2001].map((objects) => {
      const some = fabricWith(objects);
      expect(some.objects).toHaveLength(objects);
      return resourceProblem('/switches/sw0/port/0', some)?.help;
    });
    expect(helps).toEqual(['did you mean `/switches/sw0/ports/0`?', PATHS]);
  });

  test('is none where there is one', () => {
    expect(resourceProblem('/switches/sw0', fabric)).toBeUndefined();
  });
});

describe('a filter of the matrix', () => {
  test('is what was written, and nothing that was not', () => {
    expect(parseMatrixFilter({}, engine)).toEqual({ ok: true, filter: {} });
    expect(
      parseMatrixFilter({ tenant: 'acme', command: 'identify', resource: '/switches/sw0/ports/*' }, engine),
    ).toEqual({
      ok: true,
      filter: {
        tenant: 'acme',
        command: { text: 'identify', selector: { kind: 'slug', slug: 'identify', opcode: 1 } },
        resource: '/switches/sw0/ports/*',
      },
    });
  });

  test.each([
    [{ tenant: 'acmee' }, 'there is no tenant `acmee` in the fabric file', 'did you mean `acme`?'],
    [{ command: 'identfy' }, 'unknown command `identfy`', 'did you mean `identify`?'],
    [{ resource: '/switches/sw1' }, '`/switches/sw1` is not in the fabric file', 'did you mean `/switches/sw0`?'],
  ])('that names nothing is a mistake: %j', (texts, message, help) => {
    expect(parseMatrixFilter(texts, engine)).toEqual({ ok: false, problem: { message, help } });
  });
});
