import { type CodecError, codecError } from './codec-error.ts';
import { encodePlan } from './encode-plan.ts';
import type { Field, Layout, Value, ValueOf } from './layout.ts';
import { err, ok, type Result } from './result.ts';
import { absentWidth } from './value.ts';
import { Writer } from './writer.ts';

/**
 * Writes a value by its layout: the one byte form of it. Counters are the lengths of their lists, reserved bytes are 0.
 *
 * @param side `request`: numbers outside the row's bounds and codes without a name are refused; in a reply they pass
 * @returns the payload, or an error: `value` for a missing field, a wrong type, a number out of range, an unknown name,
 *   a list too long; `length` where the whole is not of a size the layout allows or over 2^21-1 bytes
 */
export function encodePayload<F extends readonly Field[]>(
  layout: Layout<F>,
  value: ValueOf<F>,
  side: 'request' | 'reply' = 'request',
): Result<Uint8Array, CodecError> {
  const out = new Writer(side === 'request');
  encodePlan(layout.fields)(out, value as Value);
  if (out.error !== undefined) return err(out.error);
  const payload = out.result();
  // A reply may be that of a 2.0 device: it is shown to a client as it came.
  const min = layout.min - absentWidth(layout.fields, side === 'reply' ? 'jackrabbit' : 'spec');
  if (payload.length < min) {
    return err(codecError('length', '', `payload has ${payload.length} bytes, needs at least ${min}`));
  }
  if (layout.max !== null && payload.length > layout.max) {
    return err(codecError('length', '', `payload has ${payload.length} bytes, may have at most ${layout.max}`));
  }
  return ok(payload);
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
