import fc from 'fast-check';
import { Type as TypeBox } from 'typebox';
import { expect, test } from 'vitest';
import { Type } from '../../src/schema/index.ts';

/** One schema, told in words that either of the two understands. */
type Told =
  | { readonly word: 'Boolean' | 'Integer' | 'Null' | 'Number' | 'String' | 'Unknown'; readonly options?: object }
  | { readonly word: 'Literal'; readonly value: string | number | boolean; readonly options?: object }
  | { readonly word: 'Enum'; readonly values: readonly (string | number)[]; readonly options?: object }
  | { readonly word: 'Array'; readonly items: Told; readonly options?: object }
  | { readonly word: 'Union'; readonly anyOf: readonly Told[]; readonly options?: object }
  | { readonly word: 'Unsafe'; readonly schema: object }
  | { readonly word: 'Record'; readonly pattern: string | undefined; readonly value: Told; readonly options?: object }
  | {
      readonly word: 'Object';
      readonly members: { readonly [name: string]: { readonly schema: Told; readonly optional: boolean } };
      readonly options?: object;
    };

// biome-ignore lint/suspicious/noExplicitAny: the two are held against each other word by word, whatever their types are
type Words = any;

function make(words: Words, told: Told): object {
  switch (told.word) {
    case 'Literal':
      return words.Literal(told.value, told.options);
    case 'Enum':
      return words.Enum([...told.values], told.options);
    case 'Array':
      return words.Array(make(words, told.items), told.options);
    case 'Union':
      return words.Union(
        told.anyOf.map((one) => make(words, one)),
        told.options,
      );
    case 'Unsafe':
      return words.Unsafe({ ...told.schema });
    case 'Record': {
      const key = told.pattern === undefined ? words.String() : words.String({ pattern: told.pattern });
      return words.Record(key, make(words, told.value), told.options);
    }
    case 'Object': {
      const members = Object.entries(told.members).map(([name, { schema, optional }]) => {
        const made = make(words, schema);
        return [name, optional ? words.Optional(made) : made];
      });
      return words.Object(Object.fromEntries(members), told.options);
    }
    default:
      return words[told.word](told.options);
  }
}

const options = fc.option(
  fc.record(
    {
      description: fc.string(),
      minimum: fc.integer(),
      default: fc.integer(),
      additionalProperties: fc.constant(false),
    },
    { requiredKeys: [] },
  ),
  { nil: undefined },
);
const name = fc.stringMatching(/^[a-z]{1,8}$/);

const { told } = fc.letrec<{ told: Told }>((tie) => ({
  told: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.record({ word: fc.constantFrom('Boolean', 'Integer', 'Null', 'Number', 'String', 'Unknown'), options }),
    fc.record({ word: fc.constant('Literal'), value: fc.oneof(fc.string(), fc.integer(), fc.boolean()), options }),
    fc.record({ word: fc.constant('Enum'), values: fc.array(fc.oneof(name, fc.integer())), options }),
    fc.record({ word: fc.constant('Unsafe'), schema: fc.record({ $ref: name }) }),
    fc.record({ word: fc.constant('Array'), items: tie('told'), options }),
    fc.record({ word: fc.constant('Union'), anyOf: fc.array(tie('told'), { maxLength: 3 }), options }),
    fc.record({
      word: fc.constant('Record'),
      pattern: fc.option(fc.constantFrom('^[a-z]+$', '^x'), { nil: undefined }),
      value: tie('told'),
      options,
    }),
    fc.record({
      word: fc.constant('Object'),
      members: fc.dictionary(name, fc.record({ schema: tie('told'), optional: fc.boolean() }), { maxKeys: 4 }),
      options,
    }),
  ) as fc.Arbitrary<Told>,
}));

test('every schema is the JSON that typebox makes of the same words', () => {
  fc.assert(
    fc.property(told, (one) => {
      expect(JSON.stringify(make(Type, one))).toBe(JSON.stringify(make(TypeBox, one)));
    }),
    { numRuns: 500, seed: 7 },
  );
});

test('a member that is optional in one object is required in another that takes it as it was', () => {
  const text = Type.String();
  expect(Type.Object({ a: Type.Optional(text) })).not.toHaveProperty('required');
  expect(Type.Object({ a: text })).toHaveProperty('required', ['a']);
});

test('members that are taken over from another object stay optional', () => {
  const first = Type.Object({ a: Type.Optional(Type.String()), b: Type.String() });
  expect(Type.Object({ ...first.properties })).toEqual(first);
});
