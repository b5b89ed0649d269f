import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  args,
  bad,
  bytes,
  either,
  integer,
  json,
  nestsDeeperThan,
  object,
  optional,
  text,
  words,
} from '../../../src/broker/channel/shape.ts';
import { wireBytes } from '../../../src/broker/channel/wire.ts';

describe('what the core takes from its edge', () => {
  const cases: readonly (readonly [
    name: string,
    read: (value: unknown) => unknown,
    good: readonly unknown[],
    wrong: readonly unknown[],
  ])[] = [
    ['text', text(3), ['', 'abc'], ['abcd', 1, null, undefined, ['a'], { length: 1 }, new String('a')]],
    ['text of a kind', text(9, /^[a-z]*$/), ['abc'], ['ABC', 'a\n']],
    ['words', words('a', 'b'), ['a'], ['c', '', 0, null, ['a']]],
    ['numbers', integer(1, 5), [1, 5], [0, 6, 1.5, '1', Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, null, true]],
    [
      'bytes',
      bytes(3),
      [],
      ['', null, { $bytes: 'AAAAAA==' }, { $bytes: '!' }, { $bytes: 'AA', more: 1 }, { $bytes: 1 }, new Uint8Array(1)],
    ],
    ['what may be left out', optional(integer(1, 2)), [1], [0, 'x', {}]],
    [
      'objects',
      object({ a: integer(0, 1), b: optional(text(1)) }),
      [{ a: 1 }, { a: 0, b: 'x' }],
      [{}, { a: 2 }, { a: 1, c: 1 }, { a: 1, b: 2 }, [], null, 'a', JSON.parse('{"a":1,"__proto__":{}}')],
    ],
    ['one of several', either(integer(0, 1), text(1), words('long')), [0, 'x', 'long'], ['xx', 2, null]],
    [
      'arguments',
      args(integer(0, 1), optional(text(1))),
      [[1, 'x']],
      [[], [2], [1, 'x', 1], {}, null, { length: 1, 0: 1 }, [1, 1]],
    ],
  ];
  test.each(cases)('%s', (_name, read, good, wrong) => {
    for (const value of good) expect(read(value)).toEqual(value);
    for (const value of wrong) expect(read(value), JSON.stringify(value)).toBe(bad);
  });

  test('bytes as they were sent, as bytes of their own', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 50 }), (sent) => {
        expect(bytes(50)(wireBytes(sent))).toEqual(sent);
      }),
      { seed: 1 },
    );
  });

  test('nothing but what it names of an object is handed on, whatever its prototype', () => {
    const read = object({ a: optional(json) });
    const given = Object.create({ a: 'inherited' }) as object;
    expect(read(given)).toEqual({});
    expect(Object.getPrototypeOf(read(JSON.parse('{"a":{"__proto__":1}}')))).toBe(Object.prototype);
  });

  test('depth is counted outside of strings alone', () => {
    const deep = (text_: string) => nestsDeeperThan(2, Buffer.from(text_));
    expect(deep('[[1]]')).toBe(false);
    expect(deep('[[[1]]]')).toBe(true);
    expect(deep('["[[[[", "\\"[[[["]')).toBe(false);
    expect(deep('[[],[],{"a":"]"}]')).toBe(false);
    expect(deep('{"a":{"b":{}}}')).toBe(true);
  });
});
