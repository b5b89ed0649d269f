import {
  type BitRange,
  encodePayload,
  enumNames,
  type Field,
  type FieldScalar,
  type TypedRow,
  type Value,
} from '../../cci/index.ts';
import { at } from './at.ts';

/**
 * The least payload that a command takes: zeros, the first name of each code, empty lists; but for what is wished. Undefined
 * where the wishes don't fit the layout.
 *
 * @param wishes fields by name; those that the command does not have are passed over
 */
export function leastRequest(
  { request }: TypedRow,
  wishes: Value,
): { readonly params: Value; readonly payload: Uint8Array } | undefined {
  const params: { [name: string]: FieldScalar } = {};
  for (const field of request.fields) {
    if (field.kind === 'reserved' || field.kind === 'count') continue;
    const wish = Object.hasOwn(wishes, field.name) ? wishes[field.name] : leastOf(field);
    if (wish !== undefined) params[field.name] = wish;
  }
  const payload = encodePayload(request, params as never);
  return payload.ok ? { params, payload: payload.value } : undefined;
}

type Named = Exclude<Field, { readonly kind: 'reserved' | 'count' }>;

function leastOf(field: Named): FieldScalar {
  switch (field.kind) {
    case 'uint': {
      const { enum: codes, min, optional } = field.options;
      if (optional === true) return undefined;
      if (codes !== undefined) return at(enumNames(codes), 0);
      return field.width === 8 ? BigInt(min ?? 0) : (min ?? 0);
    }
    case 'int':
      return 0;
    case 'bits': {
      if (field.options.optional === true) return undefined;
      const parts = Object.entries(field.bits).map(([name, range]) => [name, leastBits(range)] as const);
      return parts.length === 1 ? at(parts, 0)[1] : Object.fromEntries(parts);
    }
    case 'bytes':
      return new Uint8Array(typeof field.extent === 'number' ? field.extent : 0);
    case 'ascii':
      return '';
    case 'uuid':
      return '00000000-0000-0000-0000-000000000000';
    case 'bitmap':
    case 'list':
      return [];
  }
}

function leastBits([low, high, codes]: BitRange): FieldScalar {
  if (codes !== undefined) return at(enumNames(codes), 0);
  if (low === high) return false;
  return high === 63 ? 0n : 0;
}
