import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { formatLoadError, loadPolicy } from '../../../src/policy/load/index.ts';
import { fabric } from './fixture.ts';

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'policy-'));
  cpSync('policies', directory, { recursive: true });
});
afterEach(() => rmSync(directory, { recursive: true }));

async function mistakes(): Promise<string[]> {
  const loaded = await loadPolicy({ directory, fabric, profile: 'host' });
  return loaded.ok ? [] : loaded.error.map(({ code, file, line, column }) => `${code} ${file}:${line}:${column}`);
}

describe('a policy directory', () => {
  test('is read as shipped, with what may lie beside it', async () => {
    writeFileSync(join(directory, 'README.md'), 'hello');
    mkdirSync(join(directory, 'tests'), { recursive: true });
    writeFileSync(join(directory, '.acme.csv.swp'), '\0');
    writeFileSync(join(directory, 'tenants/acme.csv~'), 'p');
    expect(await mistakes()).toEqual([]);
  });

  test('that is not there is one mistake', async () => {
    const loaded = await loadPolicy({ directory: join(directory, 'none'), fabric, profile: 'host' });
    expect(loaded.ok ? '' : loaded.error.map(formatLoadError).join()).toMatch(
      /^\.:1:1: the directory can't be read \(ENOENT\)\n {2}help: /,
    );
    const odd = await loadPolicy({ directory: 'a\0b', fabric, profile: 'host' });
    expect(odd.ok).toBe(false);
  });

  test('a link in place of a file is not followed', async () => {
    rmSync(join(directory, 'tenants/acme.csv'));
    symlinkSync(join(process.cwd(), 'policies/tenants/acme.csv'), join(directory, 'tenants/acme.csv'));
    expect(await mistakes()).toEqual(['unreadable tenants/acme.csv:1:1']);
  });

  test('a directory in place of a file is reported', async () => {
    mkdirSync(join(directory, 'tenants/more.csv'));
    expect(await mistakes()).toEqual(['unreadable tenants/more.csv:1:1']);
  });

  test('a missing file is reported', async () => {
    rmSync(join(directory, 'mandatory.csv'));
    expect(await mistakes()).toEqual(['missing-file mandatory.csv:1:1']);
  });

  test('a file that may not be read is reported', async () => {
    chmodSync(join(directory, 'tenants/acme.csv'), 0o000);
    const isRoot = process.getuid?.() === 0;
    expect(await mistakes()).toEqual(isRoot ? [] : ['unreadable tenants/acme.csv:1:1']);
  });

  test('a file that does not belong there is reported', async () => {
    writeFileSync(join(directory, 'extra.csv'), '');
    writeFileSync(join(directory, 'tenants/acme.csv.orig'), '');
    expect(await mistakes()).toEqual(['unknown-file extra.csv:1:1', 'unknown-file tenants/acme.csv.orig:1:1']);
  });

  test('a file that is too large is not read', async () => {
    truncateSync(join(directory, 'tenants/acme.csv'), 17 << 20);
    expect(await mistakes()).toEqual(['too-large tenants/acme.csv:1:1']);
  });

  test('files that are too large together are not read', async () => {
    for (const name of ['mandatory.csv', 'model.conf', 'tenants/acme.csv', 'tenants/fabric.csv', 'tenants/globex.csv'])
      truncateSync(join(directory, name), 16 << 20);
    expect(await mistakes()).toContain('too-large tenants/globex.csv:1:1');
  });

  test('too many files are one mistake', async () => {
    for (let i = 0; i < 2001; i += 1) writeFileSync(join(directory, `tenants/t${i}.csv`), '');
    expect(await mistakes()).toEqual(['too-large tenants:1:1']);
  });

  test.each([
    ['a byte of Latin-1', Buffer.from('# ok\n# J\xfcrgen\n', 'latin1'), 'not-utf8 tenants/acme.csv:2:4'],
    ['a character cut off at the end', Buffer.from([0x23, 0xe2, 0x82]), 'not-utf8 tenants/acme.csv:1:2'],
    ['UTF-16', Buffer.from('p, role:a', 'utf16le'), 'syntax tenants/acme.csv:1:2'],
    ['an encoded surrogate', Buffer.from([0x23, 0xed, 0xa0, 0x80]), 'not-utf8 tenants/acme.csv:1:2'],
  ])('%s is pointed at', async (_name, bytes, mistake) => {
    writeFileSync(join(directory, 'tenants/acme.csv'), bytes);
    expect((await mistakes())[0]).toBe(mistake);
  });

  test('bytes of any kind in the other files are mistakes too', async () => {
    writeFileSync(join(directory, 'model.conf'), Buffer.from([0xff]));
    writeFileSync(join(directory, 'mandatory.csv'), Buffer.from([0xff]));
    expect(await mistakes()).toEqual(['not-utf8 mandatory.csv:1:1', 'not-utf8 model.conf:1:1']);
  });
});
