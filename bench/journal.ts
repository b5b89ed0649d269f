/**
 * Cost of the audit journal: `node bench/journal.ts [DIRECTORY]`. Durable appends at several concurrencies, beside a
 * bare write and fdatasync of as many bytes on the same disk in the same run; then opening, verifying and searching what
 * was written. The directory decides which disk is measured (default: the temporary directory).
 */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type DecisionRecord,
  type Journal,
  openJournal,
  readJournal,
  showRequest,
  systemJournalClock,
  verifyJournal,
} from '../src/broker/journal/index.ts';

const RUN_MS = 1500;
const directory = mkdtempSync(join(process.argv[2] ?? tmpdir(), 'cci-bench-'));

/** A record of the size that a bind of one tenant has. */
function body(number: number): DecisionRecord {
  return {
    requestId: `0192f3a0-7d4e-7c11-9a55-${number.toString(16).padStart(12, '0')}`,
    switch: 'sw0',
    principal: 'user:https://issuer.example#alice',
    tenant: 'acme',
    tokenId: 'f7c1c2de-1d0a-4f0e-a5a5-0d6f6a3c9b11',
    source: '127.0.0.1:53122',
    command: 'bind-vppb',
    opcode: 0x5201,
    path: 'switch',
    fields: { vcs_id: 0, vppb_id: 3, physical_port_id: 5, ld_id: 1 },
    class: 'audited',
    scope: 0,
    reach: 'own',
    touched: ['/switches/sw0/vcss/0/vppbs/3', '/switches/sw0/ports/5/lds/1'],
    verdict: 'allow',
    snapshot: 'a'.repeat(64),
    posture: { version: 3, lockdown: 'none', taint: '-' },
    payloadDigest: 'b'.repeat(64),
    payloadBytes: 8,
  };
}

function quantile(sorted: readonly number[], part: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}

function report(label: string, latencies: number[], elapsedMs: number): void {
  latencies.sort((left, right) => left - right);
  const rate = Math.round((latencies.length * 1000) / elapsedMs).toLocaleString('en');
  const [p50, p99] = [quantile(latencies, 0.5), quantile(latencies, 0.99)].map((ms) => `${(ms * 1000).toFixed(0)} us`);
  console.log(`${label.padEnd(44)}${rate.padStart(12)}${String(p50).padStart(12)}${String(p99).padStart(12)}`);
}

/** Runs `lanes` loops of one operation side by side. */
async function measure(label: string, lanes: number, operation: () => Promise<unknown>): Promise<void> {
  const latencies: number[] = [];
  const begin = performance.now();
  const lane = async (): Promise<void> => {
    for (let now = performance.now(); now - begin < RUN_MS; ) {
      await operation();
      const after = performance.now();
      latencies.push(after - now);
      now = after;
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  report(label, latencies, performance.now() - begin);
}

async function appends(journal: Journal): Promise<void> {
  let number = 0;
  const append = (durable: boolean) => () => journal.append('decision', body(number++), { durable });
  for (const lanes of [1, 8, 32, 128, 512]) await measure(`durable append, ${lanes} at a time`, lanes, append(true));
  const begin = performance.now();
  const latencies: number[] = [];
  for (let i = 0; i < 50; i++) {
    const start = performance.now();
    for (let k = 0; k < 1000; k++) await append(false)();
    await journal.flush();
    latencies.push(...Array.from({ length: 1000 }, () => (performance.now() - start) / 1000));
  }
  report('not durable, flushed every 1000', latencies, performance.now() - begin);
}

console.log(`${''.padEnd(44)}${'records/s'.padStart(12)}${'p50'.padStart(12)}${'p99'.padStart(12)}`);
const bare = await open(join(directory, 'bare'), 'a', 0o600);
const bytes = Buffer.alloc(1000, 'x');
await measure('bare write + fdatasync, 1 at a time', 1, async () => {
  await bare.write(bytes);
  await bare.datasync();
});
await bare.close();
const journal = await openJournal({ directory, clock: systemJournalClock });
await appends(journal);
const { sequence } = journal.health();
await journal.close();

const size = statSync(join(directory, 'journal-000001.jsonl')).size;
console.log(`\n${sequence.toLocaleString('en')} records, ${(size / 2 ** 20).toFixed(0)} MiB`);
async function timed(label: string, work: () => Promise<unknown>): Promise<void> {
  const start = performance.now();
  await work();
  const ms = performance.now() - start;
  const rate = Math.round((sequence * 1000) / ms).toLocaleString('en');
  console.log(`${label.padEnd(44)}${`${ms.toFixed(1)} ms`.padStart(12)}${rate.padStart(14)} records/s`);
}
await timed('open', async () => (await openJournal({ directory, clock: systemJournalClock })).close());
await timed('verify', () => verifyJournal(directory));
await timed('show one request', () => showRequest(directory, body(1).requestId));
await timed('last 20 records', async () => {
  for await (const record of readJournal(directory, { tail: 20 })) void record;
});
rmSync(directory, { recursive: true });
