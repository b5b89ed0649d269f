import type { Dialect } from './dialect.ts';
import type { EnumName, EnumRef, enums } from './enums.ts';

/**
 * The vocabulary in which the catalogue describes payloads. A layout is data: offsets follow from the order of its
 * fields, every multi-byte number is little-endian, and the TypeScript type of a value follows from the layout.
 */

/** What object of the fabric a request field names. */
export type TargetKind =
  | 'ppb-id'
  | 'vcs-id'
  | 'vppb-id'
  | 'ld-id'
  | 'host-id'
  | 'head-id'
  | 'dc-region'
  | 'capacity-tag'
  | 'dpa-range'
  | 'mmio-address'
  | 'event-log'
  | 'event-record-handle'
  | 'log'
  | 'feature'
  | 'tunnel-target';

export type UintWidth = 1 | 2 | 3 | 4 | 8;

export interface UintOptions {
  /** Smallest and largest value a request may carry; replies are not held to it. */
  readonly min?: number;
  readonly max?: number;
  readonly enum?: EnumRef;
  readonly target?: TargetKind;
  /** May be left off the end of the payload. */
  readonly optional?: true;
  /** Left off the end by devices of that dialect, and by them alone. */
  readonly absentIn?: Dialect;
  readonly help?: string;
  /** Bytes that must never be written to a log in the clear. */
  readonly secret?: true;
}

/** Only there when that earlier field (or that part of its bits) has that value. */
export interface Condition {
  readonly field: string;
  readonly sub?: string;
  readonly equals: string;
}

/** `[lowest bit, highest bit, enum?]`: one bit is a boolean, a range up to bit 63 a bigint, any other a number. */
export type BitRange = readonly [number, number] | readonly [number, number, EnumRef];
export type BitMap = { readonly [name: string]: BitRange };

export interface UintField<
  N extends string = string,
  W extends UintWidth = UintWidth,
  O extends UintOptions = UintOptions,
> {
  readonly kind: 'uint';
  readonly name: N;
  readonly width: W;
  readonly options: O;
}
export interface IntField<N extends string = string> {
  readonly kind: 'int';
  readonly name: N;
  readonly width: 2;
  readonly help?: string;
}
export interface BitsField<N extends string = string, M extends BitMap = BitMap, O extends UintOptions = UintOptions> {
  readonly kind: 'bits';
  readonly name: N;
  readonly width: UintWidth;
  readonly bits: M;
  readonly options: O;
}
export interface ReservedField {
  readonly kind: 'reserved';
  readonly width: number;
}
/** A counter of a later list: it has no value of its own, the list's length is it. */
export interface CountField<N extends string = string> {
  readonly kind: 'count';
  readonly name: N;
  readonly width: UintWidth;
  readonly min?: number;
  readonly max?: number;
  readonly when?: Condition;
}
export interface BytesOptions {
  readonly target?: TargetKind;
  readonly help?: string;
  readonly secret?: true;
}
/**
 * How many bytes or elements follow:
 * a number of them, `rest` of the payload, the value of a counter,
 * `write-data` (5302h: as many as `transaction_length` says when `transaction_type` is a write, else none, and what a
 * reader put there is ignored), or `vppb-window` (5200h: the smaller of the limit asked for and the vPPBs there are).
 */
export type Extent = number | 'rest' | { readonly counter: string } | 'write-data' | 'vppb-window';

export interface BytesField<N extends string = string> {
  readonly kind: 'bytes';
  readonly name: N;
  readonly extent: Extent;
  readonly options: BytesOptions;
}
/** `ascii`: characters of one byte each up to the first NUL or the end; the rest of the field is padding. `uuid`: 16 bytes. */
export interface TextField<N extends string = string> {
  readonly kind: 'ascii' | 'uuid';
  readonly name: N;
  readonly width: number;
  readonly target?: TargetKind;
  readonly help?: string;
  readonly secret?: true;
}
/** Bit `n` of the field stands for object `n`; its value is the ascending list of set bits. */
export interface BitmapField<N extends string = string> {
  readonly kind: 'bitmap';
  readonly name: N;
  readonly width: number;
  readonly owner?: TargetKind;
}
export interface ListField<N extends string = string, E extends Element = Element> {
  readonly kind: 'list';
  readonly name: N;
  readonly element: E;
  readonly extent: Extent;
  readonly target?: TargetKind;
  readonly when?: Condition;
  readonly help?: string;
}
export type Element = UintField | Struct;

export interface Struct<F extends readonly Field[] = readonly Field[]> {
  readonly kind: 'struct';
  readonly name: string;
  readonly fields: F;
}

export type Field =
  | UintField
  | IntField
  | BitsField
  | ReservedField
  | CountField
  | BytesField
  | TextField
  | BitmapField
  | ListField;

export interface Layout<F extends readonly Field[] = readonly Field[]> {
  /** Fewest and most bytes. `max` null: bounded only by the carrier. */
  readonly min: number;
  readonly max: number | null;
  readonly fields: F;
  /** `drop`: some devices send more than the layout and the rest means nothing (D10). */
  readonly trailing?: 'drop';
}

// ---- builders: one line of the catalogue each ----

export const u = <
  const W extends UintWidth,
  const N extends string,
  const O extends UintOptions = Record<never, never>,
