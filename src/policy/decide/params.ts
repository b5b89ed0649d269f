import type { FieldScalar, Value } from '../../cci/index.ts';

// Typed look-ups in parameters whose layout is known only at run time. INVARIANT: a field that is not what the catalogue
// says is a contradiction and throws, which denies; it never becomes an id of its own or an empty list.

export function uint(params: Value, field: string): number {
  const value = params[field];
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0) return value;
  throw new TypeError(`\`${field}\` is not a number`);
}

export function list(params: Value, field: string): readonly FieldScalar[] {
  const value = params[field];
  if (Array.isArray(value)) return value;
  throw new TypeError(`\`${field}\` is not a list`);
}

/** The numbers of a list of ids. */
export function ids(params: Value, field: string): readonly number[] {
  return list(params, field).map((id) => uint({ [field]: id }, field));
}
