import type { Dialect } from './dialect.ts';
import type { Condition, Element, Field, FieldScalar } from './layout.ts';

/** The members of a value by name, while it is read. */
export type Values = { readonly [name: string]: FieldScalar };

/** Is it an object of members, not bytes and not a list? */
export function isRecord(value: FieldScalar): value is Values {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);
}

/** Does the condition of a field hold among the members before it? */
export function holds(condition: Condition, values: Values): boolean {
  const value = values[condition.field];
  if (condition.sub === undefined) return value === condition.equals;
  return isRecord(value) && value[condition.sub] === condition.equals;
}

/** Bytes of data that 5302h carries: `transaction_length` in a write, none in a read. */
export function writeDataSize(values: Values): number {
  const control = values.request_control;
  const write = isRecord(control) && control.transaction_type === 'write';
  return write ? Number(values.transaction_length) : 0;
}

/** Fewest bytes of one element. */
export function elementSize(element: Element): number {
  return element.kind === 'uint' ? element.width : smallestSize(element.fields);
}

/** Fewest bytes of a list of fields: every optional field left off, every list of unknown length empty. */
export function smallestSize(fields: readonly Field[]): number {
  return fields.reduce((sum, field) => sum + smallestField(field), 0);
}

function smallestField(field: Field): number {
  switch (field.kind) {
    case 'bytes':
      return typeof field.extent === 'number' ? field.extent : 0;
    case 'list':
      return typeof field.extent === 'number' ? field.extent * elementSize(field.element) : 0;
    case 'count':
      return field.when === undefined ? field.width : 0;
    case 'uint':
    case 'bits':
      return field.options.optional ? 0 : field.width;
    default:
      return field.width;
  }
}

/** Bytes by which devices of a dialect may end a payload early (D09: Identify, without the component type). */
export function absentWidth(fields: readonly Field[], dialect: Dialect | undefined): number {
  const last = fields.at(-1);
  return last?.kind === 'uint' && last.options.absentIn !== undefined && last.options.absentIn === dialect
    ? last.width
    : 0;
}
