import { uuidBytes, writeUint, writeUint64 } from './bytes.ts';
import { type CodecError, codecError } from './codec-error.ts';
import { holds, isRecord, isWrite, rangeMask } from './decode.ts';
import { type EnumName, enums } from './enums.ts';
import type {
  BitsField,
  CountField,
  Element,
  Field,
  FieldScalar,
  Layout,
  UintField,
  Value,
  ValueOf,
} from './layout.ts';
import { err, ok, type Result } from './result.ts';

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

/**
 * Writes a value by its layout: the one byte form of it. Counters are the lengths of their lists, reserved bytes are 0.
 *
 * @param side `request`: numbers outside the row's bounds and codes without a name are refused; in a reply they pass
 * @returns the payload, or a `value` error: missing field, wrong type, out of range, unknown name, list too long
 */
export function encodePayload<F extends readonly Field[]>(
  layout: Layout<F>,
  value: ValueOf<F>,
  side: 'request' | 'reply' = 'request',
): Result<Uint8Array, CodecError> {
  try {
    const parts: Uint8Array[] = [];
    writeFields(layout.fields, value as Value, '', side === 'request', parts);
    return ok(joinBytes(parts));
  } catch (error) {
    if (error instanceof Refused) return err(error.detail);
    throw error;
  }
}

/** One array of all parts. */
export function joinBytes(parts: readonly Uint8Array[]): Uint8Array {
  const result = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    result.set(part, offset);
    offset += part.length;
  }
  return result;
}

function writeFields(
  fields: readonly Field[],
  value: Value,
  prefix: string,
  strict: boolean,
  parts: Uint8Array[],
): void {
  for (const field of fields) {
    const part = fieldBytes(field, fields, value, prefix, strict);
    if (part === 'end') return;
    parts.push(part);
  }
}

function fieldBytes(
  field: Field,
  siblings: readonly Field[],
  value: Value,
  prefix: string,
  strict: boolean,
): Uint8Array | 'end' {
  if (field.kind === 'reserved') return new Uint8Array(field.width);
  const path = prefix + field.name;
  if (field.kind === 'count') return countBytes(field, siblings, value, path, strict);
  const given = value[field.name];
  switch (field.kind) {
    case 'uint':
      if (given === undefined && field.options.optional) return 'end';
      return uintBytes(field, given, path, strict);
    case 'int':
      return intBytes(given, path);
    case 'bits':
      if (given === undefined && field.options.optional) return 'end';
      return bitsBytes(field, given, path, strict);
    case 'bytes': {
      if (!(given instanceof Uint8Array)) return refuse(path, 'must be bytes');
      if (typeof field.extent === 'number') return exactly(given, field.extent, path);
      if (field.extent === 'write-data') return exactly(given, writeDataSize(value), path);
      return given;
    }
    case 'ascii':
      return asciiBytes(given, field.width, path);
    case 'uuid':
      return uuidBytes(typeof given === 'string' ? given : '') ?? refuse(path, 'must be a UUID');
    case 'bitmap':
      return bitmapBytes(given, field.width, path);
    case 'list': {
      if (!Array.isArray(given)) return refuse(path, 'must be a list');
      if (field.when !== undefined && !holds(field.when, value) && given.length > 0) {
        refuse(path, 'must be empty unless the policy is prescriptive');
      }
      const parts: Uint8Array[] = [];
      given.forEach((item: FieldScalar, i) => {
        writeElement(field.element, item, `${path}[${i}]`, strict, parts);
      });
      return joinBytes(parts);
    }
  }
}

function writeElement(element: Element, item: FieldScalar, path: string, strict: boolean, parts: Uint8Array[]): void {
  if (element.kind === 'uint') {
    parts.push(uintBytes(element, item, path, strict));
    return;
  }
  if (!isRecord(item)) refuse(path, 'must be an object');
  else writeFields(element.fields, item, `${path}.`, strict, parts);
}

function countBytes(
  field: CountField,
  siblings: readonly Field[],
  value: Value,
  path: string,
  strict: boolean,
): Uint8Array {
  if (field.when !== undefined && !holds(field.when, value)) return new Uint8Array(0);
  const length = countedLength(field, siblings, value);
  const highest = Math.min(field.max ?? Number.MAX_SAFE_INTEGER, 256 ** field.width - 1);
  if (length > highest) refuse(path, `${length} are more than ${highest}`);
  if (strict && length < (field.min ?? 0)) refuse(path, `${length} are fewer than ${field.min}`);
  const part = new Uint8Array(field.width);
  writeUint(part, 0, field.width, length);
  return part;
}

