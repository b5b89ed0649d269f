import { type TProperties, Type } from '../../schema/index.ts';
import { recordBodySchemas } from './record-schema.ts';

const digest = (description: string) => Type.String({ pattern: '^[0-9a-f]{64}$', description });

/** What the journal adds to every body. */
const frame = {
  v: Type.Literal(1, { description: 'Version of the format' }),
  seq: Type.Integer({ minimum: 1, description: 'From 1, without gaps' }),
  at: Type.String({
    pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z$',
    description: 'Wall clock, UTC, milliseconds',
  }),
  mono: Type.Number({ description: 'Milliseconds on a clock that never goes back, comparable within one run' }),
  prev: digest('Hash of the record before; 64 zeros in the first one'),
  hash: digest('SHA-256 of this line up to, and without, its `,"hash":` part'),
};

/** JSON Schema (draft 2020-12) of one record, which is one line. */
export function journalRecordSchema(): object {
  const kinds = Object.entries(recordBodySchemas).map(([kind, body]) => {
    const {
      properties,
      required = [],
      description,
    } = body as {
      readonly properties: TProperties;
      readonly required?: readonly string[];
      readonly description?: string;
    };
    const { v, seq, at, mono, ...links } = frame;
    return {
      title: kind,
      description,
      type: 'object',
      properties: { v, seq, at, mono, kind: { const: kind }, ...properties, ...links },
      required: ['v', 'seq', 'at', 'mono', 'kind', ...required, 'prev', 'hash'],
      additionalProperties: false,
    };
  });
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Record of the audit journal of a Switch CCI broker',
    type: 'object',
    required: ['kind'],
    oneOf: kinds,
  };
}
