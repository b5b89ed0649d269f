/**
 * Raises taints until it is killed: `node raise-forever.ts LEDGER RUN`. Writes `letter scope run:number` for each one
 * whose promise has resolved, with a blocking write, so that whoever kills it knows what was promised.
 */
import { writeSync } from 'node:fs';
import { PostureRegister, taintBits } from '../../src/taint/index.ts';
import { configIn } from './register-config.ts';

const [ledgerPath = '', run = ''] = process.argv.slice(2);
const register = await PostureRegister.open({
  ...configIn('.'),
  ledgerPath,
  journalNotEmpty: run !== '0',
  now: Date.now,
});
writeSync(1, 'open\n');

async function raise(lane: number): Promise<void> {
  for (let number = 0; ; number++) {
    const letter = taintBits[(number + lane) % taintBits.length]?.letter ?? 'A';
    const scope = `/switches/sw0/ports/${(number + lane) % 7}`;
    const record = `${run}:${lane}:${number}`;
    await register.taint(letter, { by: 'broker', record, scope, reason: 'because' });
    writeSync(1, `${letter} ${scope} ${record}\n`);
  }
}
await Promise.all([raise(0), raise(1), raise(2)]);
