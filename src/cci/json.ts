import { fromHex, toHex } from './bytes.ts';
import { type CodecError, codecError } from './codec-error.ts';
import { isRecord } from './decode.ts';
import { type EnumName, enums } from './enums.ts';
import type { BitRange, BitsField, Element, Field, FieldScalar, Layout, Value } from './layout.ts';
import { err, ok, type Result } from './result.ts';

/**
 * Values as JSON: bytes as lower-case hex, 64-bit numbers as `0x...` text, everything else as it is.
 * Input may also give any number as decimal or `0x` text, and a code by its name or number: the command line does.
 */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

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

/** The same, with the content of secret fields replaced by its length. */
export function toJsonMasked(layout: Layout, value: Value): Json {
  return maskFields(layout.fields, value);
}

function maskFields(fields: readonly Field[], value: Value): Json {
  const result: { [key: string]: Json } = {};
  for (const field of fields) {
    if (!('name' in field) || value[field.name] === undefined) continue;
    const part = value[field.name];
    if (isSecret(field)) result[field.name] = '(masked)';
    else if (field.kind === 'list' && field.element.kind === 'struct' && Array.isArray(part)) {
      const inner = field.element.fields;
      result[field.name] = part.map((item: FieldScalar) => (isRecord(item) ? maskFields(inner, item) : toJson(item)));
    } else result[field.name] = toJson(part);
  }
  return result;
}

function isSecret(field: Field): boolean {
  return (field.kind === 'bytes' && field.options.secret === true) || (field.kind === 'uuid' && field.secret === true);
}

/**
 * A value from JSON. Unknown and missing members are errors, so that a mistyped parameter never becomes a zero:
 * only bytes and lists may be left out (empty), and optional fields.
 */
export function fromJson(layout: Layout, json: unknown): Result<Value, CodecError> {
  const problem: { error?: CodecError } = {};
  const value = objectFrom(layout.fields, json ?? {}, '', problem);
  return problem.error === undefined ? ok(value) : err(problem.error);
}

type Problem = { error?: CodecError };

function fail(problem: Problem, field: string, message: string): undefined {
  problem.error ??= codecError('value', field, message);
  return undefined;
}

function objectFrom(fields: readonly Field[], json: unknown, prefix: string, problem: Problem): Value {
  const value: { [name: string]: FieldScalar } = {};
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    fail(problem, prefix.replace(/\.$/, ''), 'must be an object');
    return value;
  }
  const known = new Set<string>();
  for (const field of fields) {
    if (field.kind === 'reserved' || field.kind === 'count') continue;
    known.add(field.name);
    const given: unknown = Object.hasOwn(json, field.name) ? Reflect.get(json, field.name) : undefined;
    const part = fieldFrom(field, given, prefix + field.name, problem);
    if (part !== undefined) value[field.name] = part;
  }
  for (const name of Object.keys(json)) {
    if (!known.has(name))
      fail(problem, prefix + name, `is not a field here; there are ${[...known].join(', ') || 'none'}`);
  }
  return value;
}

function fieldFrom(field: Field, given: unknown, path: string, problem: Problem): FieldScalar {
  switch (field.kind) {
    case 'uint':
      if (given === undefined && field.options.optional) return undefined;
      if (field.options.enum !== undefined) return codeFrom(field.options.enum, given, path, problem);
      return field.width === 8 ? wideFrom(given, path, problem) : numberFrom(given, path, problem);
    case 'int':
      return numberFrom(given, path, problem);
    case 'bits':
      if (given === undefined && field.options.optional) return undefined;
      return bitsFrom(field, given, path, problem);
    case 'bytes':
      if (given === undefined) return new Uint8Array(typeof field.extent === 'number' ? field.extent : 0);
      return (typeof given === 'string' ? fromHex(given) : undefined) ?? fail(problem, path, 'must be hex digits');
    case 'ascii':
    case 'uuid':
      return typeof given === 'string' ? given : fail(problem, path, 'must be text');
    case 'bitmap':
      return listFrom(given, path, problem).map((item, i) => numberFrom(item, `${path}[${i}]`, problem));
    case 'list':
      return listFrom(given, path, problem).map((item, i) =>
        elementFrom(field.element, item, `${path}[${i}]`, problem),
      );
    default:
      return undefined;
  }
}

