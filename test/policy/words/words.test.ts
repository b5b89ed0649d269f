import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { catalogue, isTyped } from '../../../src/cci/index.ts';
import { conditions } from '../../../src/policy/engine.ts';
import {
  againstSentence,
  classWords,
  commandWords,
  conditionWords,
  countWords,
  liftWords,
  listWords,
  reachWords,
  resourceWords,
  scopeWords,
  startSentence,
  stepWords,
} from '../../../src/policy/words/index.ts';

const wordsOf: { readonly [kind: string]: (word: string) => string | undefined } = {
  command: commandWords,
  class: classWords,
  reach: reachWords,
  condition: conditionWords,
  step: stepWords,
  lift: liftWords,
};

const commandsWithWords = (): readonly string[] =>
  catalogue.map(({ slug }) => slug).filter((slug) => commandWords(slug) !== undefined);

describe('words for people', () => {
  test.each([
    ['/switches/sw0', 'switch sw0 itself'],
    ['/switches/sw0/ports/3', 'port 3'],
    ['/switches/sw0/ports/3/lds/1', 'logical device 1 behind port 3'],
    ['/switches/sw0/ports/3/ldpool', 'the pool of the device behind port 3'],
    ['/switches/sw0/ports/3/heads/0', 'head 0 of the device behind port 3'],
    ['/switches/sw0/ports/3/hosts/2', 'host 2 of the device behind port 3'],
    ['/switches/sw0/ports/3/tags/0da9c0b5', 'capacity tag 0da9c0b5 behind port 3'],
    ['/switches/sw0/vcss/0', 'virtual switch 0'],
    ['/switches/sw0/vcss/0/vppbs/2', 'slot 2 of virtual switch 0'],
    ['/switches/sw0/ports/3/else/2', '/switches/sw0/ports/3/else/2'],
    ['/switches', '/switches'],
    ['own', 'own'],
  ])('%s is %s', (path, words) => expect(resourceWords(path)).toBe(words));

  test('every sentence is the one that people were told so far', () => {
    const told = parse(readFileSync(`${import.meta.dirname}/sentences.yaml`, 'utf8')) as typeof sentences;
    const sentences: { [kind: string]: { [word: string]: string | undefined } } = {};
    for (const [kind, words] of Object.entries(wordsOf))
      sentences[kind] = Object.fromEntries(Object.keys(told[kind] ?? {}).map((word) => [word, words(word)]));
    expect(sentences).toEqual(told);
    const unread = conditions.filter((condition) => told.condition?.[condition] === undefined);
    expect(unread).toEqual([]);
    expect(commandsWithWords().filter((slug) => told.command?.[slug] === undefined)).toEqual([]);
  });

  test.each([
    ['grant', 'grant', 'The grants stand against it: no.'],
    ['offered', 'offered', 'What is offered to anybody at all stands against it: no.'],
    ['structure', 'E2', 'The form of the command stands against it (E2): no.'],
  ])('a refusal by %s is named once', (step, rule, sentence) =>
    expect(againstSentence({ step, rule, text: 'no' })).toBe(sentence),
  );

  test('exist for every class, scope, reach, step, condition and rule letter, and for none that is made up', () => {
    for (const word of ['allowlisted', 'audited', 'raw']) expect(classWords(word)).not.toBe(word);
    for (const word of ['query', 'own', 'cross-tenant', 'switch', 'opaque']) expect(reachWords(word)).not.toBe(word);
    for (const word of [
      'structure',
      'raw-gate',
      'payload',
      'cel',
      'exclusive',
      'offered',
      'mandatory',
      'scope',
      'ownership',
      'grant',
      'quota',
    ])
      expect(stepWords(word)).not.toBe(word);
    for (const word of conditions) expect(conditionWords(word)).not.toBe(word);
    for (const id of ['L1', 'T1', 'P1', 'B1', 'Q1']) expect(liftWords(id)).not.toBe(liftWords('Z1'));
    expect([0, 1, 2, 3].map(scopeWords)).toEqual([
      'scope 0, configuration',
      'scope 1, debug reading',
      'scope 2, debug writing',
      'scope 3, unrestricted debug writing',
    ]);
    expect([
      classWords('constructor'),
      reachWords('toString'),
      stepWords('x'),
      conditionWords('x'),
      scopeWords(9),
    ]).toEqual(['constructor', 'toString', 'x', 'x', 'scope 9']);
  });

  test('say what a command does for the ones that can be granted widely', () => {
    const silent = catalogue.filter(
      (row) => isTyped(row) && row.allowlisted !== undefined && commandWords(row.slug) === undefined,
    );
    expect(silent.map(({ slug }) => slug)).toEqual([]);
    expect(commandWords('no-such-command')).toBeUndefined();
  });

  test('make lists, counts and sentences', () => {
    expect([listWords([]), listWords(['a']), listWords(['a', 'b']), listWords(['a', 'b', 'c'], 'or')]).toEqual([
      '',
      'a',
      'a and b',
      'a, b or c',
    ]);
    expect([countWords(1, 'row'), countWords(2, 'row'), countWords(0, 'entry', 'entries')]).toEqual([
      '1 row',
      '2 rows',
      '0 entries',
    ]);
    expect([startSentence('so it is'), startSentence('Is it?')]).toEqual(['So it is.', 'Is it?']);
    expect(againstSentence({ step: 'mandatory', rule: 'B2', text: 'it is bound', source: 'mandatory.csv:51' })).toBe(
      'The mandatory rules stand against it (B2 at mandatory.csv:51): it is bound.',
    );
    expect(againstSentence({ step: 'scope', rule: 'scope', text: 'no scope' })).toBe(
      'The token stands against it: no scope.',
    );
  });
});
