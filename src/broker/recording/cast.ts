import { isUtf8 } from 'node:buffer';

/**
 * Lines of an asciicast, version 2 (docs.asciinema.org/manual/asciicast/v2): a header, then `[seconds, code, data]`. Its
 * data is text, and a terminal speaks bytes; two codes of our own, which other players pass over, make up for that:
 *
 * - `b`: base64 of the bytes of the next event, where they are not UTF-8 and its text has U+FFFD in their place
 * - `p`: base64 of the beginning of a character whose end had not come yet. The next event of that stream holds the whole
 *   character; if there is none, these bytes were the last ones
 * - `x`: the recording is complete (as in version 3)
 */
export type CastCode = 'o' | 'i' | 'r' | 'm' | 'b' | 'p' | 'x';

export interface CastHeader {
  readonly version: 2;
  readonly width: number;
  readonly height: number;
  /** Seconds since 1970. */
  readonly timestamp: number;
  readonly title: string;
  readonly env: { readonly TERM: string };
  readonly cci: {
    readonly session: string;
    readonly switch: string;
    readonly program: string;
    readonly principal: string;
  };
}

/** Bytes of one event at most. */
const MAX_EVENT = 64 << 10;
/** Characters of a marker at most. */
const MAX_MARKER = 1000;

export function headerLine(header: CastHeader): string {
  return `${JSON.stringify(header)}\n`;
}

function eventLine(elapsedMs: number, code: CastCode, data: string): string {
  return `[${(elapsedMs / 1000).toFixed(3)},"${code}",${JSON.stringify(data)}]\n`;
}

export function resizeLine(elapsedMs: number, columns: number, rows: number): string {
  return eventLine(elapsedMs, 'r', `${columns}x${rows}`);
}

export function markerLine(elapsedMs: number, text: string): string {
  return eventLine(elapsedMs, 'm', text.slice(0, MAX_MARKER));
}

export function endLine(elapsedMs: number): string {
  return eventLine(elapsedMs, 'x', 'end');
}

/** One stream of bytes, output or input, as events. Characters that are cut by the end of a chunk are put together. */
export class ByteStream {
  readonly #code: 'o' | 'i';
  /** The beginning of a character, 1 to 3 bytes, or none. */
  #begun: Uint8Array = new Uint8Array(0);
  #isBegunWritten = true;

  constructor(code: 'o' | 'i') {
    this.#code = code;
  }

  /** Lines for the next bytes; their ends may wait for more. */
  take(bytes: Uint8Array, elapsedMs: number): string {
    const all = this.#begun.length === 0 ? bytes : Buffer.concat([this.#begun, bytes]);
    let lines = '';
    let at = 0;
    while (all.length - at > MAX_EVENT) {
      const end = at + MAX_EVENT - openCharacter(all.subarray(at, at + MAX_EVENT));
      lines += this.#event(all.subarray(at, end), elapsedMs);
      at = end;
    }
    const open = openCharacter(all.subarray(at));
    if (all.length - at > open) lines += this.#event(all.subarray(at, all.length - open), elapsedMs);
    // Bytes of the caller may be used again.
    this.#begun = Uint8Array.from(all.subarray(all.length - open));
    this.#isBegunWritten = open === 0;
    return lines;
  }

  /** A line that keeps what waits for the rest of its character, unless it was kept already. */
  begun(elapsedMs: number): string {
    if (this.#isBegunWritten) return '';
    this.#isBegunWritten = true;
    return eventLine(elapsedMs, 'p', `${this.#code}:${Buffer.from(this.#begun).toString('base64')}`);
  }

  #event(bytes: Uint8Array, elapsedMs: number): string {
    const line = eventLine(elapsedMs, this.#code, lossy.decode(bytes));
    return isUtf8(bytes) ? line : eventLine(elapsedMs, 'b', Buffer.from(bytes).toString('base64')) + line;
  }
}

const lossy = new TextDecoder('utf-8', { ignoreBOM: true });

/** How many bytes at the end begin a UTF-8 character whose end is missing, 0 to 3. */
export function openCharacter(bytes: Uint8Array): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back += 1) {
    const byte = bytes[bytes.length - back] ?? 0;
    if (byte < 0x80) return 0;
    if (byte < 0xc0) continue;
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
    return byte < 0xf8 && length > back ? back : 0;
  }
  return 0;
}