>(
  width: W,
  name: N,
  options?: O,
): UintField<N, W, O> => ({ kind: 'uint', name, width, options: options ?? ({} as O) });

export const i16 = <const N extends string>(name: N, help?: string): IntField<N> => ({
  kind: 'int',
  name,
  width: 2,
  ...(help === undefined ? {} : { help }),
});

export const bits = <
  const N extends string,
  const M extends BitMap,
  const O extends UintOptions = Record<never, never>,
>(
  width: UintWidth,
  name: N,
  map: M,
  options?: O,
): BitsField<N, M, O> => ({ kind: 'bits', name, width, bits: map, options: options ?? ({} as O) });

export const reserved = (width: number): ReservedField => ({ kind: 'reserved', width });

export const count = <const N extends string>(
  width: UintWidth,
  name: N,
  options: { readonly min?: number; readonly max?: number; readonly when?: Condition } = {},
): CountField<N> => ({ kind: 'count', name, width, ...options });

export const bytes = <const N extends string>(name: N, extent: Extent, options: BytesOptions = {}): BytesField<N> => ({
  kind: 'bytes',
  name,
  extent,
  options,
});

export const ascii = <const N extends string>(name: N, width: number): TextField<N> => ({ kind: 'ascii', name, width });

export const uuid = <const N extends string>(
  name: N,
  options: { readonly target?: TargetKind; readonly help?: string; readonly secret?: true } = {},
): TextField<N> => ({ kind: 'uuid', name, width: 16, ...options });

export const bitmap = <const N extends string>(name: N, width: number, owner?: TargetKind): BitmapField<N> => ({
  kind: 'bitmap',
  name,
  width,
  ...(owner === undefined ? {} : { owner }),
});

export const list = <const N extends string, const E extends Element>(
  name: N,
  element: E,
  extent: Extent,
  options: { readonly target?: TargetKind; readonly when?: Condition; readonly help?: string } = {},
): ListField<N, E> => ({ kind: 'list', name, element, extent, ...options });

export const struct = <const F extends readonly Field[]>(name: string, fields: F): Struct<F> => ({
  kind: 'struct',
  name,
  fields,
});

export const layout = <const F extends readonly Field[]>(
  min: number,
  max: number | null,
  fields: F,
  options: { readonly trailing?: 'drop' } = {},
): Layout<F> => ({ min, max, fields, ...options });

/** The payload of no bytes. */
export const empty = layout(0, 0, []);

// ---- the types of values ----

type EnumText<E extends EnumName> = (typeof enums)[E][keyof (typeof enums)[E]] & string;
/** A code without a name stays a number; only replies can carry one. */
type EnumValue<E extends EnumRef> = E extends EnumName ? EnumText<E> | (number & {}) : string | number;

type BitValue<R extends BitRange> = R extends readonly [number, number, infer E extends EnumRef]
  ? EnumValue<E>
  : R extends readonly [infer L extends number, infer H extends number]
    ? L extends H
      ? boolean
      : 63 extends H
        ? bigint
        : number
    : never;

type IsUnion<T, U = T> = [T] extends [never] ? false : T extends unknown ? ([U] extends [T] ? false : true) : never;

/** One named part: the field's value is that part. Several: an object of them. */
type BitsValue<M extends BitMap> =
  IsUnion<keyof M> extends true
    ? { readonly [K in keyof M]: BitValue<M[K]> }
    : { [K in keyof M]: BitValue<M[K]> }[keyof M];

type UintValue<W extends UintWidth, O> = O extends { enum: infer E extends EnumRef }
  ? EnumValue<E>
  : W extends 8
    ? bigint
    : number;

type ElementValue<E> =
  E extends UintField<string, infer W, infer O> ? UintValue<W, O> : E extends Struct<infer F> ? ValueOf<F> : never;

type FieldValue<F> =
  F extends UintField<string, infer W, infer O>
    ? UintValue<W, O>
    : F extends IntField
      ? number
      : F extends BitsField<string, infer M, UintOptions>
        ? BitsValue<M>
        : F extends BytesField
          ? Uint8Array
          : F extends TextField
            ? string
            : F extends BitmapField
              ? readonly number[]
              : F extends ListField<string, infer E>
                ? readonly ElementValue<E>[]
                : never;

type Named = Exclude<Field, ReservedField | CountField>;
type Names<F extends readonly Field[]> = Extract<F[number], Named>;
type IsOptional<F> = F extends { options: { optional: true } | { absentIn: Dialect } } | { when: Condition }
  ? true
  : false;

/** The value that a list of fields describes: reserved fields and counters have none. */
export type ValueOf<F extends readonly Field[]> = number extends F['length'] ? Value : KnownValue<F>;

type KnownValue<F extends readonly Field[]> = {
  readonly [K in Names<F> as IsOptional<K> extends true ? never : K['name']]: FieldValue<K>;
} & {
  readonly [K in Names<F> as IsOptional<K> extends true ? K['name'] : never]?: FieldValue<K> | undefined;
};

/** A value whose layout is known only at run time. */
export type Value = { readonly [name: string]: FieldScalar };
export type FieldScalar =
  | number
  | bigint
  | string
  | boolean
  | undefined
  | Uint8Array
  | readonly FieldScalar[]
  | { readonly [name: string]: FieldScalar };
