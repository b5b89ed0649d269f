import { readUint, uuidBytes } from './bytes.ts';
import { type EnumRef, enumCode, enumNames, enumText } from './enums.ts';
import type {
  BitRange,
  BitsField,
  BytesField,
  CountField,
  Extent,
  Field,
  FieldScalar,
  ListField,
  TextField,
  UintField,
} from './layout.ts';
import { holds, isRecord, type Values, writeDataSize } from './value.ts';
import type { Writer } from './writer.ts';

// Speed: like the decoder, a layout is turned once into closures that write into one growing buffer.

/** Writes one field. `end`: an optional field was left off, so nothing may follow. False: refused. */
type Step = (out: Writer, values: Values) => boolean | 'end';
type Write = (out: Writer, given: FieldScalar) => boolean;
/** Writes all fields of a value. */
export type EncodePlan = (out: Writer, values: Values) => boolean;

const plans = new WeakMap<readonly Field[], EncodePlan>();

/** The plan of a list of fields, made on first use. */
export function encodePlan(fields: readonly Field[]): EncodePlan {
  let plan = plans.get(fields);
  if (plan === undefined) {
    plan = compile(fields);
    plans.set(fields, plan);
  }
  return plan;
}

function compile(fields: readonly Field[]): EncodePlan {
  const steps = fields.map((field) => stepOf(field, fields));
  return (out, values) => {
    for (const step of steps) {
      const went = step(out, values);
      if (went === false) return false;
      if (went === 'end') return true;
    }
    return true;
  };
}

function stepOf(field: Field, siblings: readonly Field[]): Step {
  switch (field.kind) {
    case 'reserved':
      return (out) => out.zeros(field.width);
    case 'count':
      return countStep(field, siblings);
    case 'uint':
      return maybeAbsent(field, memberStep(field.name, uintWrite(field)));
    case 'int':
      return memberStep(field.name, intWrite);
    case 'bits':
      return maybeAbsent(field, memberStep(field.name, bitsWrite(field)));
    case 'bytes':
      return bytesStep(field);
    case 'ascii':
      return memberStep(field.name, asciiWrite(field));
    case 'uuid':
      return memberStep(field.name, uuidWrite);
    case 'bitmap':
      return memberStep(field.name, bitmapWrite(field.width));
    case 'list':
      return listStep(field);
  }
}

function memberStep(name: string, write: Write): Step {
  return (out, values) => {
    write(out, values[name]);
    return out.within(name);
  };
}

function maybeAbsent(field: UintField | BitsField, step: Step): Step {
  const { name, options } = field;
  if (!options.optional && options.absentIn === undefined) return step;
  return (out, values) => {
    const mayEnd = options.optional === true || !out.strict;
    return values[name] === undefined && mayEnd ? 'end' : step(out, values);
  };
}

function uintWrite(field: UintField): Write {
  const { width, options } = field;
  const { enum: codes } = options;
  if (codes !== undefined) {
    return (out, given) => {
      const code = codeOf(codes, given, out.strict);
      if (code === undefined) return out.refuse('', `must be one of ${enumNames(codes).join(', ')}`);
      if (code < 0 || code >= 256 ** width) return out.refuse('', `${code} is not 0 to ${256 ** width - 1}`);
      return out.uint(width, code);
    };
  }
  const { min = 0, max = Number.POSITIVE_INFINITY } = options;
  if (width === 8) {
    return (out, given) => {
      if (typeof given !== 'bigint' || given < 0n || given > 0xffff_ffff_ffff_ffffn) {
        return out.refuse('', 'must be 0 to 2^64-1');
      }
      if (out.strict && (given < min || given > max)) return out.refuse('', `${given} is not ${min} to ${max}`);
      return out.uint64(given);
    };
  }
  const highest = 256 ** width - 1;
  const highestAsked = Math.min(max, highest);
  return (out, given) => {
    if (typeof given !== 'number' || !Number.isInteger(given)) return out.refuse('', 'must be a whole number');
    const fitting = out.strict ? given >= min && given <= highestAsked : given >= 0 && given <= highest;
    if (!fitting)
      return out.refuse('', `${given} is not ${out.strict ? min : 0} to ${out.strict ? highestAsked : highest}`);
    return out.uint(width, given);
  };
}

