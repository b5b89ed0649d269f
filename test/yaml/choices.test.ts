import { expect, test } from 'vitest';
import { Type } from '../../src/schema/index.ts';
import { parseYaml } from '../../src/yaml/index.ts';

const closed = { additionalProperties: false } as const;
const Wheel = Type.Union([
  Type.Object({ form: Type.Literal('round'), radius: Type.Integer() }, closed),
  Type.Object({ form: Type.Literal('square'), side: Type.Integer() }, closed),
]);
const schema = Type.Object(
  {
    vehicles: Type.Array(
      Type.Union([
        Type.Object({ kind: Type.Literal('car'), wheels: Type.Array(Wheel) }, closed),
        Type.Object({ kind: Type.Literal('boat'), length: Type.Integer({ minimum: 1 }) }, closed),
      ]),
    ),
    size: Type.Optional(Type.Union([Type.Integer(), Type.Null()])),
  },
  closed,
);

const problemsOf = (text: string): readonly string[] => {
  const parsed = parseYaml(schema, text, 'f.yaml');
  return parsed.ok ? [] : parsed.problems.map(({ line, column, message }) => `${line}:${column} ${message}`);
};

test.each([
  [
    'a mistake in the form that was chosen',
    'vehicles: [{ kind: boat, length: 0 }]',
    ['1:26 `vehicles.0.length` must be >= 1'],
  ],
  [
    'a key of another form',
    'vehicles: [{ kind: boat, length: 1, wheels: [] }]',
    ['1:37 `vehicles.0.wheels` is not a known key'],
  ],
  ['a missing key of the form', 'vehicles: [{ kind: boat }]', ['1:12 `vehicles.0` must have `length`']],
  ['a form that there is not', 'vehicles: [{ kind: plane }]', ['1:14 `vehicles.0.kind` must be one of `car`, `boat`']],
  [
    'two values with two mistakes',
    'vehicles:\n  - { kind: plane }\n  - { kind: boat, length: x }',
    ['2:7 `vehicles.0.kind` must be one of `car`, `boat`', '3:19 `vehicles.1.length` must be integer'],
  ],
  [
    'a form inside a form',
    'vehicles: [{ kind: car, wheels: [{ form: square, radius: 1 }] }]',
    ['1:34 `vehicles.0.wheels.0` must have `side`', '1:50 `vehicles.0.wheels.0.radius` is not a known key'],
  ],
  [
    'a form that there is not inside a form',
    'vehicles: [{ kind: car, wheels: [{ form: oval }] }]',
    ['1:36 `vehicles.0.wheels.0.form` must be one of `round`, `square`'],
  ],
])('%s is told alone', (_what, text, expected) => {
  expect(problemsOf(text)).toEqual(expected);
});

test('where nothing tells the forms apart, each says what it wants', () => {
  expect(problemsOf('vehicles: []\nsize: big').join('\n')).toMatch(/must be integer[\s\S]*must be null/);
  expect(problemsOf('vehicles: [7]').length).toBeGreaterThan(1);
  expect(problemsOf('vehicles: [{ length: 1 }]').join('\n')).toContain('must have `kind`');
});

test('thousands of mistakes are told in seconds', () => {
  const text = `vehicles:\n${'  - { kind: plane }\n'.repeat(20_000)}`;
  expect(problemsOf(text).length).toBeGreaterThan(20_000);
});
