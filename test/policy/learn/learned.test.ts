import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { wordsOf } from '../../../src/policy/learn/words.ts';
import { selectionsOf } from '../../../src/policy/meaning/index.ts';
import { sideOf } from '../meaning/sides.ts';
import { type LearnedCase, learnedFile } from './learned.ts';

const cases = parse(readFileSync(`${import.meta.dirname}/learned.yaml`, 'utf8')) as readonly LearnedCase[];

describe('from a journal is written, line by line:', () => {
  test.each(cases)('$name', async (one) => {
    expect(await learnedFile(one)).toBe(one.file);
  });
});

describe('words for several commands', () => {
  test('are those of grants that give two or more, the widest first', async () => {
    const words = wordsOf(selectionsOf([await sideOf({ acme: 'p, role:a, acme, own, identify, allow\n' })], false));
    const sizes = words.map(({ whole }) => whole.size);
    expect(sizes).toEqual(sizes.toSorted((a, b) => b - a));
    expect(Math.min(...sizes)).toBe(2);
    const texts = words.map(({ text }) => text);
    expect(texts).toEqual(
      expect.arrayContaining([
        'class:allowlisted',
        'class:audited',
        'scope:0',
        'scope:1',
        'scope:2',
        'scope:3',
        'scope:<=1',
        'scope:<=2',
        'scope:<=3',
        'set:virtual-switch',
      ]),
    );
    // One command, or none that can be granted as a set.
    for (const text of ['set:maintenance', 'set:sanitize-and-media-operations', 'set:undefined'])
      expect(texts).not.toContain(text);
  });

  test('give a log for some of what it is, or for all of it', async () => {
    const words = wordsOf(selectionsOf([await sideOf({ acme: 'p, role:a, acme, own, identify, allow\n' })], false));
    const kindOf = (text: string): readonly boolean[] => {
      const word = words.find((one) => one.text === text);
      return [word?.whole.has('get-log') === true, word?.partly.has('get-log') === true];
    };
    expect(kindOf('class:allowlisted')).toEqual([false, true]);
    expect(kindOf('class:audited')).toEqual([false, true]);
    expect(kindOf('scope:0')).toEqual([false, true]);
    expect(kindOf('scope:<=1')).toEqual([true, false]);
    expect(kindOf('set:logs')).toEqual([true, false]);
    expect(kindOf('set:virtual-switch')).toEqual([false, false]);
    const allowlisted = words.find(({ text }) => text === 'class:allowlisted');
    expect([...(allowlisted?.partly ?? [])]).toEqual(['get-log']);
  });
});
