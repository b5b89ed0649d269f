import { decodePayload, encodePayload, layoutProblems, VENDOR_FIRST, type VendorRow } from '../../src/cci/index.ts';
import { demand, type Target } from '../engine/target.ts';
import { projectFile } from '../support/files.ts';
import { checkPayload } from '../support/payload-target.ts';
import { policyTarget } from '../support/policy-target.ts';
import { lines, words, yaml } from '../support/text-mutators.ts';

const SLUG = 'northbay-set-retimer-preset';

function checkRow(row: VendorRow): void {
  demand(row.opcode >= VENDOR_FIRST && row.opcode <= 0xffff, `opcode ${row.opcode}`);
  demand(row.slug === SLUG, `slug ${row.slug}`);
  for (const [side, layout] of [
    ['request', row.request],
    ['reply', row.response],
  ] as const) {
    demand(layoutProblems(layout).length === 0, () => layoutProblems(layout).join());
    for (const length of new Set([layout.min, Math.min(layout.max ?? 64, 256), layout.min + 1])) {
      if (length > 4096) continue;
      for (const byte of [0, 1, 0xff]) checkPayload(row.slug, layout, side, new Uint8Array(length).fill(byte), 'spec');
    }
    const zeros = decodePayload(layout, new Uint8Array(layout.min), { side });
    if (zeros.ok) demand(encodePayload(layout, zeros.value, side).ok, 'a value without bytes');
  }
}

export const target: Target = policyTarget({
  name: 'vendor-command',
  file: `commands.d/${SLUG}.yaml`,
  oracle:
    'a reviewed command is in the vendor range under its own name, and its layouts obey the rules of the catalogue',
  seeds: [
    projectFile(`test/policy/load/commands/${SLUG}.yaml`),
    projectFile('test/policy/load/commands/northbay-get-port-temperature.yaml').replaceAll(
      'northbay-get-port-temperature',
      SLUG,
    ),
  ],
  mutators: [yaml, yaml, lines, words],
  maxLength: 4000,
  accepted({ rules }) {
    for (const row of rules.commands?.reviewed ?? []) checkRow(row);
  },
});
