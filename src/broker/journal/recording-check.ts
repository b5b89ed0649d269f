import { createHash } from 'node:crypto';
import { basename, join } from 'node:path';
import type { Place } from './chain-check.ts';
import type { JournalFile, JournalFileSystem } from './file-system.ts';
import type { ConsoleRecord, JournalRecord } from './records.ts';

/**
 * - `recording-changed`: bytes of it are not those that the journal has the digest of
 * - `recording-cut`: it ends before the journal says
 * - `recording-extended`: something was put behind its end
 * - `recording-missing`: the journal names it, and it is not there
 * - `recording-unknown`: it is there, and the journal does not name it
 */
export type RecordingProblemKind =
  | 'recording-changed'
  | 'recording-cut'
  | 'recording-extended'
  | 'recording-missing'
  | 'recording-unknown';

export interface RecordingProblem extends Place {
  readonly kind: RecordingProblemKind;
  /** Sequence of the record that tells; absent for `recording-unknown`. */
  readonly sequence?: number;
  readonly text: string;
}

/**
 * - `whole`: complete, and as it was written
 * - `running`: as it was written so far; its end is not in the journal
 * - `unfinished`: the same, and nothing more will come: the session was closed without it, or the broker started anew
 * - `damaged`: see the problems
 */
export interface RecordingVerdict {
  readonly file: string;
  readonly session?: string;
  readonly state: 'whole' | 'running' | 'unfinished' | 'damaged';
  /** Milliseconds of the recording, from its beginning, that are as they were written. */
  readonly trustedMs: number;
  /** When that was, by the clock of the journal, ISO 8601; absent when nothing is. */
  readonly trustedAt?: string;
  /** Bytes of the file that these are. */
  readonly trustedBytes: number;
  /** Bytes behind them that the journal says nothing about; of one that is damaged not counted. */
  readonly unlinkedBytes: number;
}

type Link = NonNullable<ConsoleRecord['recording']>;

interface Followed {
  readonly session: string | undefined;
  readonly place: Place;
  readonly sequence: number;
  readonly digest: ReturnType<typeof createHash>;
  bytes: number;
  elapsedMs: number;
  at: string | undefined;
  state: RecordingVerdict['state'];
  isFinal: boolean;
}

/** Names of files that are recordings. */
const NAME = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\.cast(?:\.jwe)?$/;
const CHUNK = 1 << 20;

/**
 * Holds recordings against the links to them in the journal, while the journal is walked. Encrypted ones need no key:
 * what is linked is the file as it stands. Memory does not grow with recordings.
 */
export class RecordingCheck {
  readonly #directory: string;
  readonly #fileSystem: JournalFileSystem;
  readonly #limit: number;
  readonly #followed = new Map<string, Followed>();
  readonly #problems: RecordingProblem[] = [];
  #count = 0;

  constructor(directory: string, fileSystem: JournalFileSystem, limit: number) {
    this.#directory = directory;
    this.#fileSystem = fileSystem;
    this.#limit = limit;
  }

  /** Takes the next sound record. @throws the error of the file system, but for a file that is not there */
  async take(place: Place, record: JournalRecord): Promise<void> {
    if (record.kind === 'start') {
      for (const one of this.#followed.values()) if (one.state === 'running') one.state = 'unfinished';
    }
    if (record.kind === 'console' && record.change === 'closed') this.#closed(record.session);
    const link = linkOf(record);
    if (link === undefined) return;
    const followed = this.#follow(link, place, record);
    if (followed.state === 'damaged') return;
    const before = { bytes: followed.bytes, elapsedMs: followed.elapsedMs };
    const file = await this.#open(link.file);
    if (file === undefined) {
      this.#damaged(followed, 'recording-missing', place, record.seq, `recording ${link.file} is not there`);
      return;
    }
    try {
      await this.#hold(file, followed, link, { place, record, before });
    } finally {
      await file.close();
    }
  }

  /** A session that is over while its recording has no end: it could not be written any more. */
  #closed(session: string | undefined): void {
    for (const one of this.#followed.values()) {
      if (session !== undefined && one.session === session && one.state === 'running') one.state = 'unfinished';
    }
  }

