import type { KeyObject } from 'node:crypto';
import { hostJournalFileSystem, readLines } from '../journal/index.ts';
import type { CastHeader } from './cast.ts';
import { RecordingError } from './contract.ts';
import { keyIdOf, recordingPrivateKey } from './key.ts';
import { ENVELOPE_TYPE } from './seal.ts';

/** One event of a recording. */
export interface CastEvent {
  /** Milliseconds from the beginning. */
  readonly elapsedMs: number;
  /** Output, input, a new size, a marker of the broker. */
  readonly code: 'o' | 'i' | 'r' | 'm';
  /** For output and input what stands for the bytes. */
  readonly text: string;
  /** Of output and input, exactly as they were; empty for the others. */
  readonly bytes: Uint8Array;
}

/** What a file of a recording is, as far as its beginning tells. */
export interface OpenRecording {
  readonly header: CastHeader;
  readonly isEncrypted: boolean;
  /**
   * All events, once. Ends with `isComplete` true where the recording says that it is whole.
   * @throws RecordingError where the file is damaged, with the second up to which it could be read
   */
  events(): AsyncGenerator<CastEvent, { readonly isComplete: boolean }>;
}

/**
 * Opens a recording to look at it, plain or encrypted. Whether it is as it was written is for the journal to tell
 * (`verifyJournal`).
 * @throws RecordingError: not a recording, encrypted and no key, encrypted to another key
 */
export async function readRecording(path: string, privateKey?: string): Promise<OpenRecording> {
  const lines = plainLines(path, privateKey === undefined ? undefined : recordingPrivateKey(privateKey));
  const first = await lines.next();
  if (first.done === true) throw new RecordingError(`\`${path}\` is empty`);
  const header = headerOf(first.value.text);
  if (header === undefined) {
    await lines.return({ isEnded: false });
    throw new RecordingError(`\`${path}\` is no recording of a console`);
  }
  return { header, isEncrypted: first.value.isEncrypted, events: () => eventsOf(lines) };
}

interface PlainLine {
  readonly text: string;
  readonly isEncrypted: boolean;
}

async function* eventsOf(
  lines: AsyncGenerator<PlainLine, { readonly isEnded: boolean }>,
): AsyncGenerator<CastEvent, { readonly isComplete: boolean }> {
  try {
    return yield* parsedEvents(lines);
  } finally {
    await lines.return({ isEnded: false });
  }
}

async function* parsedEvents(
  lines: AsyncGenerator<PlainLine, { readonly isEnded: boolean }>,
): AsyncGenerator<CastEvent, { readonly isComplete: boolean }> {
  let exact: Uint8Array | undefined;
  let isComplete = false;
  let elapsedMs = 0;
  const cut = new Map<string, Uint8Array>();
  for (;;) {
    const next = await lines.next().catch((error: unknown): never => {
      const why = error instanceof Error ? error.message : String(error);
      throw new RecordingError(`${why}; it can be read up to second ${(elapsedMs / 1000).toFixed(1)}`, {
        cause: error,
      });
    });
    if (next.done === true) {
      for (const [code, bytes] of cut) yield eventOf(code === 'i' ? 'i' : 'o', elapsedMs, '\ufffd', bytes);
      return { isComplete: isComplete && next.value.isEnded };
    }
    const event = parsedEvent(next.value.text);
    if (event === undefined) {
      const second = (elapsedMs / 1000).toFixed(1);
      throw new RecordingError(`a line of the recording is no event; it can be read up to second ${second}`);
    }
    elapsedMs = Math.max(elapsedMs, event.elapsedMs);
    const { code, data } = event;
    if (code === 'b') exact = Buffer.from(data, 'base64');
    else if (code === 'p') cut.set(data.slice(0, 1), Buffer.from(data.slice(2), 'base64'));
    else if (code === 'x') isComplete = true;
    else if (code === 'o' || code === 'i') {
      cut.delete(code);
      yield eventOf(code, elapsedMs, data, exact ?? Buffer.from(data));
      exact = undefined;
    } else if (code === 'r' || code === 'm') yield eventOf(code, elapsedMs, data, new Uint8Array(0));
  }
}

