import { copyOf, uuidText } from './bytes.ts';
import type { Cursor } from './cursor.ts';
import { type EnumRef, enumText } from './enums.ts';
import type {
  BitRange,
  BitsField,
  BytesField,
  CountField,
  Extent,
  Field,
  FieldScalar,
  ListField,
  ReservedField,
  TextField,
  UintField,
} from './layout.ts';
import { elementSize, holds, type Values, writeDataSize } from './value.ts';

// Speed: a layout is turned once into a list of closures, one per field, that know their width, bounds and masks. Field
// paths are put together only when something is refused, and fields up to 32 bits never become a bigint.

/** Largest value of a bit field whose object is kept: at most 256 a field. */
const MAX_SHARED = 255;

type Members = { [name: string]: FieldScalar };
/** Reads one field. False when something is wrong, which the cursor then holds. */
type Step = (at: Cursor, values: Members, counters: number[]) => boolean;
/** Reads one value whose bytes are known to be there. */
type Read = (at: Cursor) => FieldScalar;

/** The compiled form of a list of fields. */
export interface DecodePlan {
  /** The members; only meaningful while `at.error` is undefined. */
  readonly read: (at: Cursor) => Values;
}

const plans = new WeakMap<readonly Field[], DecodePlan>();

/** The plan of a list of fields, made on first use. */
export function decodePlan(fields: readonly Field[]): DecodePlan {
  let plan = plans.get(fields);
  if (plan === undefined) {
    plan = compile(fields);
    plans.set(fields, plan);
  }
  return plan;
}

function compile(fields: readonly Field[]): DecodePlan {
  const counters: string[] = [];
  const steps = fields.map((field) => {
    const step = stepOf(field, counters);
    if (field.kind === 'count') counters.push(field.name);
    return step;
  });
  const read = (at: Cursor): Values => {
    const values: Members = {};
    const counts: number[] = [];
    for (const step of steps) if (!step(at, values, counts)) break;
    return values;
  };
  return { read };
}

/** `counters`: names of those in front of the field, each at its slot. */
function stepOf(field: Field, counters: readonly string[]): Step {
  switch (field.kind) {
    case 'reserved':
      return reservedStep(field);
    case 'count':
      return countStep(field, counters.length);
    case 'uint':
      return maybeAbsent(field, valueStep(field.name, field.width, uintRead(field)));
    case 'int':
      return valueStep(field.name, field.width, (at) => (at.uint(2) << 16) >> 16);
    case 'bits':
      return maybeAbsent(field, valueStep(field.name, field.width, bitsRead(field)));
    case 'bytes':
      return bytesStep(field, lengthOf(field.extent, counters));
    case 'ascii':
      return valueStep(field.name, field.width, asciiRead(field));
    case 'uuid':
      return valueStep(field.name, field.width, (at) => uuidText(at.take(16)));
    case 'bitmap':
      return valueStep(field.name, field.width, (at) => setBits(at.take(field.width)));
    case 'list':
      return listStep(field, lengthOf(field.extent, counters));
  }
}

function valueStep(name: string, width: number, read: Read): Step {
  return (at, values) => {
    if (!at.has(width, name)) return false;
    values[name] = read(at);
    return at.within(name);
  };
}

function maybeAbsent(field: UintField | BitsField, step: Step): Step {
  const { optional, absentIn } = field.options;
  if (optional) return (at, values, counts) => at.left === 0 || step(at, values, counts);
  if (absentIn === undefined) return step;
  return (at, values, counts) => (at.left === 0 && at.options.dialect === absentIn) || step(at, values, counts);
}

function reservedStep(field: ReservedField): Step {
  return (at) => {
    if (!at.has(field.width, 'reserved')) return false;
    const start = at.offset;
    const part = at.take(field.width);
    if (!at.strict || part.every((byte) => byte === 0)) return true;
    return at.refuse('reserved', 'reserved', `reserved bytes at ${start} are not zero`);
  };
}

