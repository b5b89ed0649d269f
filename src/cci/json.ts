import { toHex } from './bytes.ts';
import type { Field, FieldScalar, Layout, Value } from './layout.ts';
import { isRecord } from './value.ts';

/**
 * Values as JSON: bytes as lower-case hex, 64-bit numbers as `0x...` text, everything else as it is.
 * Input may also give any number as decimal or `0x` text, and a code by its name or number: the command line does.
 */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** What stands in the place of a secret, whatever its length. */
export const MASK = '(masked)';

/** JSON of a decoded value. */
export function toJson(value: FieldScalar): Json {
  if (typeof value === 'bigint') return `0x${value.toString(16)}`;
  if (value instanceof Uint8Array) return toHex(value);
  if (value === undefined) return null;
  if (Array.isArray(value)) return value.map((item: FieldScalar) => toJson(item));
  if (!isRecord(value)) return value as string | number | boolean;
  const result: { [key: string]: Json } = {};
  for (const [name, part] of Object.entries(value)) if (part !== undefined) result[name] = toJson(part);
  return result;
}

/** The same for logs: every field marked secret, at any depth, is replaced by `(masked)`. */
export function toJsonMasked(layout: Layout, value: Value): Json {
  return maskFields(layout.fields, value);
}

function maskFields(fields: readonly Field[], value: Value): Json {
  const result: { [key: string]: Json } = {};
  for (const field of fields) {
    if (field.kind === 'reserved') continue;
    const part = value[field.name];
    if (part !== undefined) result[field.name] = isSecret(field) ? MASK : maskInside(field, part);
  }
  return result;
}

function maskInside(field: Field, part: FieldScalar): Json {
  if (field.kind !== 'list' || field.element.kind !== 'struct' || !Array.isArray(part)) return toJson(part);
  const { fields } = field.element;
  return part.map((item: FieldScalar) => (isRecord(item) ? maskFields(fields, item) : MASK));
}

function isSecret(field: Field): boolean {
  switch (field.kind) {
    case 'uint':
    case 'bits':
    case 'bytes':
      return field.options.secret === true;
    case 'uuid':
    case 'ascii':
      return field.secret === true;
    case 'list':
      return field.element.kind === 'uint' && field.element.options.secret === true;
    default:
      return false;
  }
}
