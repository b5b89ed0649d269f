import { type EnumRef, enumNames } from './enums.ts';
import type { BitRange, BitsField, Element, Field, Layout, UintOptions, UintWidth } from './layout.ts';

/** A JSON Schema (2020-12), as far as payloads need it. */
export type JsonSchema = { readonly [keyword: string]: unknown };

/**
 * The JSON form of a payload as a schema: what `fromJson` takes (`request`) or `toJson` gives (`reply`). Derived from
 * the layout, so that no second place lists fields.
 */
export function jsonSchemaOf(layout: Layout, side: 'request' | 'reply'): JsonSchema {
  return objectSchema(layout.fields, side);
}

function objectSchema(fields: readonly Field[], side: 'request' | 'reply'): JsonSchema {
  const properties: { [name: string]: JsonSchema } = {};
  const required: string[] = [];
  for (const field of fields) {
    if (field.kind === 'reserved' || field.kind === 'count') continue;
    properties[field.name] = fieldSchema(field, side);
    if (isRequired(field, side)) required.push(field.name);
  }
  return {
    type: 'object',
    properties,
    ...(required.length === 0 ? {} : { required }),
    additionalProperties: false,
  };
}

/** Bytes and lists may be left out of a request: they are empty then. */
function isRequired(field: Exclude<Field, { kind: 'reserved' | 'count' }>, side: 'request' | 'reply'): boolean {
  if ((field.kind === 'uint' || field.kind === 'bits') && canBeAbsent(field.options, side)) return false;
  return side === 'reply' || !(field.kind === 'bytes' || field.kind === 'list' || field.kind === 'bitmap');
}

/** A 2.0 device leaves some members out (D09); a request never may. */
function canBeAbsent(options: UintOptions, side: 'request' | 'reply'): boolean {
  return options.optional === true || (side === 'reply' && options.absentIn !== undefined);
}

function fieldSchema(field: Exclude<Field, { kind: 'reserved' | 'count' }>, side: 'request' | 'reply'): JsonSchema {
  switch (field.kind) {
    case 'uint':
      return described(
        field.options.enum === undefined
          ? uintSchema(field.width, field.options.min, field.options.max, side)
          : codeSchema(field.options.enum, side),
        field.options.help,
      );
    case 'int':
      return described({ type: 'integer', minimum: -0x8000, maximum: 0x7fff }, field.help);
    case 'bits':
      return described(bitsSchema(field, side), field.options.help);
    case 'bytes': {
      const size = typeof field.extent === 'number' ? field.extent * 2 : undefined;
      const length = size === undefined ? {} : { minLength: size, maxLength: size };
      return described({ type: 'string', pattern: '^([0-9a-fA-F]{2})*$', ...length }, field.options.help ?? 'hex');
    }
    case 'ascii':
      return described({ type: 'string', maxLength: field.width }, field.help);
    case 'uuid':
      return described({ type: 'string', format: 'uuid' }, field.help);
    case 'bitmap':
      return { type: 'array', items: { type: 'integer', minimum: 0, maximum: field.width * 8 - 1 } };
    case 'list':
      return described({ type: 'array', items: elementSchema(field.element, side) }, field.help);
  }
}

function elementSchema(element: Element, side: 'request' | 'reply'): JsonSchema {
  if (element.kind === 'struct') return objectSchema(element.fields, side);
  return fieldSchema(element, side);
}

/** 64-bit numbers are text in replies, and may be in requests: JSON readers lose digits above 2^53. */
function uintSchema(
  width: UintWidth,
  min: number | undefined,
  max: number | undefined,
  side: 'request' | 'reply',
): JsonSchema {
  const text = { type: 'string', pattern: '^(0x[0-9a-fA-F]{1,16}|[0-9]{1,20})$' };
  if (width === 8) return side === 'reply' ? text : { oneOf: [text, { type: 'integer', minimum: 0 }] };
  if (side === 'reply') return { type: 'integer', minimum: 0, maximum: 256 ** width - 1 };
  return { type: 'integer', minimum: min ?? 0, maximum: max ?? 256 ** width - 1 };
}

/** A reply's code without a name stays a number. */
function codeSchema(name: EnumRef, side: 'request' | 'reply'): JsonSchema {
  const names = { enum: enumNames(name) };
  return side === 'request'
    ? { type: 'string', ...names }
    : { oneOf: [{ type: 'string', ...names }, { type: 'integer' }] };
}

function bitsSchema(field: BitsField, side: 'request' | 'reply'): JsonSchema {
  const parts = Object.entries(field.bits);
  const only = parts.length === 1 ? parts[0] : undefined;
  if (only !== undefined) return bitSchema(only[1], side);
  const properties = Object.fromEntries(parts.map(([name, range]) => [name, bitSchema(range, side)]));
  const required = parts.filter(([, range]) => side === 'reply' || !isFlag(range)).map(([name]) => name);
  return { type: 'object', properties, ...(required.length === 0 ? {} : { required }), additionalProperties: false };
}

function bitSchema(range: BitRange, side: 'request' | 'reply'): JsonSchema {
  const [low, high, name] = range;
  if (name !== undefined) return codeSchema(name, side);
  if (isFlag(range)) return { type: 'boolean' };
  return high === 63
    ? uintSchema(8, undefined, undefined, side)
    : { type: 'integer', minimum: 0, maximum: 2 ** (high - low + 1) - 1 };
}

function isFlag([low, high, name]: BitRange): boolean {
  return low === high && name === undefined;
}

function described(schema: JsonSchema, help: string | undefined): JsonSchema {
  return help === undefined ? schema : { ...schema, description: help };
}
