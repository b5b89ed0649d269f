import type { JournalError } from './errors.ts';
import type { LineSlabs, Slab } from './line-slabs.ts';
import type { IntentNote } from './open-intents.ts';
import type { RecordKind } from './records.ts';

/** A record that is in the chain and not yet known to be in its segment on disk. */
export interface PendingLine {
  readonly kind: RecordKind;
  readonly sequence: number;
  /** Number of the segment that it belongs into. */
  readonly segment: number;
  /** With its newline; its bytes stand in `slab` until that is told that it is settled. */
  readonly line: Buffer;
  readonly slab: Slab;
  readonly bytes: number;
  readonly note: IntentNote | undefined;
  /** Settles the caller of a durable append; absent for the others, and once it was settled. */
  waiter: { readonly resolve: () => void; readonly reject: (error: JournalError) => void } | undefined;
  /** The caller was told that it could not be recorded. */
  refused: boolean;
}

/** Records in the order of their sequence, from the oldest that is not in its segment. */
export class PendingLines {
  readonly #slabs: LineSlabs;
  #lines: PendingLine[] = [];
  #bytes = 0;
  /** So many of them, from the oldest, are on disk already, ahead of their segment. */
  #ahead = 0;

  constructor(slabs: LineSlabs) {
    this.#slabs = slabs;
  }

  get length(): number {
    return this.#lines.length;
  }

  /** Bytes that wait. */
  get bytes(): number {
    return this.#bytes;
  }

  add(line: PendingLine): void {
    this.#lines.push(line);
    this.#bytes += line.bytes;
  }

  /** All that wait now for the segment of the oldest one; they stay until `settle`. */
  ofOneSegment(): readonly PendingLine[] {
    return this.#ofOneSegment(0);
  }

  /** Those that are on disk nowhere, of the segment of the oldest of them. */
  fresh(): readonly PendingLine[] {
    return this.#ofOneSegment(this.#ahead);
  }

  /** Of these, which begin with the oldest, those that were on disk nowhere before. */
  freshOf(lines: readonly PendingLine[]): readonly PendingLine[] {
    return this.#ahead === 0 ? lines : lines.slice(this.#ahead);
  }

  /** The next `count` are on disk, ahead of their segment. */
  putAhead(count: number): void {
    const end = this.#ahead + count;
    for (; this.#ahead < end; this.#ahead++) resolve(this.#lines[this.#ahead]);
  }

  /** The first `count` are in their segment. */
  settle(count: number): void {
    this.#ahead = Math.max(0, this.#ahead - count);
    for (const line of this.#lines.splice(0, count)) {
      this.#bytes -= line.bytes;
      this.#slabs.release(line.slab);
      resolve(line);
    }
  }

  #ofOneSegment(from: number): readonly PendingLine[] {
    const segment = this.#lines[from]?.segment;
    const end = this.#lines.findIndex((line, index) => index >= from && line.segment !== segment);
    return this.#lines.slice(from, end < 0 ? undefined : end);
  }

  /** Nothing could be written: everybody who waits is told so. The records stay, to be written later. */
  refuse(error: JournalError): void {
    for (const line of this.#lines) {
      if (line.waiter === undefined) continue;
      line.waiter.reject(error);
      line.waiter = undefined;
      line.refused = true;
    }
  }
}

function resolve(line: PendingLine | undefined): void {
  if (line?.waiter === undefined) return;
  line.waiter.resolve();
  line.waiter = undefined;
}

/** Length of all, in bytes. */
export function bytesOf(lines: readonly PendingLine[]): number {
  return lines.reduce((sum, { bytes }) => sum + bytes, 0);
}

/** Longest buffer that is kept from one commit to the next, in bytes. */
const KEPT_MAX = 4 << 20;

/**
 * The bytes of a commit. Most lie side by side already; the others are copied. Under load there are twenty commits of a
 * megabyte in a second: their buffer is made once.
 *
 * INVARIANT: what `of` gave is written, or given up, before it is called again and before its lines are settled.
 */
export class CommitBuffer {
  #kept: Buffer = Buffer.allocUnsafeSlow(1 << 16);

  of(lines: readonly PendingLine[]): Buffer {
    const size = bytesOf(lines);
    const [first] = lines;
    const last = lines.at(-1);
    if (first !== undefined && first.slab === last?.slab) {
      const start = first.line.byteOffset - first.slab.bytes.byteOffset;
      const end = last.line.byteOffset - first.slab.bytes.byteOffset + last.bytes;
      // Lines of a slab are in its order; something that was given up may lie between them.
      if (end - start === size) return first.slab.bytes.subarray(start, end);
    }
    const buffer = this.#room(size);
    let end = 0;
    for (const { line } of lines) end += line.copy(buffer, end);
    return buffer.subarray(0, end);
  }

  #room(size: number): Buffer {
    if (size <= this.#kept.length) return this.#kept;
    const made = Buffer.allocUnsafeSlow(size > KEPT_MAX ? size : 2 ** Math.ceil(Math.log2(size)));
    if (size <= KEPT_MAX) this.#kept = made;
    return made;
  }
}
