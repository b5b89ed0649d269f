import { type CodecError, codecError } from './codec-error.ts';
import { Cursor } from './cursor.ts';
import { decodePlan } from './decode-plan.ts';
import type { Dialect } from './dialect.ts';
import type { Field, Layout, Value, ValueOf } from './layout.ts';
import { err, ok, type Result } from './result.ts';
import { absentWidth } from './value.ts';

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

/**
 * Reads a payload by its layout. Never reads past the end, never allocates from a length it has not checked; what it
 * returns shares no memory with `payload`.
 *
 * @returns the value, or the first thing that is wrong: `length`, `reserved` or `value` (R2, R5)
 */
export function decodePayload<F extends readonly Field[]>(
  layout: Layout<F>,
  payload: Uint8Array,
  options: DecodeOptions,
): Result<ValueOf<F>, CodecError> {
  const min = layout.min - absentWidth(layout.fields, options.dialect);
  if (payload.length < min) {
    return err(codecError('length', '', `payload has ${payload.length} bytes, needs at least ${min}`));
  }
  const dropRest = layout.trailing === 'drop' && options.side === 'reply';
  if (layout.max !== null && payload.length > layout.max && !dropRest) {
    return err(codecError('length', '', `payload has ${payload.length} bytes, may have at most ${layout.max}`));
  }
  const cursor = new Cursor(payload, options);
  const value = decodePlan(layout.fields).read(cursor);
  if (cursor.error === undefined && cursor.left > 0 && !dropRest) {
    cursor.refuse('length', '', `${cursor.left} bytes follow the end of the payload`);
  }
  return cursor.error === undefined ? ok(value as ValueOf<F>) : err(cursor.error);
}
