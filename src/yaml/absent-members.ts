import type { TSchema } from '../schema/index.ts';

/**
 * A schema without the members that a value does not have. It says the same of that value: what `properties` tells of a
 * member holds where the member is there, and whether it has to be is said by `required`, which stays. Only members of
 * objects within objects are left out; choices and lists stay as they are.
 */
export function withoutAbsent(schema: TSchema, value: unknown): TSchema {
  const properties: unknown = Reflect.get(schema, 'properties');
  if (!isObject(properties) || !isObject(value)) return schema;
  const there: { [name: string]: unknown } = Object.create(null);
  for (const [name, member] of Object.entries(properties)) {
    if (Object.hasOwn(value, name)) there[name] = isObject(member) ? withoutAbsent(member, value[name]) : member;
  }
  return { ...schema, properties: there };
}

function isObject(value: unknown): value is { readonly [name: string]: unknown } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
