import { fromHex, uuidBytes, uuidText } from './bytes.ts';
import { type CodecError, codecError } from './codec-error.ts';
import { type EnumRef, enumCode, enumNames, enumText } from './enums.ts';
import { MAX_MESSAGE_PAYLOAD } from './header.ts';
import type { BitRange, BitsField, Field, FieldScalar, Layout, ListField, UintField, Value } from './layout.ts';
import { err, ok, type Result } from './result.ts';
import { elementSize } from './value.ts';

/**
 * A value from JSON that anybody may have written. Unknown and missing members are errors, so that a mistyped parameter
 * never becomes a zero. What may be left out: optional fields, lists and bitmaps and bytes (empty, or zeros where the
 * layout fixes their size), and single bits among several (false).
 *
 * Bounded work: a list, or a range such as `0-99999`, is refused before it is expanded where the layout could not carry
 * it, and the first error ends the reading. Widths and bounds of numbers are for the encoder to refuse.
 *
 * @returns the value as a decoder would return it, or a `value` error with the path of the member
 */
export function fromJson(layout: Layout, json: unknown): Result<Value, CodecError> {
  try {
    return ok(objectFrom(layout.fields, json ?? {}, ''));
  } catch (error) {
    /* v8 ignore next -- nothing else is thrown; should something be, it is a mistake and not a refusal */
    if (!(error instanceof Refused)) throw error;
    return err(error.detail);
  }
}

/** Never leaves this file: the readers nest, and the first refusal ends all of them. */
class Refused extends Error {
  readonly detail: CodecError;
  constructor(detail: CodecError) {
    super(detail.message);
    this.detail = detail;
  }
}

function refuse(field: string, message: string): never {
  throw new Refused(codecError('value', field, message));
}

/** As much of a name from outside as an error may repeat. */
function quoted(name: string): string {
  return name.length <= 64 ? name : `${name.slice(0, 64)}...`;
}

function objectFrom(fields: readonly Field[], json: unknown, path: string): Value {
  const given = recordFrom(json, path, 'an object');
  const value: { [name: string]: FieldScalar } = {};
  const known = new Set<string>();
  for (const field of fields) {
    if (field.kind === 'reserved' || field.kind === 'count') continue;
    known.add(field.name);
    const part = fieldFrom(field, fields, ownMember(given, field.name), join(path, field.name));
    if (part !== undefined) value[field.name] = part;
  }
  for (const name of Object.keys(given)) {
    if (known.has(name)) continue;
    refuse(join(path, quoted(name)), `is not a field here; there are ${[...known].join(', ') || 'none'}`);
  }
  return value;
}

function recordFrom(given: unknown, path: string, what: string): object {
  if (typeof given === 'object' && given !== null && !Array.isArray(given)) return given;
  return refuse(path, given === undefined ? 'is missing' : `must be ${what}`);
}

// Own members alone: `toString` of the prototype is nobody's parameter.
function ownMember(given: object, name: string): unknown {
  return Object.hasOwn(given, name) ? Reflect.get(given, name) : undefined;
}

