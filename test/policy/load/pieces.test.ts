import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { closest } from '../../../src/policy/load/closest.ts';
import { parseLine } from '../../../src/policy/load/csv.ts';
import { readPolicyDirectory } from '../../../src/policy/load/directory.ts';
import { ErrorList, visible, visibleSentence } from '../../../src/policy/load/error.ts';
import { loadPolicy, readPolicy } from '../../../src/policy/load/index.ts';
import { fabric, fabricOf, shipped, sourceOf } from './fixture.ts';

const said = (errors: ErrorList): readonly string[] =>
  errors
    .list()
    .map(
      ({ code, file, line, column, text, message, help }) =>
        `${code} ${file}:${line}:${column} [${text}] ${message} -> ${help}`,
    );

describe('the word that was probably meant', () => {
  test.each<[string, readonly string[], string | undefined]>([
    ['allow', ['allow', 'deny'], 'allow'],
    ['alow', ['allow', 'deny'], 'allow'],
    ['allwo', ['deny', 'allow'], 'allow'],
    ['dney', ['allow', 'deny'], undefined],
    ['ab', ['ac', 'ad'], 'ac'],
    ['a', ['b'], undefined],
    ['ab', ['cd'], undefined],
    ['abc', ['abd'], 'abd'],
    ['abc', ['axd'], undefined],
    ['abcde', ['abxye'], 'abxye'],
    ['abcde', ['axxxe'], undefined],
    ['abcdefgh', ['abcxyzgh', 'abcdxygh'], 'abcdxygh'],
    ['abcdefgh', ['abcxyzgh'], 'abcxyzgh'],
    ['abc', ['abcd'], 'abcd'],
    ['abcd', ['abc'], 'abc'],
    ['abc', ['abcde'], undefined],
    ['', ['a'], undefined],
    ['a'.repeat(64), [`${'a'.repeat(63)}b`], `${'a'.repeat(63)}b`],
    ['a'.repeat(65), [`${'a'.repeat(64)}b`], undefined],
    ['kitten', ['sitting'], undefined],
    ['kittens', ['sitting', 'mittens'], 'mittens'],
  ])('%s among %j: %s', (word, candidates, expected) => {
    expect(closest(word, candidates)).toBe(expected);
  });
});

describe('what is shown of a file', () => {
  test.each([
    ['as it is', 'as it is'],
    ['x'.repeat(80), 'x'.repeat(80)],
    ['x'.repeat(81), `${'x'.repeat(80)}...`],
    ['a\tb\nc', 'a\\u{9}b\\u{a}c'],
    ['\u200b\u2028\u2029\ud800`', '\\u{200b}\\u{2028}\\u{2029}\\u{d800}\\u{60}'],
    ['\u{e0001}', '\\u{e0001}'],
  ])('%j: %j', (text, expected) => {
    expect(visible(text)).toBe(expected);
  });

  test('in a sentence of our own keeps its quotes', () => {
    expect(visibleSentence('`a` has \u200b in it')).toBe('`a` has \\u{200b} in it');
  });
});

describe('mistakes of a load', () => {
  test('are in the order of files, lines and columns', () => {
    const errors = new ErrorList();
    const add = (file: string, line: number, column: number) =>
      errors.add('syntax', { file, line, column }, '')('m', 'h');
    add('b', 1, 1);
    add('a', 2, 1);
    add('a', 1, 9);
    add('a', 1, 2);
    add('b', 1, 1);
    expect(errors.list().map(({ file, line, column }) => `${file}:${line}:${column}`)).toEqual([
      'a:1:2',
      'a:1:9',
      'a:2:1',
      'b:1:1',
      'b:1:1',
    ]);
    expect(errors.size).toBe(5);
  });

  test('are a thousand and then a number', () => {
    const errors = new ErrorList();
    for (let line = 1; line <= 1000; line += 1) errors.add('syntax', { file: 'f', line, column: 1 }, 't')('m', 'h');
    expect(errors.list()).toHaveLength(1000);
    errors.add('syntax', { file: 'a', line: 1, column: 1 }, 't')('m', 'h');
    errors.add('syntax', { file: 'a', line: 1, column: 1 }, 't')('m', 'h');
    expect(errors.list()).toHaveLength(1001);
    expect(errors.list().at(-1)).toEqual({
      code: 'syntax',
      file: 'f',
      line: 1000,
      column: 1,
      text: '',
      message: 'and 2 more mistakes',
      help: 'mend the ones above first',
    });
    expect(errors.size).toBe(1000);
    expect(new ErrorList().list()).toEqual([]);
  });
});

