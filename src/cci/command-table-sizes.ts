import type { CountField, Extent, Field } from './layout.ts';
import { elementSize } from './value.ts';

/** Fewest and most bytes of a payload; `most` is infinite where only the carrier bounds it. */
export interface SizeSpan {
  readonly least: number;
  readonly most: number;
}

/** What the fields of a reviewed vendor command come to: the reviewer says the size as well, and both must agree. */
export function sizeSpan(fields: readonly Field[]): SizeSpan {
  const counters = new Map(fields.flatMap((field) => (field.kind === 'count' ? [[field.name, field] as const] : [])));
  return fields.reduce<SizeSpan>(
    (sum, field) => {
      const { least, most } = spanOf(field, counters);
      return { least: sum.least + least, most: sum.most + most };
    },
    { least: 0, most: 0 },
  );
}

function spanOf(field: Field, counters: ReadonlyMap<string, CountField>): SizeSpan {
  switch (field.kind) {
    case 'bytes':
      return extentSpan(field.extent, 1, counters);
    case 'list':
      return extentSpan(field.extent, elementSize(field.element), counters);
    case 'uint':
    case 'bits':
      return { least: field.options.optional ? 0 : field.width, most: field.width };
    default:
      return { least: field.width, most: field.width };
  }
}

function extentSpan(extent: Extent, each: number, counters: ReadonlyMap<string, CountField>): SizeSpan {
  if (typeof extent === 'number') return { least: extent * each, most: extent * each };
  const counter = typeof extent === 'object' ? counters.get(extent.counter) : undefined;
  if (counter === undefined) return { least: 0, most: Number.POSITIVE_INFINITY };
  return { least: (counter.min ?? 0) * each, most: (counter.max ?? 256 ** counter.width - 1) * each };
}

/** Counters that count nothing, or two things. */
export function idleCounters(fields: readonly Field[]): readonly string[] {
  const uses = new Map<string, number>();
  for (const field of fields) {
    if ((field.kind !== 'bytes' && field.kind !== 'list') || typeof field.extent !== 'object') continue;
    uses.set(field.extent.counter, (uses.get(field.extent.counter) ?? 0) + 1);
  }
  return fields.flatMap((field) => (field.kind === 'count' && uses.get(field.name) !== 1 ? [field.name] : []));
}