/** Code of a name. Numbers pass in replies, and in requests where they have a name. */
function codeOf(codes: EnumRef, given: FieldScalar, strict: boolean): number | undefined {
  if (typeof given === 'string') return enumCode(codes, given);
  if (typeof given !== 'number' || !Number.isInteger(given)) return undefined;
  return strict && enumText(codes, given) === undefined ? undefined : given;
}

function intWrite(out: Writer, given: FieldScalar): boolean {
  if (typeof given !== 'number' || !Number.isInteger(given) || given < -0x8000 || given > 0x7fff) {
    return out.refuse('', 'must be -32768 to 32767');
  }
  return out.uint(2, given & 0xffff);
}

interface Part {
  readonly name: string;
  readonly range: BitRange;
  /** What bit 0 of the part is worth, and the highest number it holds. */
  readonly unit: number;
  readonly highest: number;
}

function bitsWrite(field: BitsField): Write {
  const parts = Object.entries(field.bits).map(([name, range]): Part => {
    return { name, range, unit: 2 ** range[0], highest: 2 ** (range[1] - range[0] + 1) - 1 };
  });
  const only = parts.length === 1 ? parts[0] : undefined;
  if (only !== undefined) {
    return (out, given) => {
      const part = partOf(out, only, given, '');
      return out.error === undefined && putBits(out, field.width, inPlace(only, part));
    };
  }
  const expected = `must be an object of ${parts.map(({ name }) => name).join(', ')}`;
  return (out, given) => {
    if (!isRecord(given)) return out.refuse('', expected);
    let narrow = 0;
    let wide = 0n;
    for (const part of parts) {
      const piece = inPlace(part, partOf(out, part, given[part.name], part.name));
      // Parts do not overlap, so adding is or-ing, and safe above bit 31.
      if (typeof piece === 'number') narrow += piece;
      else wide += piece;
    }
    return out.error === undefined && putBits(out, field.width, field.width === 8 ? wide + BigInt(narrow) : narrow);
  };
}

function inPlace({ range, unit }: Part, part: number | bigint): number | bigint {
  return typeof part === 'number' && range[1] < 32 ? part * unit : BigInt(part) << BigInt(range[0]);
}

function putBits(out: Writer, width: number, raw: number | bigint): boolean {
  return width === 8 ? out.uint64(BigInt(raw)) : out.uint(width, Number(raw));
}

/** The number of one part in its own width, or 0 with the error noted. */
function partOf(out: Writer, { range, highest }: Part, given: FieldScalar, field: string): number | bigint {
  const codes = range[2];
  if (codes === undefined && range[0] === range[1] && typeof given === 'boolean') return given ? 1 : 0;
  const part = codes === undefined ? given : codeOf(codes, given, out.strict);
  if (typeof part === 'number' && Number.isInteger(part) && part >= 0 && part <= highest) return part;
  // A number cannot hold every value of a part that reaches bit 63 of its field.
  if (typeof part === 'bigint' && range[1] === 63 && part >= 0n && part < 1n << BigInt(64 - range[0])) return part;
  out.refuse(field, partMessage(range));
  return 0;
}

function partMessage([low, high, codes]: BitRange): string {
  if (codes !== undefined) return `must be one of ${enumNames(codes).join(', ')}`;
  return low === high ? 'must be true or false' : `must be a whole number, 0 to ${2n ** BigInt(high - low + 1) - 1n}`;
}

function asciiWrite(field: TextField): Write {
  return (out, given) => {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: every byte but NUL is kept as it came
    if (typeof given !== 'string' || given.length > field.width || !/^[\x01-\xff]*$/.test(given)) {
      return out.refuse('', `must be at most ${field.width} characters of one byte`);
    }
    const part = new Uint8Array(field.width);
    for (let i = 0; i < given.length; i++) part[i] = given.charCodeAt(i);
    return out.copy(part);
  };
}

