import { readUint, readUint64, uuidText } from './bytes.ts';
import { type CodecError, codecError } from './codec-error.ts';
import { type EnumName, enums } from './enums.ts';
import type {
  BitRange,
  BitsField,
  Condition,
  Element,
  Extent,
  Field,
  FieldScalar,
  Layout,
  UintField,
  UintWidth,
  Value,
  ValueOf,
} from './layout.ts';
import { err, ok, type Result } from './result.ts';

/** Which of the field's two readings a device speaks (D09, D11, D01...). */
export type Dialect = 'spec' | 'jackrabbit';

export interface DecodeOptions {
  /**
   * `request`: reserved bits must be zero, codes must be named, numbers in range: it came from a client.
   * `reply`: reserved bits are ignored and unknown codes stay numbers: a newer device may set them.
   */
  readonly side: 'request' | 'reply';
  /** For replies whose shape depends on what was asked (5200h). */
  readonly request?: Value;
  readonly dialect?: Dialect;
}

class Refused extends Error {
  readonly detail: CodecError;
  constructor(detail: CodecError) {
    super(detail.message);
    this.detail = detail;
  }
}

function refuse(code: CodecError['code'], field: string, message: string): never {
  throw new Refused(codecError(code, field, message));
}

/**
 * Reads a payload by its layout. Never reads past the end, never allocates from a length it has not checked.
 *
 * @returns the value, or the first thing that is wrong: `length`, `reserved` or `value`
 */
export function decodePayload<F extends readonly Field[]>(
  layout: Layout<F>,
  payload: Uint8Array,
  options: DecodeOptions,
): Result<ValueOf<F>, CodecError> {
  if (payload.length < minimum(layout, options)) {
    return err(codecError('length', '', `payload has ${payload.length} bytes, needs at least ${layout.min}`));
  }
  if (layout.max !== null && payload.length > layout.max && layout.trailing !== 'drop') {
    return err(codecError('length', '', `payload has ${payload.length} bytes, may have at most ${layout.max}`));
  }
  try {
    const reader = new Reader(payload, options);
    const value = reader.fields(layout.fields, '');
    reader.finish(layout.trailing === 'drop' && options.side === 'reply');
    return ok(value as ValueOf<F>);
  } catch (error) {
    if (error instanceof Refused) return err(error.detail);
    throw error;
  }
}

function minimum(layout: Layout, options: DecodeOptions): number {
  // D09: devices of the 2.0 era answer Identify with 17 bytes, without the component type.
  const oldIdentify = options.dialect === 'jackrabbit' && layout.min === 18 && lastName(layout) === 'component_type';
  return oldIdentify ? 17 : layout.min;
}

function lastName(layout: Layout): string | undefined {
  const last = layout.fields.at(-1);
  return last !== undefined && 'name' in last ? last.name : undefined;
}

/** Name of a code, or undefined. */
export function enumText(name: EnumName, code: number): string | undefined {
  const table: { readonly [code: number]: string } = enums[name];
  return Object.hasOwn(table, code) ? table[code] : undefined;
}

/** Does the condition of a field hold among the values before it? */
export function holds(condition: Condition, values: { readonly [name: string]: FieldScalar }): boolean {
  const value = values[condition.field];
  if (condition.sub === undefined) return value === condition.equals;
  return isRecord(value) && value[condition.sub] === condition.equals;
}

export function isRecord(value: FieldScalar): value is { readonly [name: string]: FieldScalar } {
  return typeof value === 'object' && !Array.isArray(value) && !(value instanceof Uint8Array);
}

/** A mask with the bits of a range set, in the width of the whole field. */
export function rangeMask(range: BitRange): bigint {
  return ((1n << BigInt(range[1] - range[0] + 1)) - 1n) << BigInt(range[0]);
}

class Reader {
  private offset = 0;
  private readonly payload: Uint8Array;
  private readonly options: DecodeOptions;
  private readonly strict: boolean;

  constructor(payload: Uint8Array, options: DecodeOptions) {
    this.payload = payload;
    this.options = options;
    this.strict = options.side === 'request';
  }

