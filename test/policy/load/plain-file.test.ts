import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { ErrorList } from '../../../src/policy/load/error.ts';
import { hasHidden, linesOf, readPlainFile, textOf } from '../../../src/policy/load/file.ts';

// Files of a policy come from a directory that others may write to: what is read is a plain file, all of it, and no more.

const directory = mkdtempSync(join(tmpdir(), 'plain-'));
afterAll(() => rmSync(directory, { recursive: true }));

const at = (name: string): string => join(directory, name);
const said = (errors: ErrorList): readonly string[] =>
  errors
    .list()
    .map(({ code, file, line, column, message, help }) => `${code} ${file}:${line}:${column} ${message}; ${help}`);

function reading(name: string, bytesMax: number): Uint8Array | readonly string[] {
  const errors = new ErrorList();
  return readPlainFile(at(name), name, bytesMax, errors) ?? said(errors);
}

describe('a file', () => {
  test('as large as may be is read whole, one byte more is not', () => {
    const content = Uint8Array.from({ length: (2 << 20) + 5 }, (_, index) => (index * 7) & 0xff);
    writeFileSync(at('large'), content);
    expect(Buffer.compare(Buffer.from(reading('large', content.length) as Uint8Array), content)).toBe(0);
    expect(reading('large', content.length - 1)).toEqual([expect.stringContaining('too-large large:1:1') as string]);
  });

  test('of nothing is a file', () => {
    writeFileSync(at('empty'), '');
    expect(reading('empty', 0)).toHaveLength(0);
  });

  test.each([
    [
      'link',
      () => symlinkSync('large', at('link')),
      'this is a symbolic link; put the file itself here: what a link leads to can change unseen',
    ],
    ['directory', () => mkdirSync(at('directory')), 'this is not a regular file; put a plain file here'],
    ['pipe', () => execFileSync('mkfifo', [at('pipe')]), 'this is not a regular file; put a plain file here'],
    ['none', () => undefined, "the file can't be read (ENOENT); check that it exists and is readable"],
  ])('that is a %s is refused at once', (name, make, why) => {
    make();
    expect(reading(name, 100)).toEqual([`unreadable ${name}:1:1 ${why}`]);
  });

  test('is closed again, whatever was found', () => {
    const open = (): number => readdirSync('/proc/self/fd').length;
    const before = open();
    for (let round = 0; round < 20; round += 1)
      for (const name of ['large', 'empty', 'directory', 'pipe', 'none']) reading(name, 10);
    expect(open()).toBeLessThan(before + 10);
  });
});

describe('a text', () => {
  const text = (bytes: Uint8Array, bytesMax?: number): string | readonly string[] => {
    const errors = new ErrorList();
    return textOf(bytes, 'f', errors, bytesMax) ?? said(errors);
  };

  test('as large as may be is one, one byte more is not', () => {
    expect(text(Buffer.from('abc'), 3)).toBe('abc');
    expect(text(Buffer.from('abcd'), 3)).toEqual([expect.stringContaining('too-large f:1:1') as string]);
  });

  test('keeps a mark at its beginning, which a reviewer does not see, and that is refused', () => {
    const marked = text(Buffer.from('\ufeffp, role:a'));
    expect(marked).toBe('\ufeffp, role:a');
    const errors = new ErrorList();
    expect(hasHidden(String(marked), 'f', 1, errors)).toBe(true);
    expect(said(errors)[0]).toContain('U+FEFF');
  });

  test.each([
    ['after letters of several bytes', [...Buffer.from('Jürgen €\n'), 0xe4], 'not-utf8 f:2:1 byte 0xe4'],
    ['in a line of its own', [...Buffer.from('a\nbc'), 0x80, 0x0a], 'not-utf8 f:2:3 byte 0x80'],
    ['that looks like the one that stands for it', [...Buffer.from('\ufffd'), 0xff], 'not-utf8 f:1:2 byte 0xff'],
    ['with its first byte right', [0x61, 0xc3, 0x28], 'not-utf8 f:1:2 byte 0xc3'],
  ])('with a bad byte %s is pointed at', (_name, bytes, expected) => {
    expect((text(Uint8Array.from(bytes)) as readonly string[])[0]).toContain(expected);
  });

  test('has the lines that an editor shows', () => {
    expect([...linesOf('a\r\n\nb\r\r\nc\r')]).toEqual([
      ['a', 1],
      ['', 2],
      ['b\r', 3],
      ['c\r', 4],
    ]);
    expect([...linesOf('')]).toEqual([['', 1]]);
    expect([...linesOf('\r\n')]).toEqual([
      ['', 1],
      ['', 2],
    ]);
  });
});