function eventOf(code: CastEvent['code'], elapsedMs: number, text: string, bytes: Uint8Array): CastEvent {
  return { elapsedMs, code, text, bytes };
}

/** Lines of the asciicast, whatever they are wrapped in. */
async function* plainLines(
  path: string,
  key: KeyObject | undefined,
): AsyncGenerator<PlainLine, { readonly isEnded: boolean }> {
  const raw = rawLines(path);
  try {
    return yield* unwrapped(path, raw, key);
  } finally {
    // However the reading ends: a file that nobody closes ends the process when it is collected.
    await raw.return(undefined);
  }
}

async function* unwrapped(
  path: string,
  raw: AsyncGenerator<string>,
  key: KeyObject | undefined,
): AsyncGenerator<PlainLine, { readonly isEnded: boolean }> {
  const first = await raw.next();
  if (first.done === true) return { isEnded: false };
  if (first.value.startsWith('{')) {
    yield { text: first.value, isEncrypted: false };
    for await (const text of raw) yield { text, isEncrypted: false };
    return { isEnded: true };
  }
  const { openEnvelope, openBlock } = await import('./unseal.ts');
  if (!first.value.startsWith('ey')) throw new RecordingError(`\`${path}\` is no recording of a console`);
  if (key === undefined) {
    throw new RecordingError(`\`${path}\` is encrypted: it opens with the private key of recordings alone`);
  }
  const envelope = await openEnvelope(first.value, key, ENVELOPE_TYPE, keyIdOf(key));
  let seq = 0;
  let isEnded = false;
  for await (const line of raw) {
    if (isEnded) throw new RecordingError('something stands after the last block of the recording');
    const block = await openBlock(line, envelope, seq);
    seq += 1;
    isEnded = block.isLast;
    for (const text of block.text.split('\n')) if (text !== '') yield { text, isEncrypted: true };
  }
  return { isEnded };
}

/** Whole lines of the file. What follows the last line end was never finished, by a crash or a copy, and is left out. */
async function* rawLines(path: string): AsyncGenerator<string> {
  const file = await hostJournalFileSystem.open(path, 'read').catch((error: unknown): never => {
    const why = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    throw new RecordingError(`the recording \`${path}\` can not be read (${why})`, { cause: error });
  });
  try {
    for await (const batch of readLines(file)) {
      for (const line of batch) if (line.terminated) yield Buffer.from(line.bytes).toString();
    }
  } finally {
    await file.close();
  }
}

function parsedEvent(
  line: string,
): { readonly elapsedMs: number; readonly code: string; readonly data: string } | undefined {
  const event = parsed(line);
  if (!Array.isArray(event)) return undefined;
  const [seconds, code, data]: readonly unknown[] = event;
  const isSound =
    typeof seconds === 'number' &&
    seconds >= 0 &&
    seconds < 1e9 &&
    typeof code === 'string' &&
    typeof data === 'string';
  return isSound ? { elapsedMs: Math.round(seconds * 1000), code, data } : undefined;
}

/** Beyond that there is no date. */
const MOST_SECONDS = 8.64e12;

/** The header; of a recording made by another program only its size counts. */
function headerOf(line: string): CastHeader | undefined {
  const header = parsed(line);
  if (typeof header !== 'object' || header === null) return undefined;
  const fields: Partial<Record<string, unknown>> = { ...header };
  const { version, width, height, timestamp, title } = fields;
  if (version !== 2 || !isSize(width) || !isSize(height)) return undefined;
  const own: Partial<Record<string, unknown>> = typeof fields.cci === 'object' ? { ...fields.cci } : {};
  const word = (value: unknown): string => (typeof value === 'string' ? value : '');
  return {
    version,
    width,
    height,
    timestamp: typeof timestamp === 'number' && Math.abs(timestamp) <= MOST_SECONDS ? timestamp : 0,
    title: word(title),
    env: { TERM: 'xterm-256color' },
    cci: {
      session: word(own.session),
      switch: word(own.switch),
      program: word(own.program),
      principal: word(own.principal),
    },
  };
}

function isSize(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0 && value <= 10_000;
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
