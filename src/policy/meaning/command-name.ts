import { hex16 } from '../../cci/index.ts';
import type { AskedCommand } from './search.ts';

/** `bind-vppb`, or `raw 0xc010`: what is sent as a slug has one meaning, what is sent raw another. */
export function commandName({ opcode, row, submittedAs }: AskedCommand): string {
  return submittedAs === 'typed' && row !== undefined ? row.slug : `raw ${hex16(opcode)}`;
}
