import fc from 'fast-check';
import {
  type BitRange,
  type BitsField,
  type EnumRef,
  enumCode,
  enumNames,
  enumText,
  type Field,
  type FieldScalar,
  type Layout,
  type ListField,
  type UintField,
  uuidText,
  type Value,
} from '../../src/cci/index.ts';

/** `request`: only what a client may send. `reply`: also codes without a name and numbers outside the row's bounds. */
export type Side = 'request' | 'reply';

/** Longest list or run of bytes that is made where the layout does not say. */
const MOST_ELEMENTS = 12;
const MOST_BYTES = 64;

/**
 * Values that a layout describes, made from the layout alone: whatever is added to the catalogue is covered without
 * another list of fields. Each encodes, and decodes to an equal value.
 */
export function arbitraryValue(layout: Layout, side: Side): fc.Arbitrary<Value> {
  return fieldsValue(layout.fields, side);
}

function fieldsValue(fields: readonly Field[], side: Side): fc.Arbitrary<Value> {
  const members: { [name: string]: fc.Arbitrary<FieldScalar> } = {};
  for (const field of fields) {
    if (field.kind !== 'reserved' && field.kind !== 'count') members[field.name] = fieldValue(field, fields, side);
  }
  return fc.record(members).map((value) => settled(fields, value));
}

/** Makes members agree that depend on each other. */
function settled(fields: readonly Field[], value: { [name: string]: FieldScalar }): Value {
  const result = { ...value };
  for (const field of fields) {
    if (field.kind === 'reserved' || field.kind === 'count') continue;
    const part = result[field.name];
    if (part === undefined) delete result[field.name];
    else if (field.kind === 'bytes' && field.extent === 'write-data' && part instanceof Uint8Array) {
      const control = result.request_control as Value;
      if (control.transaction_type === 'write') result.transaction_length = part.length;
      else result[field.name] = new Uint8Array(0);
    } else if (field.kind === 'list' && field.extent === 'vppb-window' && Array.isArray(part)) {
      result.number_of_vppbs = part.length;
    } else if (field.kind === 'list' && field.when !== undefined) {
      const { field: name, sub, equals } = field.when;
      const decides = sub === undefined ? result[name] : (result[name] as Value)[sub];
      if (decides !== equals) result[field.name] = [];
    }
  }
  return result;
}

function fieldValue(
  field: Exclude<Field, { kind: 'reserved' | 'count' }>,
  siblings: readonly Field[],
  side: Side,
): fc.Arbitrary<FieldScalar> {
  switch (field.kind) {
    case 'uint':
      return perhaps(field, uintValue(field, side));
    case 'int':
      return fc.integer({ min: -0x8000, max: 0x7fff });
    case 'bits':
      return perhaps(field, bitsValue(field, side));
    case 'bytes':
      return typeof field.extent === 'number'
        ? fc.uint8Array({ minLength: field.extent, maxLength: field.extent })
        : fc.uint8Array({ maxLength: MOST_BYTES });
    case 'ascii':
      return fc
        .array(fc.integer({ min: 1, max: 255 }), { maxLength: field.width })
        .map((codes) => String.fromCharCode(...codes));
    case 'uuid':
      return fc.uint8Array({ minLength: 16, maxLength: 16 }).map(uuidText);
    case 'bitmap':
      return fc
        .uniqueArray(fc.nat(field.width * 8 - 1), { maxLength: field.width * 8 })
        .map((set) => set.sort((a, b) => a - b));
    case 'list':
      return listValue(field, siblings, side);
  }
}

function perhaps(field: UintField | BitsField, value: fc.Arbitrary<FieldScalar>): fc.Arbitrary<FieldScalar> {
  return field.options.optional ? fc.option(value, { nil: undefined }) : value;
}

function listValue(field: ListField, siblings: readonly Field[], side: Side): fc.Arbitrary<FieldScalar> {
  const { element, extent } = field;
  const item = element.kind === 'struct' ? fieldsValue(element.fields, side) : uintValue(element, side);
  if (typeof extent === 'number') return fc.array(item, { minLength: extent, maxLength: extent });
  const counter = siblings.find(
    (other) => other.kind === 'count' && typeof extent === 'object' && other.name === extent.counter,
  );
  const least = counter?.kind === 'count' ? (counter.min ?? 0) : 0;
  const most = counter?.kind === 'count' ? (counter.max ?? MOST_ELEMENTS) : MOST_ELEMENTS;
  return fc.array(item, { minLength: least, maxLength: Math.min(most, MOST_ELEMENTS) });
}

function uintValue({ width, options }: UintField, side: Side): fc.Arbitrary<FieldScalar> {
  if (options.enum !== undefined) return code(options.enum, 256 ** width - 1, side);
  const bounded = side === 'request' ? options : {};
  if (width === 8) {
    return fc.bigInt({
      min: BigInt(bounded.min ?? 0),
      max: bounded.max === undefined ? 2n ** 64n - 1n : BigInt(bounded.max),
    });
  }
  return number(bounded.min ?? 0, Math.min(bounded.max ?? 256 ** width - 1, 256 ** width - 1));
}

function bitsValue(field: BitsField, side: Side): fc.Arbitrary<FieldScalar> {
  const parts = Object.entries(field.bits).map(([name, range]) => [name, partValue(range, side)] as const);
  const only = parts.length === 1 ? parts[0] : undefined;
  return only === undefined ? fc.record(Object.fromEntries(parts)) : only[1];
}

function partValue([low, high, codes]: BitRange, side: Side): fc.Arbitrary<FieldScalar> {
  if (codes !== undefined) return code(codes, 2 ** (high - low + 1) - 1, side);
  if (low === high) return fc.boolean();
  if (high === 63) return fc.bigInt({ min: 0n, max: 2n ** BigInt(high - low + 1) - 1n });
  return number(0, 2 ** (high - low + 1) - 1);
}

function code(name: EnumRef, max: number, side: Side): fc.Arbitrary<FieldScalar> {
  // A code table may be wider than the part that uses it: the severity of an event has two bits, `event_log` five names.
  const named = fc.constantFrom(...enumNames(name).filter((text) => (enumCode(name, text) ?? 0) <= max));
  const any = number(0, max).map((value) => enumText(name, value) ?? value);
  return side === 'request' ? named : fc.oneof(named, any);
}

function number(min: number, max: number): fc.Arbitrary<number> {
  return fc.oneof(
    fc.constantFrom(min, max),
    fc.integer({ min: Math.min(min, max), max }),
    fc.maxSafeNat().map((n) => min + (n % (max - min + 1))),
  );
}
