import type { Writable } from 'node:stream';

/**
 * The channel between edge and core: frames over a pair of sockets. A frame is
 *
 *   length of what follows: 4 bytes | kind: 1 byte | id: 4 bytes | body
 *
 * with numbers little-endian. The side with the keys parses as little as it can: commands of a stream are bytes at fixed
 * places, everything else is JSON that is held against the table of `requests.ts`.
 */
export const toCore = {
  /** Byte that names the method, then its arguments as JSON. Answered under its id. */
  call: 1,
  /** Number of a slot (2 bytes), then a CCI message. Answered under its id. */
  message: 2,
  /** Number of a slot (2 bytes), then whose and for which switch, as JSON. Not answered; id 0. */
  slot: 3,
  /** No body: the submitted command of that id is taken back. Not answered. */
  cancel: 4,
  /** JSON of the edge: where it listens. Once, the first frame; id 0. */
  ready: 5,
  /** JSON of the edge: it asks for material of its own, such as a fresh token. Answered under its id. */
  ask: 6,
  /** No body: it has read the `ping` of that number. */
  pong: 7,
} as const;

export const toEdge = {
  /** What it listens on and with: JSON. Once, the first frame. */
  options: 16,
  /** What a call came to, JSON. */
  answer: 17,
  /** What a submitted command came to: see `command-answer.ts`. */
  command: 18,
  /** The core failed on a request: no body. */
  failed: 19,
  /** New material, JSON: certificates, tokens. Id 0. */
  supply: 20,
  /** Finish what is under way, then end. No body. */
  stop: 21,
  /** No body: does it still do anything? */
  ping: 22,
} as const;

export const HEAD_BYTES = 9;
/** Largest frame that the core takes: a body of 64 KiB, whose JSON may have grown by being written again, and a token. */
export const MOST_TO_CORE = 512 * 1024;
/** Largest frame that the edge takes. */
export const MOST_TO_EDGE = 64 * 1024 * 1024;

const CHUNK = 64 * 1024;

/** Writes frames; those of one turn of the event loop leave together. */
export class FrameWriter {
  private readonly stream: Writable;
  private chunk: Buffer = Buffer.allocUnsafe(CHUNK);
  /** Of the chunk: given to the stream, and written behind that. */
  private sent = 0;
  private end = 0;
  private isScheduled = false;

  constructor(stream: Writable) {
    this.stream = stream;
  }

  /** Bytes that the other side has not taken. */
  get waiting(): number {
    return this.end - this.sent + this.stream.writableLength;
  }

  /** Head of a frame and room for its body, which is to be written at once. @returns where the body begins */
  open(kind: number, id: number, bytes: number): number {
    const whole = HEAD_BYTES + bytes;
    if (this.chunk.length - this.end < whole) {
      this.flush();
      this.chunk = Buffer.allocUnsafe(Math.max(CHUNK, whole));
      this.sent = 0;
      this.end = 0;
    }
    const at = this.end;
    this.chunk.writeUInt32LE(whole - 4, at);
    this.chunk[at + 4] = kind;
    this.chunk.writeUInt32LE(id, at + 5);
    this.end += whole;
    if (!this.isScheduled) {
      this.isScheduled = true;
      setImmediate(() => {
        this.isScheduled = false;
        this.flush();
      });
    }
    return at + HEAD_BYTES;
  }

  /** What `open` has made room in; another one after each `open`. */
  get room(): Buffer {
    return this.chunk;
  }

  /** A frame whose body is text, behind a prefix of bytes. */
  text(kind: number, id: number, text: string, prefix: readonly number[] = []): void {
    const at = this.open(kind, id, prefix.length + Buffer.byteLength(text));
    prefix.forEach((byte, i) => {
      this.room[at + i] = byte;
    });
    this.room.write(text, at + prefix.length);
  }

  /** Hands over what was written so far. */
  flush(): void {
    if (this.end === this.sent) return;
    const piece = this.chunk.subarray(this.sent, this.end);
    this.sent = this.end;
    if (this.stream.writable) this.stream.write(piece);
  }
}

/** One frame in the bytes that came. */
export interface Frame {
  readonly kind: number;
  readonly id: number;
  readonly body: Buffer;
}

const LENGTH_BYTES = 4;

/** Cuts what comes into frames. However small the pieces are in which a frame comes, each is copied once. */
export class FrameReader {
  private readonly most: number;
  /** Less than the length of a frame. */
  private head: Buffer | undefined;
  /** A frame whose length is known and whose end is not there. */
  private begun: { readonly whole: Buffer; filled: number } | undefined;

  /** @param most bytes of a frame behind its length */
  constructor(most: number) {
    this.most = most;
  }

  /**
   * Gives every whole frame to `take` until that answers false.
   *
   * @returns false where a frame is shorter than its head or longer than allowed: nothing behind it can be found
   */
  push(chunk: Buffer, take: (frame: Frame) => boolean): boolean {
    const data = this.goOn(chunk, take);
    if (data === undefined) return true;
    let at = 0;
    while (data.length - at >= LENGTH_BYTES) {
      const length = data.readUInt32LE(at);
      if (length < HEAD_BYTES - LENGTH_BYTES || length > this.most) return false;
      const end = at + LENGTH_BYTES + length;
      if (end > data.length) {
        const whole = Buffer.allocUnsafe(end - at);
        this.begun = { whole, filled: data.copy(whole, 0, at) };
        return true;
      }
      if (!take(frameOf(data.subarray(at, end)))) return true;
      at = end;
    }
    if (at < data.length) this.head = Buffer.from(data.subarray(at));
    return true;
  }

  /** What of the chunk lies behind the frame that was begun; undefined where nothing is to be read any more. */
  private goOn(chunk: Buffer, take: (frame: Frame) => boolean): Buffer | undefined {
    const { begun, head } = this;
    this.head = undefined;
    if (begun === undefined) return head === undefined ? chunk : Buffer.concat([head, chunk]);
    const taken = chunk.copy(begun.whole, begun.filled);
    begun.filled += taken;
    if (begun.filled < begun.whole.length) return undefined;
    this.begun = undefined;
    return take(frameOf(begun.whole)) ? chunk.subarray(taken) : undefined;
  }
}

function frameOf(bytes: Buffer): Frame {
  return {
    kind: bytes[LENGTH_BYTES] ?? 0,
    id: bytes.readUInt32LE(LENGTH_BYTES + 1),
    body: bytes.subarray(HEAD_BYTES),
  };
}

/** Bytes inside JSON: the one form that both sides know. */
export interface WireBytes {
  /** base64 */
  readonly $bytes: string;
}

/** JSON in which bytes are `{$bytes}`. */
export function jsonWithBytes(value: unknown): string {
  return JSON.stringify(value, function (this: { readonly [key: string]: unknown }, key, one: unknown) {
    // Not `one`: a Buffer has made something else of itself by now.
    const itself = this[key];
    return itself instanceof Uint8Array ? wireBytes(itself) : one;
  });
}

/** What `jsonWithBytes` has written, from a side that is trusted. */
export function parseWithBytes(text: string): unknown {
  return JSON.parse(text, (_key, one: unknown) =>
    isWireBytes(one) ? plainBytes(Buffer.from(one.$bytes, 'base64')) : one,
  );
}

export function wireBytes(bytes: Uint8Array): WireBytes {
  return { $bytes: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64') };
}

export function isWireBytes(value: unknown): value is WireBytes {
  return typeof value === 'object' && value !== null && '$bytes' in value && typeof value.$bytes === 'string';
}

/** Bytes of their own: no part of a buffer that others use as well. */
export function plainBytes(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes);
}
