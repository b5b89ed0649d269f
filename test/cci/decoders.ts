import { catalogue, isTyped, type Layout } from '../../src/cci/index.ts';

/** One layout with the side it is read from: two for each typed row. */
export interface Decoder {
  /** `5101h get-physical-port-state request` */
  readonly title: string;
  readonly slug: string;
  readonly side: 'request' | 'reply';
  readonly layout: Layout;
}

/** Every decoder of the catalogue, ascending by opcode. */
export const decoders: readonly Decoder[] = catalogue.flatMap((row): Decoder[] => {
  if (!isTyped(row)) return [];
  const name = `${row.opcode.toString(16).padStart(4, '0')}h ${row.slug}`;
  return [
    { title: `${name} request`, slug: row.slug, side: 'request', layout: row.request },
    { title: `${name} reply`, slug: row.slug, side: 'reply', layout: row.response },
  ];
});
