import { open, stat } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { asCheckpoint, type Checkpoint, isSignedBy } from './checkpoint.ts';
import { asJournalError, JournalError } from './errors.ts';
import type { CheckpointKey } from './key.ts';
import { parseLine } from './line.ts';
import type { Tail } from './scan.ts';

/** What a file that was kept elsewhere says about how far a journal once reached. */
export interface WitnessReading {
  readonly newest: Checkpoint | undefined;
  /** Checkpoints in it that count. */
  readonly checkpoints: number;
  /** Those that were not signed by the keys that were given: they do not count. */
  readonly unsigned: number;
}

/** A checkpoint line, as it is or inside a string of JSON (as OTLP collectors write it). */
const PLAIN = /\{"v":1,"seq":\d+,"at":"[^"]*","mono":[\d.]+,"kind":"checkpoint",.*?,"hash":"[0-9a-f]{64}"\}/g;
const QUOTED =
  /\{\\"v\\":1,\\"seq\\":\d+,\\"at\\":\\"[^"]*\\",\\"mono\\":[\d.]+,\\"kind\\":\\"checkpoint\\",.*?,\\"hash\\":\\"[0-9a-f]{64}\\"\}/g;

/**
 * Finds the newest checkpoint in a file: a witness of the broker, a segment, or what a sink has written, with anything
 * around the records.
 *
 * @param keys keys that count; without any, signatures are not looked at
 * @throws JournalError `io`
 */
export async function readWitness(path: string, keys: readonly CheckpointKey[]): Promise<WitnessReading> {
  let newest: Checkpoint | undefined;
  let checkpoints = 0;
  let unsigned = 0;
  try {
    const file = await open(path, 'r');
    try {
      for await (const line of createInterface({ input: file.createReadStream({ autoClose: false }) })) {
        for (const text of checkpointTexts(line)) {
          const checkpoint = checkpointOf(text, keys);
          if (checkpoint === undefined) unsigned += 1;
          else {
            checkpoints += 1;
            if (newest === undefined || checkpoint.seq > newest.seq) newest = checkpoint;
          }
        }
      }
    } finally {
      await file.close();
    }
  } catch (error) {
    throw asJournalError(error, `witness \`${path}\` can't be read`);
  }
  return { newest, checkpoints, unsigned };
}

/**
 * Holds the end of a journal against a witness of it, at the start of a broker. A witness that does not exist yet says
 * nothing. Its signatures are not looked at: whoever could forge it could as well remove it.
 * @throws JournalError `truncated` or `replaced`; `io`
 */
export async function holdAgainst(path: string, tail: Tail): Promise<void> {
  if ((await stat(path).catch(() => undefined)) === undefined) return;
  const { newest } = await readWitness(path, []);
  if (newest === undefined) return;
  const { head, journal } = tail.chain;
  const mend = 'look into it; to go on with this journal all the same, move the witness elsewhere';
  if (journal !== undefined && newest.journal !== journal) {
    throw new JournalError(
      'replaced',
      `witness \`${path}\` tells of another journal than the one that is here: ${mend}`,
    );
  }
  const differs = newest.seq === head.sequence && newest.hash !== head.hash;
  if (newest.seq > head.sequence || differs) {
    const has = differs ? 'another record there' : `${head.sequence}`;
    throw new JournalError(
      'truncated',
      `the journal reached to sequence ${newest.seq} at ${newest.at}, says witness \`${path}\`, and has ${has}: ${mend}`,
    );
  }
}

function* checkpointTexts(line: string): Generator<string> {
  // A look that costs nothing, for the many lines that are other records.
  if (!line.includes('checkpoint')) return;
  for (const [text] of line.matchAll(PLAIN)) yield text;
  for (const [text] of line.matchAll(QUOTED)) {
    const plain: unknown = parsed(`"${text}"`);
    if (typeof plain === 'string') yield plain;
  }
}

function checkpointOf(text: string, keys: readonly CheckpointKey[]): Checkpoint | undefined {
  const bytes = Buffer.from(text);
  const line = parseLine(bytes);
  if (!line.ok || !line.intact) return undefined;
  const checkpoint = asCheckpoint(line.record);
  if (checkpoint === undefined) return undefined;
  const key = keys.find(({ keyId }) => keyId === checkpoint.key);
  if (keys.length > 0 && (key === undefined || !isSignedBy(bytes, checkpoint, key))) return undefined;
  return checkpoint;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
