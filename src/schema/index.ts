import type { Type as TypeBox } from 'typebox';

/**
 * JSON Schemas that carry their TypeScript type: the words of typebox, whose types these are, without its run time. That
 * is 370 files, of which the broker needs what stands below; loading them was a sixth of its start and 15 MB of memory
 * (docs/decisions/0180-schemas-without-a-run-time.md). A test holds every word against typebox itself.
 */
export type { Static, TProperties, TSchema } from 'typebox';

type Word =
  | 'Array'
  | 'Boolean'
  | 'Enum'
  | 'Integer'
  | 'Literal'
  | 'Null'
  | 'Number'
  | 'Object'
  | 'Optional'
  | 'Record'
  | 'String'
  | 'Union'
  | 'Unknown'
  | 'Unsafe';

type Schema = { readonly [keyword: string]: unknown };

/** Any string is a key of a record whose keys have no pattern. */
const ANY_KEY = '^.*$';

/** Schemas of members that may be absent: a mark beside the schema, so that it is no keyword in it. */
const optional = new WeakSet<object>();

const words = {
  Array: (items: Schema, options?: Schema) => ({ type: 'array', items, ...options }),
  Boolean: (options?: Schema) => ({ type: 'boolean', ...options }),
  Enum: (values: readonly unknown[], options?: Schema) => ({ enum: values, ...options }),
  Integer: (options?: Schema) => ({ type: 'integer', ...options }),
  Literal: (value: unknown, options?: Schema) => ({ type: typeof value, const: value, ...options }),
  Null: (options?: Schema) => ({ type: 'null', ...options }),
  Number: (options?: Schema) => ({ type: 'number', ...options }),
  Object: (properties: { readonly [name: string]: Schema }, options?: Schema) => {
    const required = Object.keys(properties).filter((name) => !optional.has(properties[name] ?? {}));
    return { type: 'object', ...(required.length === 0 ? {} : { required }), properties, ...options };
  },
  Optional: (schema: Schema) => {
    const marked = { ...schema };
    optional.add(marked);
    return marked;
  },
  Record: (key: Schema, value: Schema, options?: Schema) => ({
    type: 'object',
    patternProperties: { [typeof key.pattern === 'string' ? key.pattern : ANY_KEY]: value },
    ...options,
  }),
  String: (options?: Schema) => ({ type: 'string', ...options }),
  Union: (anyOf: readonly Schema[], options?: Schema) => ({ anyOf, ...options }),
  Unknown: (options?: Schema) => ({ ...options }),
  Unsafe: (schema: Schema) => ({ ...schema }),
} satisfies Record<Word, unknown>;

/** What stands here makes the same JSON as typebox; its types say what fits. */
export const Type = words as unknown as Pick<typeof TypeBox, Word>;