  private get left(): number {
    return this.payload.length - this.offset;
  }

  finish(dropRest: boolean): void {
    if (this.left > 0 && !dropRest) refuse('length', '', `${this.left} bytes follow the end of the payload`);
  }

  fields(fields: readonly Field[], prefix: string): { [name: string]: FieldScalar } {
    const values: { [name: string]: FieldScalar } = {};
    const counters = new Map<string, number>();
    for (const field of fields) this.field(field, prefix, values, counters);
    return values;
  }

  private field(
    field: Field,
    prefix: string,
    values: { [name: string]: FieldScalar },
    counters: Map<string, number>,
  ): void {
    if (field.kind === 'reserved') {
      const part = this.take(field.width, `${prefix}reserved`);
      if (this.strict && part.some((byte) => byte !== 0)) {
        refuse('reserved', `${prefix}reserved`, `reserved bytes at ${this.offset - field.width} are not zero`);
      }
      return;
    }
    const path = prefix + field.name;
    switch (field.kind) {
      case 'count': {
        if (field.when !== undefined && !holds(field.when, values)) {
          // D22: some senders count extents whatever the policy; a zero count means the same as none.
          if (this.left === field.width && this.uint(path, field.width, false) !== 0) {
            refuse('value', path, 'must be 0 unless the policy is prescriptive');
          }
          counters.set(field.name, 0);
          return;
        }
        const value = Number(this.uint(path, field.width, false));
        if (this.strict) this.inRange(path, value, field.min, field.max);
        counters.set(field.name, value);
        return;
      }
      case 'uint': {
        if (this.absent(field)) return;
        values[field.name] = this.uintValue(field, path);
        return;
      }
      case 'int': {
        const raw = this.uint(path, field.width, false) as number;
        values[field.name] = raw >= 0x8000 ? raw - 0x10000 : raw;
        return;
      }
      case 'bits': {
        if (this.absent(field)) return;
        values[field.name] = this.bitsValue(field, path);
        return;
      }
      case 'bytes': {
        const size = this.extent(field.extent, values, counters, 1);
        values[field.name] = this.take(size, path).slice();
        // 5302h: a reader may send data that means nothing; it is dropped here and so never forwarded.
        if (field.extent === 'write-data' && size === 0 && this.left > 0) this.dropReadData(values, path);
        return;
      }
      case 'ascii':
        values[field.name] = text(this.take(field.width, path));
        return;
      case 'uuid':
        values[field.name] = uuidText(this.take(field.width, path));
        return;
      case 'bitmap':
        values[field.name] = setBits(this.take(field.width, path));
        return;
      case 'list': {
        const size = elementSize(field.element);
        const count = this.extent(field.extent, values, counters, size);
        const items: FieldScalar[] = [];
        // Checked before anything is allocated: a counter can claim four thousand million elements.
        if (count * size > this.left) {
          refuse('length', path, `${count} elements need ${count * size} bytes, ${this.left} are left`);
        }
        for (let i = 0; i < count; i++) items.push(this.element(field.element, `${path}[${i}]`));
        values[field.name] = items;
        return;
      }
    }
  }

  private absent(field: UintField | BitsField): boolean {
    if (field.options.optional && this.left === 0) return true;
    return this.options.dialect === 'jackrabbit' && field.name === 'component_type' && this.left === 0;
  }

  private element(element: Element, path: string): FieldScalar {
    return element.kind === 'struct' ? this.fields(element.fields, `${path}.`) : this.uintValue(element, path);
  }

  private uintValue(field: UintField, path: string): FieldScalar {
    const { options } = field;
    const raw = this.uint(path, field.width, field.width === 8);
    if (this.strict) this.inRange(path, Number(raw), options.min, options.max);
    return options.enum === undefined ? raw : this.named(options.enum, Number(raw), path);
  }

  private named(name: EnumName, code: number, path: string): FieldScalar {
    const found = enumText(name, code);
    if (found === undefined && this.strict) refuse('value', path, `${code} is reserved`);
    return found ?? code;
  }

