/**
 * Writes intents and outcomes until it is killed: `node append-forever.ts DIRECTORY RUN`. Says `sequence hash requestId`
 * for each durable record once its promise has resolved, with a blocking write, so that whoever kills it knows what was
 * promised.
 */
import { writeSync } from 'node:fs';
import { join } from 'node:path';
import { openJournal, openSigningKey, systemJournalClock } from '../../../src/broker/journal/index.ts';

const [directory = '', run = ''] = process.argv.slice(2);
// Segments so small and checkpoints so many that kills hit the moments between two of them.
const { signer } = await openSigningKey(join(directory, 'key.pem'), { make: true });
const journal = await openJournal({
  directory,
  clock: systemJournalClock,
  flushAfterMs: 2,
  signer,
  segmentBytes: 60_000,
  checkpointRecords: 16,
  witnesses: [join(directory, 'witness')],
});
writeSync(1, 'open\n');

async function lane(number: number): Promise<void> {
  for (let i = 0; ; i++) {
    const requestId = `${run}:${number}:${i}`;
    const details = { text: 'x'.repeat((i * 37) % 3000) };
    const intent = await journal.append('intent', { requestId, verdict: 'allow', details }, { durable: true });
    writeSync(1, `${intent.sequence} ${intent.hash} ${requestId}\n`);
    await journal.append('decision', { requestId: `${requestId}:read`, verdict: 'allow' }, { durable: false });
    const { sequence, hash } = await journal.append('outcome', { requestId, outcome: 'done' }, { durable: true });
    writeSync(1, `${sequence} ${hash} done\n`);
  }
}
await Promise.all([0, 1, 2, 3, 4, 5, 6, 7].map(lane));
