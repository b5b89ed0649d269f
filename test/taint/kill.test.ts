import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseLedger } from '../../src/taint/ledger-file.ts';
import { temporaryDirectory } from './register.ts';

/** `KILLS=1000` for the long version. */
const KILLS = Number(process.env.KILLS ?? 25);
const CHILD = join(import.meta.dirname, 'raise-forever.ts');

/** Runs the child for a while after it has opened its ledger, kills it, and gives the raisings that had resolved. */
async function killedAfter(ledgerPath: string, run: number, delayMs: number): Promise<string[]> {
  const child = spawn(process.execPath, [CHILD, ledgerPath, String(run)], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.setEncoding('utf8');
  child.stdout.on('data', (text: string) => {
    if (output === '') setTimeout(() => child.kill('SIGKILL'), delayMs);
    output += text;
  });
  const signal = await new Promise((resolve) => child.on('close', (_code, by) => resolve(by)));
  expect(signal).toBe('SIGKILL');
  // A blocking write of a few bytes to a pipe is whole or not there.
  return output.trimEnd().split('\n').slice(1);
}

test(`a broker killed ${KILLS} times at random moments never forgets a taint that it had promised`, {
  timeout: KILLS * 4000,
}, async () => {
  const ledgerPath = join(temporaryDirectory(), 'taint.json');
  // The bits are promised; their counts may be late, and the journal has what is missing from them.
  const promised = new Set<string>();
  let resolved = 0;
  for (let run = 0; run < KILLS; run++) {
    for (const line of await killedAfter(ledgerPath, run, Math.random() * 60)) {
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
