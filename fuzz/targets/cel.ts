import { CEL_ENTRY_SIZE, decodeCel, encodeCel, rowByOpcode } from '../../src/cci/index.ts';
import { undeclaredEffects } from '../../src/policy/decide/classify.ts';
import { demand, type Target } from '../engine/target.ts';
import { hexOf, sameBytes } from '../support/input.ts';

/** Effects that have an agreed meaning and change something now (D07). */
const IMMEDIATE = 0x3e;

/** What a log that holds one entry adds to the effects of the catalogue. */
function undeclared(opcode: number, effects: number): number {
  const shape = { hops: [], opcode, row: rowByOpcode(opcode) } as unknown as Parameters<typeof undeclaredEffects>[0];
  const topology = { cel: () => new Map([[opcode, effects]]) } as unknown as Parameters<typeof undeclaredEffects>[1];
  return undeclaredEffects(shape, topology);
}

export const target: Target = {
  name: 'cel',
  oracle:
    'every whole entry is read and written back alike; only effect bits 1 to 5 above the catalogue make a command raw',
  covers: ['src/cci/cel.ts', 'src/cci/bytes.ts', 'src/policy/decide/classify.ts'],
  kind: 'bytes',
  maxLength: 512,
  seeds: () => [
    encodeCel([
      { opcode: 0x0001, effects: 0 },
      { opcode: 0x5201, effects: 0x42 },
      { opcode: 0xc000, effects: 0xffff },
    ]),
  ],
  open: () => ({
    run(bytes) {
      const entries = decodeCel(bytes);
      const whole = bytes.subarray(0, bytes.length - (bytes.length % CEL_ENTRY_SIZE));
      demand(entries.length === whole.length / CEL_ENTRY_SIZE, `${entries.length} entries`);
      demand(sameBytes(encodeCel(entries), whole), () => hexOf(bytes));
      for (const { opcode, effects } of entries) {
        const added = undeclared(opcode, effects);
        demand((added & ~effects) === 0 && (added & ~IMMEDIATE) === 0, `${opcode}: ${added} of ${effects}`);
        demand(added === undeclared(opcode, effects & IMMEDIATE), `${opcode}: bits without a meaning change the class`);
      }
    },
  }),
};
