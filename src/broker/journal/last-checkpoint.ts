import { asCheckpoint, type Checkpoint, mustBeSigned } from './checkpoint.ts';
import type { JournalFile, JournalFileSystem } from './file-system.ts';
import type { CheckpointKey } from './key.ts';
import { parseLine } from './line.ts';
import { readLines, readLinesBackwards } from './line-reader.ts';
import { OpenIntents } from './open-intents.ts';
import type { ScanStart } from './scan.ts';
import type { SegmentRef } from './segment-names.ts';

const NEWLINE = Uint8Array.of(0x0a);

/**
 * The newest checkpoint of our key, as the place from which on a journal has to be read: everything before it is vouched
 * for by the signature. Undefined when there is none.
 * @throws JournalError `damaged` for one that claims our key and is not signed by it
 */
export async function lastCheckpoint(
  fileSystem: JournalFileSystem,
  segments: readonly SegmentRef[],
  key: CheckpointKey,
): Promise<ScanStart | undefined> {
  for (const segment of segments.toReversed()) {
    const file = await fileSystem.open(segment.path, 'read');
    try {
      const { size } = await file.identity();
      for await (const { bytes, end } of readLinesBackwards(file, size)) {
        const checkpoint = checkpointOf(bytes, key.keyId);
        if (checkpoint === undefined) continue;
        mustBeSigned(bytes, checkpoint, key, segment);
        return await startAfter(checkpoint, segment, file, bytes, end);
      }
    } finally {
      await file.close();
    }
  }
  return undefined;
}

async function startAfter(
  checkpoint: Checkpoint,
  segment: SegmentRef,
  file: JournalFile,
  line: Uint8Array,
  end: number,
): Promise<ScanStart> {
  const { seq: sequence, hash, journal, open, switches } = checkpoint;
  return {
    segment,
    offset: end,
    chain: {
      head: { sequence, hash },
      journal,
      unsigned: 0,
      segment: segment.number,
      segmentBytes: end,
      segmentSinceMs: (await timeOfFirst(file)) ?? Date.parse(checkpoint.at),
    },
    lastLine: Buffer.concat([line, NEWLINE]),
    intents: OpenIntents.of(open),
    switches,
  };
}

function checkpointOf(bytes: Uint8Array, keyId: string): Checkpoint | undefined {
  // Looked for in the bytes first: there may be thousands of records after it.
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (!text.includes('"kind":"checkpoint"')) return undefined;
  const parsed = parseLine(bytes);
  // One that was changed is found when the lines are read from an older one on.
  if (!parsed.ok || !parsed.intact) return undefined;
  const checkpoint = asCheckpoint(parsed.record);
  return checkpoint?.key === keyId ? checkpoint : undefined;
}

async function timeOfFirst(file: JournalFile): Promise<number | undefined> {
  for await (const [line] of readLines(file, { chunkBytes: 64 << 10 })) {
    const parsed = line === undefined ? undefined : parseLine(line.bytes, false);
    return parsed?.ok === true ? Date.parse(parsed.record.at) : undefined;
  }
  return undefined;
}
