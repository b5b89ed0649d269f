import { hash } from 'node:crypto';
import type { Journal, JournalOptions } from '../../src/broker/journal/index.ts';
import { openJournal } from '../../src/broker/journal/index.ts';
import { MemoryFileSystem } from '../../test/broker/journal/memory-file-system.ts';
import { Input } from './input.ts';
import { DIRECTORY, fixedSigner, type Segments, segmentsIn } from './memory-journal.ts';

export const signer = fixedSigner();

/** Opens a journal in memory that does nothing on its own. */
export function openOn(fileSystem: MemoryFileSystem, more: Partial<JournalOptions> = {}): Promise<Journal> {
  let time = 0;
  return openJournal({
    directory: DIRECTORY,
    clock: { now: () => Date.UTC(2026, 0, 1) + ++time, monotonic: () => time },
    fileSystem,
    lock: async () => ({ release: () => undefined }),
    retryAfterMs: 1_000_000,
    checkEveryMs: 1_000_000,
    checkpointAfterMs: 1_000_000,
    flushAfterMs: 1_000_000,
    checkpointRecords: 4,
    segmentBytes: 1500,
    signer,
    ...more,
  });
}

/** A journal of several segments, the last records of which no checkpoint covers. */
export async function originalJournal(): Promise<Segments> {
  const fileSystem = new MemoryFileSystem();
  const journal = await openOn(fileSystem);
  for (let i = 0; i < 14; i++) {
    const requestId = `r${i}`;
    const base = { requestId, switch: 'sw0', tenant: 'acme', principal: 'user:local#alice' } as const;
    await journal.append('intent', { ...base, verdict: 'allow' }, { durable: true });
    if (i % 3 !== 0) await journal.append('outcome', { ...base, outcome: 'done' }, { durable: true });
  }
  // As a power cut leaves it: nothing is written at the end.
  const segments = segmentsIn(fileSystem);
  await journal.close();
  return segments;
}

/** Applies the edits that an input stands for, one after the other. */
export function edited(original: Segments, bytes: Uint8Array): Segments {
  const segments = new Map(original);
  const input = new Input(bytes);
  for (let left = 1 + (input.byte() % 4); left > 0; left--) edit(segments, input);
  return segments;
}

function edit(segments: Map<string, Buffer>, input: Input): Map<string, Buffer> {
  const names = [...segments.keys()];
  const kind = input.byte();
  const name = names[input.byte() % Math.max(1, names.length)] ?? '';
  const content = segments.get(name) ?? Buffer.alloc(0);
  const at = content.length === 0 ? 0 : input.word() % content.length;
  const put = (changed: Buffer): Map<string, Buffer> => segments.set(name, changed);
  switch (kind % 11) {
    case 0: {
      const copy = Buffer.from(content);
      copy[at] = (copy[at] ?? 0) ^ (1 + (input.byte() % 255));
      return put(copy);
    }
    case 1:
      return put(content.subarray(0, at));
    case 2:
      return put(Buffer.concat([content.subarray(0, at), content.subarray(at + input.byte())]));
    case 3:
      return put(Buffer.concat([content.subarray(0, at), input.take(input.byte()), content.subarray(at)]));
    case 4:
      return put(Buffer.concat([content, input.take(input.byte())]));
    case 5:
      segments.delete(name);
      return segments;
    case 6: {
      const other = names[input.byte() % Math.max(1, names.length)] ?? name;
      put(segments.get(other) ?? content);
      return segments.set(other, content);
    }
    default:
      return put(Buffer.from(editedLines(content.toString('latin1').split('\n'), kind, input).join('\n'), 'latin1'));
  }
}

function editedLines(lines: string[], kind: number, input: Input): readonly string[] {
  const from = input.byte() % lines.length;
  const to = input.byte() % lines.length;
  const line = lines[from] ?? '';
  switch (kind % 11) {
    case 7:
      lines.splice(from, 1);
      return lines;
    case 8:
      lines.splice(to, 0, line);
      return lines;
    case 9:
      lines[from] = lines[to] ?? '';
      lines[to] = line;
      return lines;
    default:
      // Somebody who knows the format, and has not the key: content is changed and the chain made to fit again.
      lines[from] = line.replace('acme', input.byte() & 1 ? 'glob' : 'acmf').replace('alice', 'mallo');
      return rechained(lines, from);
  }
}

function rechained(lines: readonly string[], from: number): readonly string[] {
  let prev: string | undefined;
  return lines.map((line, index) => {
    if (line === '') return line;
    const fitted = prev === undefined || index < from ? line : line.replace(/"prev":"[\da-f]{64}"/, `"prev":"${prev}"`);
    const body = fitted.slice(0, fitted.lastIndexOf(',"hash":'));
    prev = hash('sha256', Buffer.from(body, 'latin1'));
    return index < from ? line : `${body},"hash":"${prev}"}`;
  });
}

/** Lines of a segment that are whole and follow from each other from the first record on: how many bytes they take. */
export function goodBytes(content: Buffer, before: { hash: string; sequence: number }): number {
  let end = 0;
  for (let at = 0; at < content.length; ) {
    const newline = content.indexOf(0x0a, at);
    if (newline === -1) break;
    const line = content.toString('latin1', at, newline);
    const match = /^(.*),"hash":"([\da-f]{64})"\}$/.exec(line);
    const parts = /^\{"v":1,"seq":(\d+),.*"prev":"([\da-f]{64})"(?:,"signature":"[\w-]+")?$/.exec(match?.[1] ?? '');
    if (match === null || parts === null) break;
    const digest = hash('sha256', Buffer.from(match[1] ?? '', 'latin1'));
    if (digest !== match[2] || parts[2] !== before.hash || Number(parts[1]) !== before.sequence + 1) break;
    before.hash = digest;
    before.sequence++;
    at = newline + 1;
    end = at;
  }
  return end;
}
