import { describe, expect, test } from 'vitest';
import { EscapeWatch, escapeText, parseEscape } from '../../../src/cli/console/escape.ts';

function typed(character: number | undefined, ...chunks: readonly string[]): { sent: string; commands: string[] } {
  const watch = new EscapeWatch(character);
  const commands: string[] = [];
  const sent = chunks.map((chunk) => {
    const taken = watch.take(Buffer.from(chunk));
    commands.push(...taken.commands);
    return Buffer.from(taken.send).toString();
  });
  return { sent: sent.join(''), commands };
}

const TILDE = 0x7e;

describe('at the beginning of a line', () => {
  test.each<[string, string[], string, string[]]>([
    ['~. ends it, also as the very first keys', ['~', '.'], '', ['end']],
    ['~. ends it after Enter', ['ls\r', '~', '.'], 'ls\r', ['end']],
    ['~. in one piece', ['\r', '~.'], '\r', ['end']],
    ['~? helps', ['~', '?'], '', ['help']],
    ['~~ types one', ['~', '~', 'x'], '~x', []],
    ['~ and another key types both', ['~', 'l'], '~l', []],
    ['cursor keys do not move the beginning of the line away', ['\r', '\u001b[A', '~', '.'], '\r\u001b[A', ['end']],
  ])('%s', (_name, chunks, sent, commands) => {
    expect(typed(TILDE, ...chunks)).toEqual({ sent, commands });
  });
});

describe('nothing happens', () => {
  test.each<[string, string[]]>([
    ['in the middle of a line', ['ls ', '~', '.', 'x']],
    ['in what is pasted', ['\r', 'first line\r~.\rsecond']],
    ['between the marks of a paste, however it is cut', ['\u001b[200~', '\r~.', '\r~.', '\u001b[201~']],
  ])('%s', (_name, chunks) => {
    expect(typed(TILDE, ...chunks)).toEqual({ sent: chunks.join(''), commands: [] });
  });

  test('where it is turned off', () => {
    expect(typed(undefined, '\r', '~', '.')).toEqual({ sent: '\r~.', commands: [] });
  });
});

test('after a paste the keys count again', () => {
  expect(typed(TILDE, '\u001b[200~\r~.\u001b[201~', '\r', '~', '.').commands).toEqual(['end']);
});

test('a control character counts anywhere', () => {
  expect(typed(0x1d, 'ls', '\u001d', '.')).toEqual({ sent: 'ls', commands: ['end'] });
});

test.each([
  ['~', TILDE],
  ['^]', 0x1d],
  ['^a', 1],
  ['none', undefined],
])('--escape %s', (text, character) => expect(parseEscape(text)).toBe(character));

test.each(['', '.', '?', '~~', '^[', '^M', '^', 'ä', ' '])('--escape `%s` is refused', (text) => {
  if (text === '^') expect(parseEscape(text)).toBe(0x5e);
  else expect(() => parseEscape(text)).toThrow('is no escape character');
});

test('it is named as it is typed', () => {
  expect([escapeText(0x1d), escapeText(TILDE)]).toEqual(['Ctrl-]', '~']);
});