function uuidWrite(out: Writer, given: FieldScalar): boolean {
  const part = typeof given === 'string' ? uuidBytes(given) : undefined;
  return part === undefined ? out.refuse('', 'must be a UUID') : out.copy(part);
}

function bitmapWrite(width: number): Write {
  return (out, given) => {
    if (!Array.isArray(given)) return out.refuse('', 'must be a list of bit numbers');
    const part = new Uint8Array(width);
    for (const bit of given) {
      if (typeof bit !== 'number' || !Number.isInteger(bit) || bit < 0 || bit >= width * 8) {
        return out.refuse('', `bit ${String(bit)} is not 0 to ${width * 8 - 1}`);
      }
      part[bit >> 3] = readUint(part, bit >> 3, 1) | (1 << (bit & 7));
    }
    return out.copy(part);
  };
}

function countStep(field: CountField, siblings: readonly Field[]): Step {
  const { name, width, when, min = 0 } = field;
  const counted = siblings.find((other) => isCountedBy(other, name));
  if (counted === undefined) throw new RangeError(`nothing is counted by ${name}`);
  const highest = Math.min(field.max ?? Number.MAX_SAFE_INTEGER, 256 ** width - 1);
  return (out, values) => {
    if (when !== undefined && !holds(when, values)) return true;
    const given = values[counted.name];
    const length = Array.isArray(given) || given instanceof Uint8Array ? given.length : 0;
    if (length > highest) return out.refuse(name, `${length} are more than ${highest}`);
    if (out.strict && length < min) return out.refuse(name, `${length} are fewer than ${min}`);
    return out.uint(width, length);
  };
}

function isCountedBy(field: Field, counter: string): field is ListField | BytesField {
  return (
    (field.kind === 'list' || field.kind === 'bytes') &&
    typeof field.extent === 'object' &&
    field.extent.counter === counter
  );
}

/** Most and fewest elements or bytes that the decoder would take back; undefined where only the carrier bounds it. */
function sizeFor(extent: Extent, values: Values): { readonly min: number; readonly max: number } | undefined {
  if (typeof extent === 'number') return { min: extent, max: extent };
  if (extent === 'write-data') return { min: writeDataSize(values), max: writeDataSize(values) };
  // The window asked for is not known here; no window is larger than what there is.
  if (extent === 'vppb-window') return { min: 0, max: Number(values.number_of_vppbs) };
  return undefined;
}

function sized(out: Writer, name: string, extent: Extent, values: Values, length: number, what: string): boolean {
  const size = sizeFor(extent, values);
  if (size === undefined || (length >= size.min && length <= size.max)) return true;
  return out.refuse(name, `must be ${size.min === 0 ? 'at most ' : ''}${size.max} ${what}, has ${length}`);
}

function bytesStep(field: BytesField): Step {
  const { name, extent } = field;
  return (out, values) => {
    const given = values[name];
    if (!(given instanceof Uint8Array)) return out.refuse(name, 'must be bytes');
    return sized(out, name, extent, values, given.length, 'bytes') && out.copy(given);
  };
}

function listStep(field: ListField): Step {
  const { name, element, extent, when } = field;
  const write = element.kind === 'struct' ? structWrite(element.fields) : uintWrite(element);
  return (out, values) => {
    const given = values[name];
    if (!Array.isArray(given)) return out.refuse(name, 'must be a list');
    if (when !== undefined && given.length > 0 && !holds(when, values)) {
      return out.refuse(name, 'must be empty unless the policy is prescriptive');
    }
    if (!sized(out, name, extent, values, given.length, 'elements')) return false;
    for (let i = 0; i < given.length; i++) {
      if (!write(out, given[i])) return out.within(`${name}[${i}]`);
    }
    return true;
  };
}

function structWrite(fields: readonly Field[]): Write {
  const plan = encodePlan(fields);
  return (out, given) => (isRecord(given) ? plan(out, given) : out.refuse('', 'must be an object'));
}
