import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import {
  type IntentRecord,
  type Journal,
  type JournalOptions,
  newSigningKey,
  openJournal,
  signerOf,
} from '../../../src/broker/journal/index.ts';
import { MemoryFileSystem } from './memory-file-system.ts';

export const FILE = 'journal-000001.jsonl';
export const DIRECTORY = '/state/journal';
export const PATH = join(DIRECTORY, FILE);

/** A directory that goes away with the test. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'journal-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** Time that stands at a moment and moves one millisecond with each look. */
export function testClock() {
  let time = 0;
  return { now: () => Date.UTC(2026, 0, 1) + ++time, monotonic: () => time };
}

export function intent(requestId: string, more: Partial<IntentRecord> = {}): IntentRecord {
  return { requestId, verdict: 'allow', switch: 'sw0', tenant: 'acme', principal: 'user:local#alice', ...more };
}

/** A journal on a disk in memory. It never recovers on its own within a test. */
export async function openInMemory(
  fileSystem: MemoryFileSystem = new MemoryFileSystem(),
  more: Partial<JournalOptions> = {},
): Promise<{ journal: Journal; fileSystem: MemoryFileSystem }> {
  const journal = await openOn(fileSystem, more);
  onTestFinished(() => journal.close().catch(() => undefined));
  return { journal, fileSystem };
}

/** The same outside of a test: whoever opens it closes it. */
export async function openOn(fileSystem: MemoryFileSystem, more: Partial<JournalOptions> = {}): Promise<Journal> {
  return openJournal({
    directory: DIRECTORY,
    clock: testClock(),
    fileSystem,
    lock: async () => ({ release: () => undefined }),
    retryAfterMs: 1_000_000,
    checkEveryMs: 1_000_000,
    aheadBytes: 0,
    ...more,
  });
}

/** The whole of an independent verifier, as `docs/journal.md` describes it. Throws where the chain breaks. */
export function check(text: string): { seq: number; kind: string; requestId?: string; [name: string]: unknown }[] {
  const lines = text.split('\n');
  if (lines.pop() !== '') throw new Error('the last line is incomplete');
  let prev = '0'.repeat(64);
  return lines.map((line, index) => {
    const record = JSON.parse(line);
    const hashed = line.slice(0, line.lastIndexOf(',"hash":'));
    const hash = createHash('sha256').update(hashed).digest('hex');
    if (record.hash !== hash || record.prev !== prev || record.seq !== index + 1) throw new Error(`line ${index + 1}`);
    prev = hash;
    return record;
  });
}

/** The key that signs in tests. */
export const signer = signerOf(newSigningKey());

/** Segments small enough for a handful of records to fill them. */
export const SMALL = { signer, segmentBytes: 1500, checkpointAfterMs: 1_000_000 } as const;

export function segmentNames(fileSystem: MemoryFileSystem): string[] {
  return fileSystem.names().filter((name) => /^journal-\d+\.jsonl$/.test(name));
}

/** All segments as one chain, held against the independent verifier. */
export function checkAll(fileSystem: MemoryFileSystem) {
  return check(
    segmentNames(fileSystem)
      .map((name) => fileSystem.text(join(DIRECTORY, name)))
      .join(''),
  );
}