  async #hold(
    file: JournalFile,
    followed: Followed,
    link: Link,
    {
      place,
      record,
      before,
    }: { readonly place: Place; readonly record: JournalRecord; readonly before: { bytes: number; elapsedMs: number } },
  ): Promise<void> {
    const since =
      before.bytes === 0
        ? 'from its beginning on'
        : `from second ${seconds(before.elapsedMs)} (byte ${before.bytes}) on`;
    if (link.bytes < before.bytes || followed.isFinal) {
      const text = `recording ${link.file} has two ends in the journal`;
      this.#damaged(followed, 'recording-changed', place, record.seq, text);
      return;
    }
    const read = await digestTo(file, followed.digest, before.bytes, link.bytes);
    if (read < link.bytes) {
      const text = `recording ${link.file} was cut at byte ${read} of ${link.bytes}: ${since} it can't be relied on`;
      this.#damaged(followed, 'recording-cut', place, record.seq, text);
      return;
    }
    if (followed.digest.copy().digest('hex') !== link.digest) {
      const text =
        `recording ${link.file} was changed before second ${seconds(link.elapsedMs)} (byte ${link.bytes}): ` +
        `${since} it can't be relied on`;
      this.#damaged(followed, 'recording-changed', place, record.seq, text);
      return;
    }
    followed.bytes = link.bytes;
    followed.elapsedMs = link.elapsedMs;
    followed.at = record.at;
    followed.isFinal = link.final === true;
    if (!followed.isFinal) return;
    followed.state = 'whole';
    const { size } = await file.identity();
    if (size <= link.bytes) return;
    const text = `${size - link.bytes} bytes were put behind the end of recording ${link.file}`;
    this.#damaged(followed, 'recording-extended', place, record.seq, text);
  }

  /** The end of the journal. @param isWhole false where its beginning is elsewhere: then it need not know every file */
  async finish(end: Place, isWhole: boolean): Promise<void> {
    if (!isWhole) return;
    const names = await this.#fileSystem.list(this.#directory).catch(() => []);
    for (const name of names.toSorted()) {
      if (!NAME.test(name) || this.#followed.has(name)) continue;
      this.#report({ ...end, kind: 'recording-unknown', text: `the journal knows nothing of recording ${name}` });
    }
  }

  async result(): Promise<{
    readonly problems: readonly RecordingProblem[];
    readonly count: number;
    readonly recordings: readonly RecordingVerdict[];
  }> {
    const recordings: RecordingVerdict[] = [];
    for (const [file, one] of this.#followed) {
      const isOpen = one.state === 'running' || one.state === 'unfinished';
      const size = isOpen
        ? ((await this.#fileSystem.identity(join(this.#directory, file)))?.size ?? one.bytes)
        : one.bytes;
      recordings.push({
        file,
        ...(one.session === undefined ? {} : { session: one.session }),
        state: one.state,
        trustedMs: one.elapsedMs,
        ...(one.at === undefined ? {} : { trustedAt: one.at }),
        trustedBytes: one.bytes,
        unlinkedBytes: Math.max(0, size - one.bytes),
      });
    }
    return { problems: this.#problems, count: this.#count, recordings };
  }

  #follow({ file }: Link, place: Place, record: JournalRecord): Followed {
    const there = this.#followed.get(file);
    if (there !== undefined) return there;
    const made: Followed = {
      session: record.kind === 'console' ? record.session : undefined,
      place,
      sequence: record.seq,
      digest: createHash('sha256'),
      bytes: 0,
      elapsedMs: 0,
      at: undefined,
      state: 'running',
      isFinal: false,
    };
    this.#followed.set(file, made);
    return made;
  }

  async #open(name: string): Promise<JournalFile | undefined> {
    try {
      return await this.#fileSystem.open(join(this.#directory, name), 'read');
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
      throw error;
    }
  }

  #damaged(followed: Followed, kind: RecordingProblemKind, place: Place, sequence: number, text: string): void {
    followed.state = 'damaged';
    this.#report({ ...place, kind, sequence, text });
  }

  #report(problem: RecordingProblem): void {
    this.#count += 1;
    if (this.#problems.length < this.#limit) this.#problems.push(problem);
  }
}

/** The link of a record, if it is one whose members are what they should be: anybody may have written the file. */
export function linkOf(record: JournalRecord): Link | undefined {
  if (record.kind !== 'console' || record.change !== 'recording') return undefined;
  const { recording } = record;
  if (typeof recording !== 'object' || recording === null) return undefined;
  const { file, bytes, digest, elapsedMs }: Partial<Record<string, unknown>> = { ...recording };
  const isSound =
    typeof file === 'string' &&
    file === basename(file) &&
    NAME.test(file) &&
    Number.isSafeInteger(bytes) &&
    Number(bytes) >= 0 &&
    typeof digest === 'string' &&
    typeof elapsedMs === 'number';
  return isSound ? recording : undefined;
}

/** Adds the bytes between two places to a digest. Returns where the file ended, if before. */
async function digestTo(
  file: JournalFile,
  digest: { update(bytes: Uint8Array): unknown },
  from: number,
  to: number,
): Promise<number> {
  const chunk = new Uint8Array(Math.min(CHUNK, to - from));
  let at = from;
  while (at < to) {
    const count = await file.read(chunk.subarray(0, Math.min(chunk.length, to - at)), at);
    if (count === 0) break;
    digest.update(chunk.subarray(0, count));
    at += count;
  }
  return at;
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(1);
}
