import { Ajv } from 'ajv';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Type } from '../../src/schema/index.ts';
import { withoutAbsent } from '../../src/yaml/absent-members.ts';

const closed = { additionalProperties: false } as const;
const Leaf = Type.Union([Type.Integer({ minimum: 2 }), Type.String({ pattern: '^a' })]);
const Inner = Type.Object({ a: Leaf, b: Type.Optional(Leaf) }, closed);
const Schema = Type.Object(
  {
    needed: Inner,
    maybe: Type.Optional(Type.Object({ deep: Type.Optional(Inner), list: Type.Optional(Type.Array(Inner)) }, closed)),
    either: Type.Optional(Type.Union([Inner, Type.Object({ kind: Type.Literal('x') }, closed)])),
    open: Type.Optional(Type.Record(Type.String(), Inner)),
  },
  closed,
);
const ajv = new Ajv({ allErrors: true, strict: false });
const whole = ajv.compile(Schema);

const key = fc.constantFrom(
  'needed',
  'maybe',
  'either',
  'open',
  'constructor',
  'a',
  'b',
  'deep',
  'list',
  'kind',
  'odd',
);
const { value } = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom(0, 3, 'a', 'b', 'x', null, true),
    fc.array(tie('value'), { maxLength: 2 }),
    fc.dictionary(key, tie('value'), { maxKeys: 4 }),
  ),
}));
const leaf = fc.constantFrom<unknown>(2, 3, 'a', 'ab', 1);
const inner = fc.record({ a: leaf, b: leaf }, { requiredKeys: ['a'] });
const nearly = fc.record(
  {
    needed: fc.oneof({ weight: 4, arbitrary: inner }, value),
    maybe: fc.oneof(fc.record({ deep: inner, list: fc.array(inner, { maxLength: 2 }) }, { requiredKeys: [] }), value),
    either: fc.oneof(inner, fc.constant({ kind: 'x' }), value),
    open: fc.oneof(fc.dictionary(key, inner, { maxKeys: 2 }), value),
  },
  { requiredKeys: [] },
);

it('what is left of a schema says the same of the value, mistake for mistake', () => {
  let good = 0;
  const one = (content: unknown): void => {
    const part = ajv.compile(withoutAbsent(Schema, content));
    const fits = whole(content);
    expect(part(content)).toBe(fits);
    const told = (errors: typeof whole.errors) =>
      (errors ?? []).map(({ instancePath, keyword, params, message }) => ({ instancePath, keyword, params, message }));
    expect(told(part.errors)).toEqual(told(whole.errors));
    if (fits) good += 1;
  };
  fc.assert(fc.property(fc.oneof(nearly, value), one), { numRuns: 400, seed: 7 });
  expect(good).toBeGreaterThan(5);
});

it('what the value does not have is gone from it, at any depth, and the schema itself stays as it was', () => {
  const before = JSON.stringify(Schema);
  const part = withoutAbsent(Schema, { needed: { a: 3 }, maybe: { deep: {} } });
  expect(part).toMatchObject({
    required: ['needed'],
    properties: { needed: { properties: { a: {} } }, maybe: { properties: { deep: { properties: {} } } } },
  });
  expect(Object.keys(Reflect.get(part, 'properties'))).toEqual(['needed', 'maybe']);
  expect(JSON.stringify(Schema)).toBe(before);
});
