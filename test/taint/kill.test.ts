import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseLedger } from '../../src/taint/ledger-file.ts';
import { killedAt } from '../support/killed-child.ts';
import { temporaryDirectory } from './register.ts';

/** `KILLS=1000` for the long version. */
const KILLS = Number(process.env.KILLS ?? 25);
const CHILD = join(import.meta.dirname, 'raise-forever.ts');
/** As far as the child gets in a few hundredths of a second. */
const MOMENT = { behind: 'open', lines: 60, ms: 5 };

test(`a broker killed ${KILLS} times at random moments never forgets a taint that it had promised`, {
  timeout: KILLS * 4000,
}, async () => {
  const ledgerPath = join(temporaryDirectory(), 'taint.json');
  // The bits are promised; their counts may be late, and the journal has what is missing from them.
  const promised = new Set<string>();
  let resolved = 0;
  for (let run = 0; run < KILLS; run++) {
    const [, ...raised] = await killedAt(CHILD, [ledgerPath, String(run)], MOMENT);
    for (const line of raised) {
      const [letter, scope] = line.split(' ');
      promised.add(`${letter} ${scope}`);
      resolved++;
    }
    const parsed = parseLedger(readFileSync(ledgerPath, 'utf8'));
    if (!parsed.ok) expect.fail(`after kill ${run} the ledger is damaged: ${parsed.why}`);
    const held = new Map(parsed.state.groups.map((group) => [`${group.letter} ${group.scope}`, group.count]));
    for (const key of promised) expect(held.get(key) ?? 0, `${key} after kill ${run}`).toBeGreaterThanOrEqual(1);
    expect(parsed.state.groups.some((group) => group.first.record === 'taint-ledger')).toBe(false);
  }
  expect(resolved).toBeGreaterThan(KILLS);
});