describe('a line of a policy file', () => {
  const read = (text: string) => {
    const errors = new ErrorList();
    const row = parseLine(text, 'f', 3, errors);
    expect(errors.size).toBe(0);
    return row === undefined ? undefined : [row.section, ...row.fields].map(({ text, column }) => `${column}:${text}`);
  };

  test.each<[string, readonly string[] | undefined]>([
    ['', undefined],
    [' \t', undefined],
    ['# a, comment', undefined],
    [' \t# a comment', undefined],
    ['a', ['1:a']],
    ['a,b', ['1:a', '3:b']],
    [' a\t, b ', ['2:a', '6:b']],
    ['a,', ['1:a', '3:']],
    [',', ['1:', '2:']],
    ['"a,b" ,c', ['1:a,b', '8:c']],
    ['"a""b""",""', ['1:a"b"', '10:']],
    ['""""', ['1:"']],
    ['" a "', ['1: a ']],
    ['a # b,c', ['1:a # b', '7:c']],
    ['g, user:a#b', ['1:g', '4:user:a#b']],
  ])('%j: %j', (text, fields) => {
    expect(read(text)).toEqual(fields);
  });

  test('says where it stands', () => {
    expect(parseLine('a,b', 'f', 3, new ErrorList())).toMatchObject({ file: 'f', line: 3 });
  });
});

describe('a policy directory', () => {
  const directoryOf = (): string => {
    const directory = mkdtempSync(join(tmpdir(), 'policy-pieces-'));
    onTestFinished(() => rmSync(directory, { recursive: true }));
    return directory;
  };
  const readIn = (directory: string) => {
    const errors = new ErrorList();
    const files = readPolicyDirectory(directory, errors);
    return { names: [...files.keys()], errors: said(errors) };
  };

  test('is read in the order of names, with what may lie beside it', () => {
    const directory = directoryOf();
    mkdirSync(join(directory, 'tenants'));
    mkdirSync(join(directory, 'commands.d'));
    mkdirSync(join(directory, 'tests'));
    for (const name of [
      'model.conf',
      'mandatory.csv',
      'README.md',
      '.hidden',
      'model.conf~',
      'tenants/b.csv',
      'tenants/a.csv',
      'tenants/.a.csv.swp',
      'tenants/a.csv~',
      'commands.d/x.yaml',
      'other',
    ])
      writeFileSync(join(directory, name), '');
    expect(readIn(directory)).toEqual({
      names: ['commands.d/x.yaml', 'mandatory.csv', 'model.conf', 'other', 'tenants/a.csv', 'tenants/b.csv'],
      errors: [],
    });
  });

  test('that is not there, or holds more than a policy does, is told why', () => {
    const directory = directoryOf();
    expect(readIn(join(directory, 'none')).errors).toEqual([
      "unreadable .:1:1 [] the directory can't be read (ENOENT) -> check that it exists and is readable",
    ]);
    writeFileSync(join(directory, 'tenants'), '');
    expect(readIn(directory).errors).toEqual([
      "unreadable tenants:1:1 [] the directory can't be read (ENOTDIR) -> check that it exists and is readable",
    ]);
    rmSync(join(directory, 'tenants'));
    mkdirSync(join(directory, 'tenants'));
    for (let i = 0; i < 2000; i += 1) symlinkSync('nowhere', join(directory, `tenants/t${i}.csv`));
    const [first, ...more] = readIn(directory).errors;
    expect(more).toHaveLength(999 + 1);
    expect(first).toBe(
      'unreadable tenants/t0.csv:1:1 [] this is a symbolic link -> put the file itself here: what a link leads to can change unseen',
    );
    symlinkSync('nowhere', join(directory, 'tenants/t2000.csv'));
    expect(readIn(directory).errors).toEqual([
      'too-large tenants:1:1 [] more than 2000 files -> remove what is not policy',
    ]);
  });

  test('of files that are as large together as may be is read, with one byte more it is not', () => {
    const directory = directoryOf();
    mkdirSync(join(directory, 'tenants'));
    for (const name of ['a', 'b', 'c', 'd']) {
      writeFileSync(join(directory, `tenants/${name}.csv`), '');
      truncateSync(join(directory, `tenants/${name}.csv`), 1 << 24);
    }
    expect(readIn(directory).errors).toEqual([]);
    writeFileSync(join(directory, 'tenants/e.csv'), '#');
    expect(readIn(directory)).toEqual({
      names: ['tenants/a.csv', 'tenants/b.csv', 'tenants/c.csv', 'tenants/d.csv'],
      errors: ['too-large tenants/e.csv:1:1 [] the files are larger than 67108864 bytes together -> split the policy'],
    });
    truncateSync(join(directory, 'tenants/d.csv'), (1 << 24) + 1);
    expect(readIn(directory).errors).toEqual([
      'too-large tenants/d.csv:1:1 [] the file is larger than 16777216 bytes -> split it, or remove what does not belong in it',
    ]);
  });
});