function join(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`;
}

type NamedField = Exclude<Field, { kind: 'reserved' | 'count' }>;

function fieldFrom(field: NamedField, fields: readonly Field[], given: unknown, path: string): FieldScalar {
  switch (field.kind) {
    case 'uint':
      return given === undefined && field.options.optional ? undefined : uintFrom(field, given, path);
    case 'int':
      return numberFrom(given, path);
    case 'bits':
      return given === undefined && field.options.optional ? undefined : bitsFrom(field, given, path);
    case 'bytes':
      if (given === undefined) return new Uint8Array(typeof field.extent === 'number' ? field.extent : 0);
      return (typeof given === 'string' ? fromHex(given) : undefined) ?? refuse(path, 'must be hex digits');
    case 'ascii':
      return typeof given === 'string' ? given : refuse(path, given === undefined ? 'is missing' : 'must be text');
    case 'uuid':
      return uuidFrom(given, path);
    case 'bitmap': {
      const bits = listFrom(given, path, field.width * 8).map((item, i) => numberFrom(item, `${path}[${i}]`));
      return [...new Set(bits)].sort((a, b) => a - b);
    }
    case 'list':
      return listFrom(given, path, mostElements(field, fields)).map((item, i) => {
        return elementFrom(field, item, `${path}[${i}]`);
      });
  }
}

// One spelling, so that what policy compares is what the decoder would have given it.
function uuidFrom(given: unknown, path: string): string {
  const bytes = typeof given === 'string' ? uuidBytes(given) : undefined;
  return bytes === undefined ? refuse(path, given === undefined ? 'is missing' : 'must be a UUID') : uuidText(bytes);
}

/** What the list's counter, or else a whole message, has room for. */
function mostElements(field: ListField, fields: readonly Field[]): number {
  const { extent } = field;
  const counter = fields.find(
    (other) => other.kind === 'count' && typeof extent === 'object' && other.name === extent.counter,
  );
  const counted = counter?.kind === 'count' ? 256 ** counter.width - 1 : Number.POSITIVE_INFINITY;
  return Math.min(counted, Math.floor(MAX_MESSAGE_PAYLOAD / elementSize(field.element)));
}

function elementFrom({ element }: ListField, given: unknown, path: string): FieldScalar {
  return element.kind === 'struct' ? objectFrom(element.fields, given, path) : uintFrom(element, given, path);
}

/** A list, one number, or text such as `1,2,8-11`: that is how the command line gives it. */
function listFrom(given: unknown, path: string, most: number): readonly unknown[] {
  if (given === undefined) return [];
  if (typeof given === 'number') return [given];
  if (typeof given === 'string') return rangesFrom(given, path, most);
  if (!Array.isArray(given)) return refuse(path, 'must be a list');
  return given.length <= most ? given : refuse(path, `has ${given.length} elements, may have at most ${most}`);
}

function rangesFrom(text: string, path: string, most: number): readonly string[] {
  const items: string[] = [];
  for (const part of text.split(',', most + 1)) {
    const range = /^\s{0,9}(\d{1,5})-(\d{1,5})\s{0,9}$/.exec(part);
    const first = Number(range?.[1]);
    const last = Number(range?.[2]);
    const size = range === null ? 1 : last - first + 1;
    if (size < 1) refuse(path, `${first}-${last} runs backwards`);
    if (items.length + size > most) refuse(path, `has more than ${most} elements`);
    if (range === null) items.push(part);
    else for (let id = first; id <= last; id++) items.push(String(id));
  }
  return items;
}

function uintFrom(field: UintField, given: unknown, path: string): FieldScalar {
  if (field.options.enum !== undefined) return codeFrom(field.options.enum, given, path);
  return field.width === 8 ? wideFrom(given, path) : numberFrom(given, path);
}

const DECIMAL_OR_HEX = /^(?:0|[1-9]\d{0,19}|0x[0-9a-fA-F]{1,16})$/;

function wideFrom(given: unknown, path: string): bigint {
  if (typeof given === 'number' && Number.isSafeInteger(given) && given >= 0) return BigInt(given);
  if (typeof given === 'string' && DECIMAL_OR_HEX.test(given.trim())) return BigInt(given.trim());
  return refuse(path, given === undefined ? 'is missing' : 'must be a whole number (text above 2^53)');
}

function numberFrom(given: unknown, path: string): number {
  return numberOf(given) ?? refuse(path, given === undefined ? 'is missing' : 'must be a whole number');
}

function numberOf(given: unknown): number | undefined {
  // Adding 0 makes -0 the one zero there is.
  if (typeof given === 'number') return Number.isInteger(given) ? given + 0 : undefined;
  if (typeof given !== 'string') return undefined;
  const digits = given.trim();
  return DECIMAL_OR_HEX.test(digits) || /^-[1-9]\d{0,9}$/.test(digits) ? Number(digits) : undefined;
}

function codeFrom(codes: EnumRef, given: unknown, path: string): string {
  const code = (typeof given === 'string' ? enumCode(codes, given) : undefined) ?? numberOf(given);
  const name = code === undefined ? undefined : enumText(codes, code);
  const names = enumNames(codes).join(', ');
  return name ?? refuse(path, given === undefined ? `is missing: one of ${names}` : `must be one of ${names}`);
}

function bitsFrom(field: BitsField, given: unknown, path: string): FieldScalar {
  const parts = Object.entries(field.bits);
  const only = parts.length === 1 ? parts[0] : undefined;
  if (only !== undefined) return partFrom(only[1], given, path);
  const record = recordFrom(given, path, `an object of ${parts.map(([name]) => name).join(', ')}`);
  const value: { [name: string]: FieldScalar } = {};
  for (const [name, range] of parts) value[name] = partFrom(range, ownMember(record, name), `${path}.${name}`);
  for (const name of Object.keys(record)) {
    if (!Object.hasOwn(field.bits, name)) refuse(`${path}.${quoted(name)}`, 'is not a part of this field');
  }
  return value;
}

function partFrom([low, high, codes]: BitRange, given: unknown, path: string): FieldScalar {
  if (codes !== undefined) return codeFrom(codes, given, path);
  if (low !== high) return high === 63 ? wideFrom(given, path) : numberFrom(given, path);
  if (given === undefined || given === false || given === 'false' || given === 0 || given === '0') return false;
  if (given === true || given === 'true' || given === 1 || given === '1') return true;
  return refuse(path, 'must be true or false');
}