function listFrom(given: unknown, path: string, problem: Problem): readonly unknown[] {
  if (given === undefined) return [];
  if (Array.isArray(given)) return given;
  // `1,2,3` and `0-7` come from the command line.
  if (typeof given === 'string') return given.split(',').flatMap(range);
  if (typeof given === 'number') return [given];
  fail(problem, path, 'must be a list');
  return [];
}

function range(text: string): readonly string[] {
  const found = /^\s*(\d{1,5})-(\d{1,5})\s*$/.exec(text);
  if (found === null) return [text];
  const first = Number(found[1]);
  const last = Number(found[2]);
  return last < first ? [text] : Array.from({ length: last - first + 1 }, (_, i) => String(first + i));
}

function elementFrom(element: Element, given: unknown, path: string, problem: Problem): FieldScalar {
  return element.kind === 'struct'
    ? objectFrom(element.fields, given, `${path}.`, problem)
    : fieldFrom(element, given, path, problem);
}

const DECIMAL_OR_HEX = /^(?:0|[1-9]\d{0,19}|0x[0-9a-fA-F]{1,16})$/;

function wideFrom(given: unknown, path: string, problem: Problem): bigint | undefined {
  if (typeof given === 'number' && Number.isSafeInteger(given) && given >= 0) return BigInt(given);
  if (typeof given === 'string' && DECIMAL_OR_HEX.test(given.trim())) return BigInt(given.trim());
  if (typeof given === 'bigint') return given;
  return fail(problem, path, given === undefined ? 'is missing' : 'must be a whole number (text above 2^53)');
}

function numberFrom(given: unknown, path: string, problem: Problem): number | undefined {
  if (typeof given === 'number' && Number.isInteger(given)) return given;
  if (typeof given === 'string') {
    const digits = given.trim();
    if (DECIMAL_OR_HEX.test(digits)) return Number(digits);
    if (/^-[1-9]\d{0,9}$/.test(digits)) return Number(digits);
  }
  return fail(problem, path, given === undefined ? 'is missing' : 'must be a whole number');
}

function codeFrom(name: EnumName, given: unknown, path: string, problem: Problem): string | number | undefined {
  const entries = Object.entries(enums[name]);
  const found = entries.find(
    ([code, text]) => text === given || (given !== '' && Number(code) === Number(given as string)),
  );
  if (found !== undefined && (typeof given === 'string' || typeof given === 'number')) return found[1];
  const names = entries.map(([, text]) => text).join(', ');
  return fail(problem, path, given === undefined ? `is missing: one of ${names}` : `must be one of ${names}`);
}

function bitsFrom(field: BitsField, given: unknown, path: string, problem: Problem): FieldScalar {
  const parts = Object.entries(field.bits);
  const only = parts.length === 1 ? parts[0] : undefined;
  if (only !== undefined) return bitFrom(only[1], given, path, problem);
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    return fail(problem, path, `must be an object of ${parts.map(([name]) => name).join(', ')}`);
  }
  const value: { [name: string]: FieldScalar } = {};
  for (const [name, bitRange] of parts) {
    const part: unknown = Object.hasOwn(given, name) ? Reflect.get(given, name) : undefined;
    value[name] = bitFrom(bitRange, part, `${path}.${name}`, problem);
  }
  for (const name of Object.keys(given))
    if (!Object.hasOwn(field.bits, name)) fail(problem, `${path}.${name}`, 'is not a field');
  return value;
}

function bitFrom(bitRange: BitRange, given: unknown, path: string, problem: Problem): FieldScalar {
  if (bitRange[2] !== undefined) return codeFrom(bitRange[2], given, path, problem);
  if (bitRange[0] === bitRange[1]) {
    if (given === undefined || given === false || given === 'false' || given === 0 || given === '0') return false;
    if (given === true || given === 'true' || given === 1 || given === '1') return true;
    return fail(problem, path, 'must be true or false');
  }
  return bitRange[1] === 63 ? wideFrom(given, path, problem) : numberFrom(given, path, problem);
}