function countStep(field: CountField, slot: number): Step {
  const { name, width, when } = field;
  const bounded = bounds(field.min, field.max);
  return (at, values, counts) => {
    if (when !== undefined && !holds(when, values)) {
      counts[slot] = 0;
      // D22: some senders count extents whatever the policy; a zero count means the same as none.
      if (at.left !== width || at.uint(width) === 0) return true;
      return at.refuse('value', name, 'must be 0 unless the policy is prescriptive');
    }
    if (!at.has(width, name)) return false;
    const count = at.uint(width);
    counts[slot] = count;
    return !at.strict || bounded(at, count) || at.within(name);
  };
}

type Bounded = (at: Cursor, value: number | bigint) => boolean;

function bounds(min = 0, max = Number.POSITIVE_INFINITY): Bounded {
  return (at, value) => {
    if (value < min) return at.refuse('value', '', `${value} is below ${min}`);
    return value <= max || at.refuse('value', '', `${value} is above ${max}`);
  };
}

function uintRead(field: UintField): Read {
  const { width, options } = field;
  const { enum: codes } = options;
  if (codes !== undefined) return (at) => named(at, codes, at.uint(width), '');
  const bounded = bounds(options.min, options.max);
  return (at) => {
    const value = width === 8 ? at.uint64() : at.uint(width);
    if (at.strict) bounded(at, value);
    return value;
  };
}

function named(at: Cursor, codes: EnumRef, code: number, field: string): FieldScalar {
  const found = enumText(codes, code);
  if (found === undefined && at.strict) at.refuse('value', field, `${code} is reserved`);
  return found ?? code;
}

function bitsRead(field: BitsField): Read {
  return field.width === 8 ? wideBitsRead(field) : narrowBitsRead(field);
}

/** Up to 32 bits, in numbers. */
function narrowBitsRead(field: BitsField): Read {
  const parts = Object.entries(field.bits).map(([name, range]) => ({
    name,
    range,
    mask: 2 ** (range[1] - range[0] + 1) - 1,
  }));
  const known = parts.reduce((all, { mask, range }) => all + mask * 2 ** range[0], 0);
  const checked = (at: Cursor): number => {
    const raw = at.uint(field.width);
    const unknown = (raw & ~known) >>> 0;
    if (unknown !== 0 && at.strict) at.refuse('reserved', '', `reserved bits 0x${unknown.toString(16)} are set`);
    return raw;
  };
  const only = parts.length === 1 ? parts[0] : undefined;
  if (only !== undefined) {
    const { range, mask } = only;
    return (at) => partOf(at, range, ((checked(at) >>> range[0]) & mask) >>> 0, '');
  }
  const read = (at: Cursor, raw: number): Members => {
    const values: Members = {};
    for (const { name, range, mask } of parts)
      values[name] = partOf(at, range, ((raw >>> range[0]) & mask) >>> 0, name);
    return values;
  };
  // Speed: flags take a few values again and again, and building their objects was half the time of a port list. Frozen,
  // since replies share them; not for requests, where reading is also checking.
  const seen: (Members | undefined)[] = [];
  return (at) => {
    const raw = checked(at);
    if (at.strict || raw > MAX_SHARED) return read(at, raw);
    seen[raw] ??= Object.freeze(read(at, raw));
    return seen[raw];
  };
}

function partOf(at: Cursor, range: BitRange, part: number, field: string): FieldScalar {
  if (range[2] !== undefined) return named(at, range[2], part, field);
  return range[0] === range[1] ? part === 1 : part;
}

/** 64 bits: numbers would lose the lowest of them. */
function wideBitsRead(field: BitsField): Read {
  const parts = Object.entries(field.bits);
  const known = parts.reduce((all, [, range]) => all | rangeMask(range), 0n);
  const only = parts.length === 1;
  return (at) => {
    const raw = at.uint64();
    const unknown = raw & ~known;
    if (unknown !== 0n && at.strict) at.refuse('reserved', '', `reserved bits 0x${unknown.toString(16)} are set`);
    const values: Members = {};
    for (const [name, range] of parts) {
      const part = (raw & rangeMask(range)) >> BigInt(range[0]);
      const value = range[1] === 63 && range[0] !== 63 ? part : partOf(at, range, Number(part), only ? '' : name);
      if (only) return value;
      values[name] = value;
    }
    return values;
  };
}

