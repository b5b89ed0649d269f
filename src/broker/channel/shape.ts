import { isWireBytes } from './wire.ts';

/**
 * Strict checks of what the edge sends, which is worth nothing before them. Each gives back a value of its own making, or
 * `bad`; nothing is guessed, filled in or dropped.
 */
export const bad = Symbol('bad');
export type Bad = typeof bad;
export type Shape<T> = (value: unknown) => T | Bad;
type OptionalShape<T> = Shape<T | undefined> & { readonly optional: true };
type Out<S> = S extends Shape<infer T> ? T : never;

/** Text of at most so many characters. */
export function text(most: number, pattern?: RegExp): Shape<string> {
  return (value) =>
    typeof value === 'string' && value.length <= most && (pattern === undefined || pattern.test(value)) ? value : bad;
}

/** One of these words. */
export function words<const W extends string>(...all: readonly W[]): Shape<W> {
  return (value) => all.find((word) => word === value) ?? bad;
}

/** A whole number. */
export function integer(least: number, most: number): Shape<number> {
  return (value) =>
    Number.isSafeInteger(value) && Number(value) >= least && Number(value) <= most ? Number(value) : bad;
}

/** Bytes, at most so many. */
export function bytes(most: number): Shape<Uint8Array> {
  return (value) => {
    if (!isWireBytes(value) || value.$bytes.length > Math.ceil(most / 3) * 4 + 4) return bad;
    if (Object.keys(value).length !== 1 || !/^[A-Za-z0-9+/]*={0,2}$/.test(value.$bytes)) return bad;
    const read = new Uint8Array(Buffer.from(value.$bytes, 'base64'));
    return read.length <= most ? read : bad;
  };
}

/** Whatever JSON is: its size and depth were looked at before it was parsed. Who uses it has checks of his own. */
export const json: Shape<unknown> = (value) => value;

/** It may be left out; null stands for that in a list of arguments. */
export function optional<T>(shape: Shape<T>): OptionalShape<T> {
  const read: Shape<T | undefined> = (value) => (value === undefined || value === null ? undefined : shape(value));
  return Object.assign(read, { optional: true } as const);
}

type Members = { readonly [name: string]: Shape<unknown> };
type ObjectOf<M extends Members> = {
  readonly [K in keyof M as M[K] extends OptionalShape<unknown> ? never : K]: Out<M[K]>;
} & { readonly [K in keyof M as M[K] extends OptionalShape<unknown> ? K : never]?: Out<M[K]> };

/** These members and no others. */
export function object<const M extends Members>(members: M): Shape<ObjectOf<M>> {
  const all = Object.entries(members);
  return (value) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return bad;
    const made: { [name: string]: unknown } = {};
    let known = 0;
    for (const [name, shape] of all) {
      const isThere = Object.hasOwn(value, name);
      if (isThere) known += 1;
      const read = shape(isThere ? (value as { readonly [name: string]: unknown })[name] : undefined);
      if (read === bad) return bad;
      if (read !== undefined) made[name] = read;
    }
    return Object.keys(value).length === known ? (made as ObjectOf<M>) : bad;
  };
}

/** The first of these that it is. */
export function either<A, B, C = never>(a: Shape<A>, b: Shape<B>, c?: Shape<C>): Shape<A | B | C> {
  return (value) => {
    const first = a(value);
    if (first !== bad) return first;
    const second = b(value);
    return second !== bad || c === undefined ? second : c(value);
  };
}

type Arguments<S extends readonly Shape<unknown>[]> = { -readonly [I in keyof S]: Out<S[I]> };

/** Arguments of a method: as many as there are shapes, of which the last ones may be left out. */
export function args<const S extends readonly Shape<unknown>[]>(...shapes: S): Shape<Arguments<S>> {
  return (value) => {
    if (!Array.isArray(value) || value.length > shapes.length) return bad;
    const made: unknown[] = [];
    for (const [i, shape] of shapes.entries()) {
      const read = shape(value[i]);
      if (read === bad) return bad;
      made.push(read);
    }
    return made as Arguments<S>;
  };
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Does the text open more than `limit` objects and arrays inside each other? Looks at bytes, parses nothing. */
export function nestsDeeperThan(limit: number, json: Uint8Array): boolean {
  let depth = 0;
  let inString = false;
  for (let i = 0; i < json.length; i++) {
    const byte = json[i];
    if (inString) {
      if (byte === BACKSLASH) i += 1;
      else if (byte === QUOTE) inString = false;
    } else if (byte === QUOTE) inString = true;
    else if (byte === 0x5b || byte === 0x7b) {
      depth += 1;
      if (depth > limit) return true;
    } else if (byte === 0x5d || byte === 0x7d) depth -= 1;
  }
  return false;
}
