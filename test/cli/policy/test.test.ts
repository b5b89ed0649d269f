import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { cli } from '../../support/command-line.ts';

let directory = '';
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'cci-suite-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const head = 'issuer: https://cci-broker.local/dev\nprincipals: { alice: { tenant: acme } }\n';
const right = `${head}cases:\n  - { name: identifies, for: alice, command: identify, expect: allow }\n`;
const wrong = `${head}cases:\n  - { name: "no \\e[31midea", for: alice, command: identify }\n`;

async function suite(name: string, text: string): Promise<string> {
  await writeFile(join(directory, name), text);
  return join(directory, name);
}

describe('cci policy test', () => {
  it('runs the shipped suites when none is named, and covers every row', async () => {
    const ran = await cli(['policy', 'test', '--coverage-min', '100']);
    expect(ran).toMatchObject({ code: 0, err: '' });
    expect(ran.out).toMatch(/^(\d+) of \1 cases of 4 suites passed\n(\d+) of \2 rows decided a case \(100 %\)\n$/);
  });

  it('runs those of another configuration', async () => {
    const ran = await cli(['policy', 'test', '--config', 'config/qemu.yaml']);
    expect(ran).toMatchObject({ code: 0, err: '' });
  });

  it('prints what was expected, what came, and why, and ends with 1', async () => {
    const ran = await cli(['policy', 'test', await suite('a.yaml', wrong)]);
    expect(ran.code).toBe(1);
    expect(ran.out).toMatch(
      /a\.yaml:4:5: no \\u\{1b\}\[31midea\n {2}verdict: expected deny, got allow\n {4}On switch sw0 itself it is allowed by/,
    );
    expect(ran.out).toContain('0 of 1 cases of 1 suite passed, 1 failed\n');
    expect(ran.out).not.toContain('rows decided');
  });

  it('gives tools the same as JSON', async () => {
    const file = await suite('a.yaml', wrong);
    const ran = await cli(['policy', 'test', file, '--json']);
    expect(ran.code).toBe(1);
    expect(JSON.parse(ran.out)).toMatchObject({
      ok: false,
      cases: 1,
      passed: 0,
      failed: [{ line: 4, differences: [{ what: 'verdict' }] }],
    });
    const passed = await cli(['policy', 'test', await suite('a.yaml', right), '--json']);
    expect(passed.code).toBe(0);
    expect(JSON.parse(passed.out)).toMatchObject({
      ok: true,
      passed: 1,
      failed: [],
      coverage: { percent: expect.any(Number) },
    });
  });

  it('ends with 1 when less is covered than asked for, and lists what is not', async () => {
    const ran = await cli(['policy', 'test', await suite('a.yaml', right), '--coverage-min', '50']);
    expect(ran.code).toBe(1);
    expect(ran.out).toMatch(/rows that decided none:\n {2}mandatory\.csv:\d+: p2, L1, /);
    expect(ran.err).toBe('the coverage is below 50 %\n');
    expect((await cli(['policy', 'test', join(directory, 'a.yaml'), '--coverage-min', '101'])).code).toBe(2);
  });

  it('takes directories for the YAML files in them', async () => {
    await suite('a.yaml', right);
    await suite('b.yml', right);
    await suite('c.txt', 'not a suite');
    expect((await cli(['policy', 'test', directory])).out).toContain('2 of 2 cases of 2 suites passed');
  });

  it('tells every mistake of every suite with its place, and runs nothing', async () => {
    await suite('a.yaml', right.replace('identify', 'identfy'));
    await suite('b.yaml', right.replace('expect', 'expects'));
    const ran = await cli(['policy', 'test', directory]);
    expect(ran.code).toBe(1);
    expect(ran.out).toMatch(/a\.yaml:4:\d+: identfy: there is no command of that name: did you mean `identify`\?\n/);
    expect(ran.out).toMatch(/b\.yaml:4:\d+: `cases\.0\.expects` is not a known key\n/);
    expect(ran.err).toBe('2 mistakes in the suites: nothing was run\n');
    const one = await cli(['policy', 'test', join(directory, 'a.yaml'), '--json']);
    expect(JSON.parse(one.out)).toMatchObject({ ok: false, problems: [{ line: 4 }] });
    expect((await cli(['policy', 'test', join(directory, 'a.yaml')])).err).toBe(
      'a mistake in the suites: nothing was run\n',
    );
  });

  it('survives a suite of nothing but mistakes', async () => {
    const principals = Array.from({ length: 65_000 }, (_, i) => `  p${i}: { tenat: x }\n`).join('');
    const ran = await cli(['policy', 'test', await suite('a.yaml', `principals:\n${principals}`)]);
    expect(ran.code).toBe(1);
    expect(ran.err).toBe('130001 mistakes in the suites: nothing was run\n');
  });

  it.each([
    ['a suite that is not there', (there: string) => [join(there, 'no.yaml')], 'cannot be read (ENOENT)'],
    ['a directory without suites', (there: string) => [join(there, 'empty')], 'there is no suite in'],
    ['a policy with mistakes', (there: string) => ['--policy', there], 'cannot be used'],
    ['a fabric file with mistakes', (there: string) => ['--fabric', join(there, 'none.yaml')], 'cannot be used'],
  ])('says what is in the way: %s', async (_name, words, sentence) => {
    await mkdir(join(directory, 'empty'));
    const ran = await cli(['policy', 'test', ...words(directory)]);
    expect(ran.code).toBe(1);
    expect(ran.err).toContain(sentence);
  });
});
