/**
 * Shapes of what comes over the wire. A server is not believed: a member that is missing or of another type makes the
 * whole answer a protocol error, and members that are not in the shape are dropped.
 */
export interface Shape<T> {
  /** The value, or undefined when it does not fit. */
  readonly read: (json: unknown) => T | undefined;
  readonly optional?: true;
}

/** What a shape reads. */
export type Shaped<S> = S extends Shape<infer T> ? T : never;

export const text: Shape<string> = { read: (json) => (typeof json === 'string' ? json : undefined) };
export const number: Shape<number> = { read: (json) => (typeof json === 'number' ? json : undefined) };
export const flag: Shape<boolean> = { read: (json) => (typeof json === 'boolean' ? json : undefined) };

/** Any JSON value. Undefined itself cannot be in JSON. */
export const anything: Shape<unknown> = { read: (json) => json };

export const oneOf = <const T extends readonly string[]>(...values: T): Shape<T[number]> => ({
  read: (json) => values.find((value) => value === json),
});

export const list = <T>(item: Shape<T>): Shape<readonly T[]> => ({
  read(json) {
    if (!Array.isArray(json)) return undefined;
    const result: T[] = [];
    for (const part of json) {
      const value = item.read(part);
      if (value === undefined) return undefined;
      result.push(value);
    }
    return result;
  },
});

export const optional = <T>(shape: Shape<T>): Shape<T> & { readonly optional: true } => ({ ...shape, optional: true });

type Members = { readonly [name: string]: Shape<unknown> };
type OptionalNames<M extends Members> = { [K in keyof M]: M[K] extends { optional: true } ? K : never }[keyof M];

/** Reads the members named, and no others. */
export const object = <const M extends Members>(
  members: M,
): Shape<
  { readonly [K in Exclude<keyof M, OptionalNames<M>>]: Shaped<M[K]> } & {
    readonly [K in OptionalNames<M>]?: Shaped<M[K]>;
  }
> => ({
  read(json) {
    if (typeof json !== 'object' || json === null || Array.isArray(json)) return undefined;
    const result: { [name: string]: unknown } = {};
    for (const [name, shape] of Object.entries(members)) {
      const given: unknown = Object.hasOwn(json, name) ? Reflect.get(json, name) : undefined;
      if (given === undefined && shape.optional) continue;
      const value = shape.read(given);
      if (value === undefined) return undefined;
      result[name] = value;
    }
    return result as Shaped<ReturnType<typeof object<M>>>;
  },
});