function countedLength(field: CountField, siblings: readonly Field[], value: Value): number {
  const counted = siblings.find(
    (other) =>
      (other.kind === 'list' || other.kind === 'bytes') &&
      typeof other.extent === 'object' &&
      other.extent.counter === field.name,
  );
  const given = counted !== undefined && 'name' in counted ? value[counted.name] : undefined;
  return Array.isArray(given) || given instanceof Uint8Array ? given.length : 0;
}

function writeDataSize(value: Value): number {
  return isWrite(value) ? Number(value.transaction_length) : 0;
}

function exactly(given: Uint8Array, size: number, path: string): Uint8Array {
  return given.length === size ? given : refuse(path, `must be ${size} bytes, has ${given.length}`);
}

function uintBytes(field: UintField, given: FieldScalar, path: string, strict: boolean): Uint8Array {
  const { options, width } = field;
  const number = options.enum === undefined ? given : enumCode(options.enum, given, path, strict);
  const part = new Uint8Array(width);
  if (width === 8) {
    if (typeof number !== 'bigint' || number < 0n || number > 0xffff_ffff_ffff_ffffn) {
      return refuse(path, 'must be 0 to 2^64-1');
    }
    writeUint64(part, 0, number);
    return part;
  }
  const highest = 256 ** width - 1;
  if (typeof number !== 'number' || !Number.isInteger(number)) return refuse(path, 'must be a whole number');
  const min = strict ? (options.min ?? 0) : 0;
  const max = strict ? Math.min(options.max ?? highest, highest) : highest;
  if (number < min || number > max) refuse(path, `${number} is not ${min} to ${max}`);
  writeUint(part, 0, width, number);
  return part;
}

function intBytes(given: FieldScalar, path: string): Uint8Array {
  if (typeof given !== 'number' || !Number.isInteger(given) || given < -0x8000 || given > 0x7fff) {
    return refuse(path, 'must be -32768 to 32767');
  }
  const part = new Uint8Array(2);
  writeUint(part, 0, 2, given < 0 ? given + 0x10000 : given);
  return part;
}

/** Code of a name. Numbers pass in replies, and in requests where they have a name. */
function enumCode(name: EnumName, given: FieldScalar, path: string, strict: boolean): number {
  const entries = Object.entries(enums[name]);
  const found = entries.find(([code, text]) => text === given || Number(code) === given);
  if (found !== undefined) return Number(found[0]);
  if (!strict && typeof given === 'number') return given;
  return refuse(path, `must be one of ${entries.map(([, text]) => text).join(', ')}`);
}

function bitsBytes(field: BitsField, given: FieldScalar, path: string, strict: boolean): Uint8Array {
  const parts = Object.entries(field.bits);
  const only = parts.length === 1 ? parts[0] : undefined;
  const record = only === undefined ? given : { [only[0]]: given };
  if (!isRecord(record)) return refuse(path, `must be an object of ${parts.map(([name]) => name).join(', ')}`);
  let raw = 0n;
  for (const [name, range] of parts) {
    const where = only === undefined ? `${path}.${name}` : path;
    const value = record[name];
    const number = range[2] === undefined ? value : enumCode(range[2], value, where, strict);
    const wide = typeof number === 'boolean' ? BigInt(number) : number;
    if (typeof wide !== 'bigint' && !(typeof wide === 'number' && Number.isInteger(wide))) {
      return refuse(where, range[0] === range[1] ? 'must be true or false' : 'must be a whole number');
    }
    const highest = rangeMask(range) >> BigInt(range[0]);
    if (BigInt(wide) < 0n || BigInt(wide) > highest) refuse(where, `${wide} is not 0 to ${highest}`);
    raw |= BigInt(wide) << BigInt(range[0]);
  }
  const part = new Uint8Array(8);
  writeUint64(part, 0, raw);
  return part.subarray(0, field.width);
}

function asciiBytes(given: FieldScalar, width: number, path: string): Uint8Array {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: every byte but NUL is kept as it came
  if (typeof given !== 'string' || given.length > width || !/^[\x01-\xff]*$/.test(given)) {
    return refuse(path, `must be at most ${width} characters of one byte`);
  }
  const part = new Uint8Array(width);
  for (let i = 0; i < given.length; i++) part[i] = given.charCodeAt(i);
  return part;
}

function bitmapBytes(given: FieldScalar, width: number, path: string): Uint8Array {
  const part = new Uint8Array(width);
  if (!Array.isArray(given)) return refuse(path, 'must be a list of bit numbers');
  for (const bit of given) {
    if (typeof bit !== 'number' || !Number.isInteger(bit) || bit < 0 || bit >= width * 8) {
      return refuse(path, `bit ${String(bit)} is not 0 to ${width * 8 - 1}`);
    }
    part[bit >> 3] = (part[bit >> 3] ?? 0) | (1 << (bit & 7));
  }
  return part;
}
