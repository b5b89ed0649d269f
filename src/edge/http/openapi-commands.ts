import { type CommandRow, catalogue, hex16, isTyped, type JsonSchema, jsonSchemaOf } from '../../cci/index.ts';

/**
 * The commands as schemas for `/openapi.json`: per slug its parameters and its result, derived from the catalogue, and
 * one body for all of them that tells by `command` which it is. Validation itself is the codec's.
 */
export function commandSchemas(): { readonly [name: string]: JsonSchema } {
  const schemas: { [name: string]: JsonSchema } = {};
  const bodies: JsonSchema[] = [];
  const mapping: { [slug: string]: string } = {};
  for (const row of catalogue as readonly CommandRow[]) {
    if (!isTyped(row) || row.notOffered !== undefined) continue;
    if (row.claimed !== undefined && row.virtual === undefined) continue;
    const name = `command.${row.slug}`;
    schemas[`${row.slug}.params`] = { title: `${row.name}: parameters`, ...jsonSchemaOf(row.request, 'request') };
    schemas[`${row.slug}.result`] = { title: `${row.name}: result`, ...jsonSchemaOf(row.response, 'reply') };
    schemas[name] = {
      type: 'object',
      title: row.name,
      description: `${hex16(row.opcode)}, ${row.spec}`,
      properties: {
        command: { type: 'string', const: row.slug },
        params: { $ref: `#/components/schemas/${row.slug}.params` },
        via: { type: 'string', description: 'tunnel path, such as `port:3/ld:1`' },
      },
      required: ['command'],
      additionalProperties: false,
    };
    bodies.push({ $ref: `#/components/schemas/${name}` });
    mapping[row.slug] = `#/components/schemas/${name}`;
  }
  schemas.AnyCommand = { oneOf: bodies, discriminator: { propertyName: 'command', mapping } };
  return schemas;
}