  private bitsValue(field: BitsField, path: string): FieldScalar {
    const raw = BigInt(this.uint(path, field.width, true));
    const parts = Object.entries(field.bits);
    if (this.strict) {
      const known = parts.reduce((mask, [, range]) => mask | rangeMask(range), 0n);
      if ((raw & ~known) !== 0n) refuse('reserved', path, `reserved bits 0x${(raw & ~known).toString(16)} are set`);
    }
    const values: { [name: string]: FieldScalar } = {};
    for (const [name, range] of parts) {
      const part = (raw & rangeMask(range)) >> BigInt(range[0]);
      const enumName = range[2];
      if (enumName !== undefined) values[name] = this.named(enumName, Number(part), `${path}.${name}`);
      else if (range[0] === range[1]) values[name] = part === 1n;
      else values[name] = range[1] === 63 ? part : Number(part);
    }
    const only = parts.length === 1 ? parts[0] : undefined;
    return only === undefined ? values : values[only[0]];
  }

  private extent(
    extent: Extent,
    values: { readonly [name: string]: FieldScalar },
    counters: ReadonlyMap<string, number>,
    size: number,
  ): number {
    if (typeof extent === 'number') return extent;
    if (extent === 'rest') return Math.floor(this.left / size);
    if (extent === 'write-data') {
      return isWrite(values) ? Number(values.transaction_length) : 0;
    }
    if (extent === 'vppb-window') return this.vppbWindow(Number(values.number_of_vppbs));
    return counters.get(extent.counter) ?? 0;
  }

  private vppbWindow(total: number): number {
    const limit = Number(this.options.request?.vppb_list_limit ?? 255);
    const start = Number(this.options.request?.starting_vppb ?? 0);
    // D11: the specification counts from 0 whatever the start; two implementations count from the start.
    return Math.min(limit, this.options.dialect === 'jackrabbit' ? Math.max(0, total - start) : total);
  }

  private dropReadData(values: { readonly [name: string]: FieldScalar }, path: string): void {
    const length = Number(values.transaction_length);
    if (this.left !== length) refuse('length', path, `a read carries ${this.left} bytes of data`);
    this.offset += length;
  }

  private inRange(path: string, value: number, min: number | undefined, max: number | undefined): void {
    if (min !== undefined && value < min) refuse('value', path, `${value} is below ${min}`);
    if (max !== undefined && value > max) refuse('value', path, `${value} is above ${max}`);
  }

  private uint(path: string, width: UintWidth, wide: boolean): number | bigint {
    const start = this.offset;
    this.take(width, path);
    if (width === 8) return readUint64(this.payload, start);
    const value = readUint(this.payload, start, width);
    return wide ? BigInt(value) : value;
  }

  private take(size: number, path: string): Uint8Array {
    if (size > this.left) refuse('length', path, `needs ${size} bytes, ${this.left} are left`);
    const part = this.payload.subarray(this.offset, this.offset + size);
    this.offset += size;
    return part;
  }
}

/** 5302h and its relatives: is the transaction a write? */
export function isWrite(values: { readonly [name: string]: FieldScalar }): boolean {
  const control = values.request_control;
  return isRecord(control) && control.transaction_type === 'write';
}

/** Fewest bytes of one element. */
export function elementSize(element: Element): number {
  return element.kind === 'uint' ? element.width : element.fields.reduce((sum, field) => sum + fieldSize(field), 0);
}

function fieldSize(field: Field): number {
  switch (field.kind) {
    case 'bytes':
      return typeof field.extent === 'number' ? field.extent : 0;
    case 'list':
      return 0;
    default:
      return field.width;
  }
}

function text(part: Uint8Array): string {
  const end = part.indexOf(0);
  return String.fromCharCode(...(end < 0 ? part : part.subarray(0, end)));
}

function setBits(part: Uint8Array): readonly number[] {
  const found: number[] = [];
  part.forEach((byte, index) => {
    for (let bit = 0; bit < 8; bit++) if ((byte >> bit) & 1) found.push(index * 8 + bit);
  });
  return found;
}
