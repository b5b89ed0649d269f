import { demand, type Target } from '../engine/target.ts';
import { projectFile } from '../support/files.ts';
import { policyTarget } from '../support/policy-target.ts';
import { fields, lines, words } from '../support/text-mutators.ts';

const shipped = projectFile('policies/mandatory.csv');
const rowsIn = (text: string): readonly string[] =>
  text
    .split('\n')
    .filter((line) => line.startsWith('p2,'))
    .map((line) => line.split(',').slice(1, 9).join(',').trim());

export const target: Target = policyTarget({
  name: 'policy-mandatory',
  file: 'mandatory.csv',
  oracle: 'whatever is written there: a policy that loads has every shipped rule, and only the base row allows',
  seeds: [
    shipped,
    `${shipped}\np2, L20, integrity, X|M, host, audited|raw, >=2, >=own, set:virtual-switch if bound, deny, ours\n`,
  ],
  mutators: [fields, lines, words],
  maxLength: 8000,
  accepted({ rules }) {
    demand(rules.loosened.length === 0, `loosened ${rules.loosened.join()}`);
    const there = new Set(
      rules.mandatory.map(({ row }) =>
        row
          .slice(0, 8)
          .map((text) => text.trim())
          .join(', '),
      ),
    );
    for (const row of rowsIn(shipped)) demand(there.has(row), `the shipped row ${row} is gone`);
    for (const { row } of rules.mandatory) demand(row[0] === 'A0' || row[8] === 'deny', `${row[0]} says ${row[8]}`);
  },
});
