/**
 * Cost of the audit journal: `node bench/journal.ts [--quick] [--print] [DIRECTORY]`. Making records without a disk;
 * durable appends at several concurrencies, beside a bare write and fdatasync on the same disk in the same run; then
 * opening, verifying and searching a journal of a million records. The directory decides which disk is measured
 * (default: the temporary directory).
 */
import { hash } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type DecisionRecord,
  type Journal,
  newSigningKey,
  openJournal,
  readJournal,
  showRequest,
  signerOf,
  systemJournalClock,
  verifyJournal,
} from '../src/broker/journal/index.ts';
import { report, table } from './report.ts';

const isQuick = process.argv.includes('--quick');
const RUN_MS = isQuick ? 300 : 1500;
const RECORDS = isQuick ? 100_000 : 1_000_000;
const place = process.argv.slice(2).find((word) => !word.startsWith('--')) ?? tmpdir();
const directory = mkdtempSync(join(place, 'cci-bench-'));
const signer = signerOf(newSigningKey());

/** A record of the size that a bind of one tenant has. */
function body(number: number): DecisionRecord {
  return {
    requestId: `0192f3a0-7d4e-7c11-9a55-${number.toString(16).padStart(12, '0')}`,
    source: '127.0.0.1:53122',
    switch: 'sw0',
    principal: 'user:https://issuer.example#alice',
    tenant: 'acme',
    tokenId: 'f7c1c2de-1d0a-4f0e-a5a5-0d6f6a3c9b11',
    groups: ['group:https://issuer.example#operators'],
    scopes: ['cci:read', 'cci:config'],
    path: '',
    opcode: 0x5201,
    command: 'bind-vppb',
    class: 'audited',
    scope: 0,
    reach: 'own',
    touched: ['/switches/sw0/vcss/0/vppbs/3', '/switches/sw0/ports/5/lds/1'],
    tenants: ['acme'],
    conditions: ['mutating'],
    activeTaint: [],
    verdict: 'allow',
    rule: 'tenants/acme.csv:23',
    grants: ['/switches/sw0/vcss/0/vppbs/3', '/switches/sw0/ports/5/lds/1'].map((resource) => ({
      resource,
      allowed: true,
      rule: 'p, role:operator, acme, own, bind-vppb, allow',
      source: 'tenants/acme.csv:23',
    })),
    reasons: [],
    fields: { vcs_id: 0, vppb_id: 3, physical_port_id: 5, ld_id: 1 },
    payloadDigest: 'b'.repeat(64),
    payloadBytes: 6,
    snapshot: 'a'.repeat(64),
    topology: 3,
    posture: { version: 3, lockdown: 'none', taint: '-', profile: 'host', underLockdown: 'allow' },
    flags: [],
    returnCodes: [0],
    durationMs: 0.512,
    queueMs: 0.1,
    deviceMs: 0.04,
  };
}

function quantile(sorted: readonly number[], part: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}

/** Runs `lanes` loops of one operation side by side; gives a row. */
async function measure(label: string, lanes: number, operation: () => Promise<unknown>) {
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
  const perSecond = Math.round((latencies.length * 1000) / (performance.now() - begin));
  latencies.sort((left, right) => left - right);
  return [label, perSecond, quantile(latencies, 0.5) * 1000, quantile(latencies, 0.99) * 1000] as const;
}

/** Microseconds of one call. */
function cost(work: () => unknown): number {
  const times = isQuick ? 20_000 : 200_000;
  for (let i = 0; i < times / 10; i++) work();
  const begin = performance.now();
  for (let i = 0; i < times; i++) work();
  return ((performance.now() - begin) * 1000) / times;
}

async function timed(label: string, records: number, work: () => Promise<unknown>) {
  const begin = performance.now();
  await work();
  const ms = performance.now() - begin;
  return [label, Math.round(ms * 10) / 10, Math.round((records * 1000) / ms)] as const;
}

const one = body(1);
const text = JSON.stringify(one);
const bytes = Buffer.from(text);
const costs = [
  ['a record of so many bytes', bytes.length],
  ['JSON, us', cost(() => JSON.stringify(one))],
  ['SHA-256, us', cost(() => hash('sha256', text))],
  ['Ed25519 signature of a checkpoint, us', cost(() => signer.sign(bytes))],
] as const;

const bare = await open(join(directory, 'bare'), 'a', 0o600);
const rows = [
  await measure('bare write + fdatasync of 1000 bytes', 1, async () => {
    await bare.write(bytes.subarray(0, 1000));
    await bare.datasync();
  }),
];
await bare.close();

const options = { directory: join(directory, 'journal'), clock: systemJournalClock, signer };
const journal: Journal = await openJournal(options);
let number = 0;
const append = (durable: boolean) => () => journal.append('decision', body(number++), { durable });
for (const lanes of [1, 8, 32, 128, 512]) {
  rows.push(await measure(`durable append, ${lanes} at a time`, lanes, append(true)));
}
const filled = await timed('not durable, flushed every 1000, to fill the journal', RECORDS, async () => {
  const begin = number;
  while (number < begin + RECORDS) {
    for (let k = 0; k < 1000; k++) void append(false)();
    await journal.flush();
  }
});
const { sequence } = journal.health();
await journal.close();

const names = readdirSync(options.directory).filter((name) => name.endsWith('.jsonl'));
const size = names.reduce((sum, name) => sum + statSync(join(options.directory, name)).size, 0);
const whole = [
  filled,
  await timed('open: what is after the last checkpoint', sequence, async () => (await openJournal(options)).close()),
  await timed('verify: every record and every signature', sequence, async () => {
    const { intact } = await verifyJournal(options.directory, { keys: [signer.publicKey] });
    if (!intact) throw new Error('the journal does not verify');
  }),
  await timed('find one request', sequence, () => showRequest(options.directory, one.requestId)),
  await timed('last 20 records', 20, async () => {
    for await (const record of readJournal(options.directory, { tail: 20 })) void record;
  }),
] as const;
rmSync(directory, { recursive: true });

report('Journal', [
  '`node bench/journal.ts`: records of the size that a bind has, with the chain, checkpoints and segments of 64 MiB.',
  '',
  ...table(['what', 'each'], costs),
  '',
  ...table(['append', 'records /s', 'p50 us', 'p99 us'], rows),
  '',
  `A journal of ${sequence.toLocaleString('en')} records in ${names.length} segments, ${Math.round(size / 2 ** 20)} MiB:`,
  '',
  ...table(['what', 'ms', 'records /s'], whole),
]);