describe('a policy that is read', () => {
  const source = sourceOf({});
  const files = 'files' in source ? source.files : {};
  const saidOf = async (changed: Record<string, string | Uint8Array>, without: readonly string[] = []) => {
    const left = Object.entries({ ...files, ...changed }).filter(([name]) => !without.includes(name));
    const loaded = await loadPolicy({ ...source, files: Object.fromEntries(left) });
    return loaded.ok
      ? []
      : loaded.error.map(
          ({ code, file, line, column, text, message, help }) =>
            `${code} ${file}:${line}:${column} [${text}] ${message} -> ${help}`,
        );
  };
  const parts =
    'a policy has `model.conf`, `mandatory.csv`, `tenants/TENANT.csv` and `commands.d/SLUG.yaml`; a file that is left out unseen may be the one that denies';

  test.each<[string, Record<string, string | Uint8Array>, readonly string[], readonly string[]]>([
    [
      'without a model',
      {},
      ['model.conf'],
      ['missing-file model.conf:1:1 [] `model.conf` is missing -> copy the shipped `policies/model.conf`'],
    ],
    [
      'without mandatory rows',
      {},
      ['mandatory.csv'],
      ['missing-file mandatory.csv:1:1 [] `mandatory.csv` is missing -> copy the shipped `policies/mandatory.csv`'],
    ],
    [
      'without grants',
      {},
      ['tenants/acme.csv'],
      [
        'empty-policy tenants:1:1 [] the policy grants nothing to anybody -> write at least one row `p, role:reader, TENANT, own, class:allowlisted, allow` in `tenants/TENANT.csv`',
      ],
    ],
    [
      'with files of tenants that are not there',
      { 'tenants/acne.csv': '', 'tenants/umbrella.csv': '', 'tenants/A.csv': '' },
      [],
      [
        `unknown-file tenants/A.csv:1:1 [tenants/A.csv] \`tenants/A.csv\` is not part of a policy -> ${parts}`,
        'unknown-tenant tenants/acne.csv:1:1 [acne] `acne` is not a tenant of the fabric file -> did you mean `tenants/acme.csv`?',
        'unknown-tenant tenants/umbrella.csv:1:1 [umbrella] `umbrella` is not a tenant of the fabric file -> list it under `tenants:` in `fabric.yaml`, or remove the file',
      ],
    ],
    [
      'with a file whose name nobody can read',
      { 'a\u200bb': '' },
      [],
      [`unknown-file a\\u{200b}b:1:1 [a\\u{200b}b] \`a\\u{200b}b\` is not part of a policy -> ${parts}`],
    ],
    [
      'with bytes that are none of a text',
      { 'model.conf': Uint8Array.of(0x61, 0x0a, 0x09, 0xff) },
      [],
      ['not-utf8 model.conf:2:2 [] byte 0xff is not UTF-8 -> save the file as UTF-8'],
    ],
    [
      'with a byte below ten',
      { 'tenants/acme.csv': Uint8Array.of(0xc3, 0x08) },
      [],
      ['not-utf8 tenants/acme.csv:1:1 [] byte 0xc3 is not UTF-8 -> save the file as UTF-8'],
    ],
  ])('%s is told what is wrong', async (_name, changed, without, expected) => {
    expect(await saidOf(changed, without)).toEqual(expected);
  });

  test('has an id that changes with every byte, every name and every owner, and with nothing else', async () => {
    const idOf = async (changed: Record<string, string>, other = fabric) => {
      const read = await readPolicy({ ...source, fabric: other, files: { ...files, ...changed } });
      if (!read.ok) throw new Error(JSON.stringify(read.error));
      return read.value.id;
    };
    const plain = await idOf({});
    const reader = 'p, role:reader, acme, own, class:allowlisted, allow\n';
    const ids = [
      plain,
      await idOf({ 'tenants/acme.csv': `${reader}\n` }),
      await idOf({ 'tenants/globex.csv': '' }),
      await idOf({ 'tenants/fabric.csv': '' }),
      await idOf({ 'mandatory.csv': `${shipped['mandatory.csv']}#` }),
    ];
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.every((id) => /^[0-9a-f]{64}$/.test(id))).toBe(true);
    expect(await idOf({ 'tenants/acme.csv': reader })).toBe(plain);
    const text = (owner: string, more = '') =>
      `switches: { sw0: { ports: [{ ids: 0-1 }] } }\ntenants: { acme: { owns: [/switches/sw0/ports/${owner}] }${more} }\n`;
    const owners = [
      await idOf({}, fabricOf(text('0'))),
      await idOf({}, fabricOf(text('1'))),
      await idOf({}, fabricOf(text('0', ', idle: {}'))),
    ];
    expect(new Set(owners).size).toBe(3);
    expect(await idOf({}, fabricOf(`# a comment\n${text('0')}`))).toBe(owners[0]);
  });
});
