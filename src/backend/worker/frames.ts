/**
 * What passes between the broker and a device worker: frames of a 12-byte header and a body, little endian.
 *
 * | byte | field |
 * | --- | --- |
 * | 0 | magic, C5h |
 * | 1 | kind, a row of `frameKinds` |
 * | 2 | zero (2 bytes) |
 * | 4 | sequence (4 bytes): an answer carries that of its request |
 * | 8 | length of the body (4 bytes), within the bounds of its kind |
 *
 * Each side believes nothing of the other: the first frame that breaks a rule ends the worker.
 */

export const FRAME_HEADER_BYTES = 12;
const MAGIC = 0xc5;

/** The largest mailbox there is (2^20 bytes). */
export const PAYLOAD_MAX_BYTES = 1 << 20;

interface Row {
  readonly code: number;
  readonly from: 'broker' | 'worker';
  readonly minBytes: number;
  readonly maxBytes: number;
}

/** Every kind of frame, with the bounds of its body in bytes. */
export const frameKinds = {
  /** JSON: which backend, and its options. */
  open: { code: 0x01, from: 'broker', minBytes: 2, maxBytes: 65_536 },
  /** Opcode (2), zero (2), milliseconds left (4), payload. */
  execute: { code: 0x02, from: 'broker', minBytes: 8, maxBytes: 8 + PAYLOAD_MAX_BYTES },
  close: { code: 0x03, from: 'broker', minBytes: 0, maxBytes: 0 },
  /** The process is up and waits for `open`; it answers nothing, so its sequence is 0. */
  ready: { code: 0x80, from: 'worker', minBytes: 0, maxBytes: 0 },
  /** JSON: what was opened. */
  opened: { code: 0x81, from: 'worker', minBytes: 2, maxBytes: 65_536 },
  /** Return code (2), vendor status (2), background (1), zero (3), payload. */
  reply: { code: 0x82, from: 'worker', minBytes: 8, maxBytes: 8 + PAYLOAD_MAX_BYTES },
  closed: { code: 0x83, from: 'worker', minBytes: 0, maxBytes: 0 },
  /** Error code (1), outcome (1), zero (2), text. */
  failed: { code: 0x84, from: 'worker', minBytes: 4, maxBytes: 4 + 4096 },
} as const satisfies { readonly [name: string]: Row };

export type FrameKind = keyof typeof frameKinds;

export interface Frame {
  readonly kind: FrameKind;
  /** 32 bits. */
  readonly sequence: number;
  readonly body: Uint8Array;
}

/** The other side broke the rules of this channel. */
export class FrameError extends Error {
  override readonly name = 'FrameError';
}

const byCode: ReadonlyMap<number, FrameKind> = new Map(
  (Object.keys(frameKinds) as FrameKind[]).map((kind) => [frameKinds[kind].code, kind]),
);

/** @throws RangeError for a body out of bounds */
export function encodeFrame({ kind, sequence, body }: Frame): Buffer {
  const { code, minBytes, maxBytes } = frameKinds[kind];
  if (body.length < minBytes || body.length > maxBytes) throw new RangeError(`${body.length} bytes for ${kind}`);
  const bytes = Buffer.alloc(FRAME_HEADER_BYTES + body.length);
  bytes[0] = MAGIC;
  bytes[1] = code;
  bytes.writeUInt32LE(sequence, 4);
  bytes.writeUInt32LE(body.length, 8);
  bytes.set(body, FRAME_HEADER_BYTES);
  return bytes;
}

/**
 * Cuts a stream of bytes into frames. Holds one frame at most: a header that breaks a rule is refused before any of
 * its body is kept.
 */
export class FrameReader {
  readonly #from: Row['from'];
  /** Less than a header. */
  #held: Buffer = Buffer.alloc(0);
  /** A frame whose header was looked at and whose end is not there. */
  #begun: { readonly whole: Buffer; filled: number } | undefined;

  /** @param from the side that is read */
  constructor(from: Row['from']) {
    this.#from = from;
  }

  /**
   * The frames that end in these bytes, one after the other. However small the pieces are in which a frame comes, each is
   * copied once. @throws FrameError; nothing may be read after it
   */
  *take(chunk: Buffer): Generator<Frame> {
    let bytes = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    this.#held = Buffer.alloc(0);
    const begun = this.#begun;
    if (begun !== undefined) {
      const taken = chunk.copy(begun.whole, begun.filled);
      begun.filled += taken;
      if (begun.filled < begun.whole.length) return;
      this.#begun = undefined;
      bytes = chunk.subarray(taken);
      yield this.#frame(begun.whole);
    }
    while (bytes.length >= FRAME_HEADER_BYTES) {
      const end = FRAME_HEADER_BYTES + this.#header(bytes).length;
      if (bytes.length < end) {
        const whole = Buffer.allocUnsafe(end);
        this.#begun = { whole, filled: bytes.copy(whole) };
        return;
      }
      const whole = bytes.subarray(0, end);
      bytes = bytes.subarray(end);
      yield this.#frame(whole);
    }
    this.#held = Buffer.from(bytes);
  }

  #frame(whole: Buffer): Frame {
    const { kind } = this.#header(whole);
    return { kind, sequence: whole.readUInt32LE(4), body: whole.subarray(FRAME_HEADER_BYTES) };
  }

  #header(bytes: Buffer): { readonly kind: FrameKind; readonly length: number } {
    const kind = byCode.get(bytes[1] ?? 0);
    if (bytes[0] !== MAGIC || bytes.readUInt16LE(2) !== 0) throw new FrameError('bytes that are no frame');
    if (kind === undefined || frameKinds[kind].from !== this.#from) throw new FrameError('a frame of unknown kind');
    const { minBytes, maxBytes } = frameKinds[kind];
    const length = bytes.readUInt32LE(8);
    if (length < minBytes || length > maxBytes) throw new FrameError(`a frame \`${kind}\` of ${length} bytes`);
    return { kind, length };
  }
}