/** A mask with the bits of a range set, in the width of the whole field. */
function rangeMask(range: BitRange): bigint {
  return ((1n << BigInt(range[1] - range[0] + 1)) - 1n) << BigInt(range[0]);
}

/** How many bytes or elements follow, of what is known so far. */
type Length = (at: Cursor, values: Values, counts: readonly number[]) => number;

function lengthOf(extent: Extent, counters: readonly string[]): Length {
  if (typeof extent === 'number') return () => extent;
  if (extent === 'rest') return (at) => at.left;
  if (extent === 'write-data') return (_at, values) => writeDataSize(values);
  if (extent === 'vppb-window') return vppbWindow;
  const slot = counters.indexOf(extent.counter);
  if (slot < 0) throw new RangeError(`no counter ${extent.counter} in front of its list`);
  /* v8 ignore next -- a counter is read before its list, or the reading has ended */
  return (_at, _values, counts) => counts[slot] ?? 0;
}

function vppbWindow(at: Cursor, values: Values): number {
  const total = Number(values.number_of_vppbs);
  const limit = Number(at.options.request?.vppb_list_limit ?? 255);
  const start = Number(at.options.request?.starting_vppb ?? 0);
  // D11: the specification counts from 0 whatever the start; two implementations count from the start.
  return Math.min(limit, at.options.dialect === 'jackrabbit' ? Math.max(0, total - start) : total);
}

function bytesStep(field: BytesField, length: Length): Step {
  const { name } = field;
  return (at, values, counts) => {
    const size = length(at, values, counts);
    if (!at.has(size, name)) return false;
    values[name] = copyOf(at.take(size));
    return field.extent !== 'write-data' || size > 0 || at.left === 0 || dropReadData(at, values, name);
  };
}

// 5302h: a reader may send data that means nothing; it is dropped here and so never forwarded.
function dropReadData(at: Cursor, values: Values, name: string): boolean {
  if (at.left !== values.transaction_length)
    return at.refuse('length', name, `a read carries ${at.left} bytes of data`);
  at.take(at.left);
  return true;
}

function listStep(field: ListField, length: Length): Step {
  const { name, element } = field;
  const size = elementSize(element);
  if (size === 0) throw new RangeError(`an element of ${name} may be empty`);
  const read = element.kind === 'struct' ? structRead(element.fields) : uintRead(element);
  const toEnd = field.extent === 'rest';
  return (at, values, counts) => {
    const items: FieldScalar[] = [];
    values[name] = items;
    const count = toEnd ? Math.ceil(at.left / size) : length(at, values, counts);
    // Checked before anything is allocated: a counter can claim four thousand million elements.
    if (count * size > at.left) {
      return at.refuse('length', name, `${count} elements need ${count * size} bytes, ${at.left} are left`);
    }
    while (toEnd ? at.left > 0 : items.length < count) {
      items.push(read(at));
      if (at.error !== undefined) return at.within(`${name}[${items.length - 1}]`);
    }
    return true;
  };
}

function structRead(fields: readonly Field[]): Read {
  const plan = decodePlan(fields);
  return (at) => plan.read(at);
}

function asciiRead(field: TextField): Read {
  return (at) => {
    const part = at.take(field.width);
    const end = part.indexOf(0);
    if (end < 0) return characters(part);
    // A request has one byte form: what follows the NUL is padding and so 0.
    if (at.strict && part.subarray(end).some((byte) => byte !== 0)) {
      at.refuse('reserved', '', 'the bytes after the NUL are not zero');
    }
    return characters(part.subarray(0, end));
  };
}

function characters(part: Uint8Array): string {
  let text = '';
  for (const byte of part) text += String.fromCharCode(byte);
  return text;
}

function setBits(part: Uint8Array): readonly number[] {
  const found: number[] = [];
  part.forEach((byte, index) => {
    for (let bit = 0; bit < 8; bit++) if ((byte >> bit) & 1) found.push(index * 8 + bit);
  });
  return found;
}
