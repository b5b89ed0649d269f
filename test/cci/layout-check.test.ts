import { expect, test } from 'vitest';
import {
  bits,
  bytes,
  count,
  type EnumName,
  type Field,
  type Layout,
  layout,
  layoutProblems,
  list,
  reserved,
  struct,
  u,
} from '../../src/cci/index.ts';

function of(...fields: readonly Field[]): Layout {
  return layout(1000, null, fields);
}

const wrongEnum = 'no_such_table' as EnumName;

test.each<[string, Layout, readonly string[]]>([
  [
    'a sound layout',
    of(count(1, 'n'), reserved(1), list('a', u(1, 'id'), { counter: 'n' }), u(1, 'b', { optional: true })),
    [],
  ],
  ['a minimum that is too small', layout(1, null, [u(2, 'a')]), ['min 1 is less than the 2 bytes of its fields']],
  ['a maximum below the minimum', layout(2, 1, [u(2, 'a')]), ['max 1 is less than min 2']],
  ['a name that would be a prototype', of(u(1, '__proto__')), ['__proto__: is not a lower-case name']],
  ['a name of every object', of(u(1, 'constructor')), ['constructor: is a name that every object has']],
  [
    'a part with a name of every object',
    of(bits(1, 'a', { constructor: [0, 0] as never })),
    ['a: part constructor has a name that every object has'],
  ],
  ['a name twice', of(u(1, 'a'), u(1, 'a')), ['a: appears twice']],
  ['an unknown code table', of(u(1, 'a', { enum: wrongEnum })), ['a: there is no enum no_such_table']],
  ['a code of 64 bits', of(u(8, 'a', { enum: 'vcs_state' })), ['a: 64 bits are too many for a code']],
  [
    'a counter behind its list',
    of(list('a', u(1, 'id'), { counter: 'n' }), count(1, 'n')),
    ['a: its counter n is not in front of it'],
  ],
  ['something after the rest', of(bytes('a', 'rest'), u(1, 'b')), ['a: takes the rest, but something follows']],
  [
    'an optional field in the middle',
    of(u(1, 'a', { optional: true }), u(1, 'b')),
    ['a: only the last field can be left off'],
  ],
  [
    'optional bits in the middle',
    of(bits(1, 'a', { x: [0, 0] }, { optional: true }), u(1, 'b')),
    ['a: only the last field can be left off'],
  ],
  [
    'a dialect that lacks a middle field',
    of(u(1, 'a', { absentIn: 'jackrabbit' }), u(1, 'b')),
    ['a: only the last field can be left off'],
  ],
  [
    'elements that may be empty',
    of(list('a', struct('s', [bytes('b', 'rest')]), 'rest')),
    ['a: an element may be empty, so a counter could ask for any number'],
  ],
  ['a wrong field in an element', of(list('a', struct('s', [u(1, 'B')]), 'rest')), ['a[].B: is not a lower-case name']],
  ['bits outside the field', of(bits(1, 'a', { x: [0, 8] })), ['a: part x has bits 8:0 of 8']],
  ['bits in the wrong order', of(bits(1, 'a', { x: [3, 2] })), ['a: part x has bits 2:3 of 8']],
  ['bits below 0', of(bits(1, 'a', { x: [-1, 2] })), ['a: part x has bits 2:-1 of 8']],
  ['bits that two parts share', of(bits(1, 'a', { x: [0, 2], y: [2, 3] })), ['a: part y shares bit 2']],
  ['a part that no number holds', of(bits(8, 'a', { x: [0, 60] })), ['a: part x is too wide for a number']],
  ['a part of a wrong name', of(bits(1, 'a', { X: [0, 0] })), ['a: part X is not a lower-case name']],
  [
    'a part with an unknown code table',
    of(bits(1, 'a', { x: [0, 1, wrongEnum] })),
    ['a: there is no enum no_such_table'],
  ],
])('%s', (_what, shape, problems) => {
  expect(layoutProblems(shape)).toEqual(problems);
});

test('the smallest size counts fixed lists and leaves out counters that have a condition', () => {
  const shape = layout(4, null, [
    u(1, 'a'),
    list('b', u(1, 'id'), 3),
    count(4, 'n', { when: { field: 'a', equals: 'x' } }),
    list('c', u(1, 'id'), { counter: 'n' }),
  ]);
  expect(layoutProblems(shape)).toEqual([]);
});
