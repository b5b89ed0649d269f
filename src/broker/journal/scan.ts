import { JournalError } from './errors.ts';
import type { JournalFile } from './file-system.ts';
import { type ChainHead, emptyChain, parseLine } from './line.ts';
import { type RawLine, readLines } from './line-reader.ts';
import { OpenIntents } from './open-intents.ts';

const NEWLINE = Uint8Array.of(0x0a);

/** What is at the end of a journal. */
export interface Tail {
  readonly head: ChainHead;
  /** End of the last good record, in bytes. */
  readonly offset: number;
  readonly records: number;
  /** The last good line with its newline, empty when there is none. */
  readonly lastLine: Uint8Array;
  readonly intents: OpenIntents;
  /** Switches that records name. */
  readonly switches: ReadonlySet<string>;
  /** Present when the last line is not a whole record: how many bytes of it there are. */
  readonly torn?: { readonly bytes: number; readonly why: string };
}

/**
 * Reads a segment from the beginning, record by record, and checks the chain. Memory does not grow with the file.
 * Only the last line may be bad: that is what a crash leaves.
 * @throws JournalError `damaged`, with the position
 */
export async function scanSegment(file: JournalFile, name: string): Promise<Tail> {
  let head = emptyChain;
  let offset = 0;
  let records = 0;
  let lastLine: Uint8Array = new Uint8Array(0);
  let bad: { readonly line: RawLine; readonly why: string } | undefined;
  const intents = new OpenIntents();
  const switches = new Set<string>();
  for await (const batch of readLines(file)) {
    for (const line of batch) {
      if (bad !== undefined) throw damaged(name, records, bad.line.offset, head, bad.why);
      const parsed = parseLine(line.bytes);
      const why = !line.terminated ? 'it has no end' : problem(parsed, head);
      if (why !== undefined || !parsed.ok) {
        bad = { line, why: why ?? '' };
        continue;
      }
      const { record } = parsed;
      head = { sequence: record.seq, hash: record.hash };
      offset = line.offset + line.length + 1;
      records += 1;
      intents.note(record);
      if ('switch' in record && typeof record.switch === 'string') switches.add(record.switch);
    }
    const last = batch.findLast((line) => line.offset + line.length + 1 === offset);
    if (last !== undefined) lastLine = Buffer.concat([last.bytes, NEWLINE]);
  }
  const torn = bad === undefined ? {} : { torn: { bytes: tornBytes(bad.line), why: bad.why } };
  return { head, offset, records, lastLine, intents, switches, ...torn };
}

function tornBytes(line: RawLine): number {
  return line.length + (line.terminated ? 1 : 0);
}

function problem(parsed: ReturnType<typeof parseLine>, head: ChainHead): string | undefined {
  if (!parsed.ok) return parsed.why;
  if (!parsed.intact) return 'its content does not fit its hash';
  if (parsed.record.seq !== head.sequence + 1) {
    return `its sequence is ${parsed.record.seq} where ${head.sequence + 1} should be`;
  }
  return parsed.record.prev === head.hash ? undefined : 'it does not follow from the record before';
}

function damaged(file: string, records: number, offset: number, head: ChainHead, why: string): JournalError {
  const position = { file, line: records + 1, offset, afterSequence: head.sequence };
  return new JournalError(
    'damaged',
    `journal \`${file}\` is damaged at line ${position.line} (byte ${offset}, after sequence ${head.sequence}): ${why}`,
    { position },
  );
}
