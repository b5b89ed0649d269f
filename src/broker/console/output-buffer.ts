/** Bytes behind what was acknowledged that are kept for whoever looks on, and for whoever lost his connection. */
const HISTORY_BYTES = 256 * 1024;
/** Beyond this many bytes that nobody acknowledged the program has to wait; it goes on at the half. */
export const UNREAD_MAX = 256 * 1024;
/** While a program is being ended it is not made to wait any more: of what it writes then, this much is kept for reading. */
const KEPT_MAX = 2 * 1024 * 1024;
/** Bytes of one page. */
const PAGE_BYTES = 64 * 1024;

/** The output of a program by offset: bounded, and nothing that was not acknowledged is lost while the program may wait. */
export class OutputBuffer {
  #chunks: Uint8Array[] = [];
  #start = 0;
  #end = 0;
  #acknowledged = 0;
  #released = 0;

  /** Offset of the first byte that can still be read. */
  get start(): number {
    return this.#start;
  }

  /** Offset behind the last byte. */
  get end(): number {
    return this.#end;
  }

  /** Offset behind the last byte that may be read: what is recorded. */
  get released(): number {
    return this.#released;
  }

  /** What lies before the offset stands in the recording: nothing is shown before it does. */
  release(offset: number): void {
    this.#released = Math.max(this.#released, Math.min(offset, this.#end));
  }

  /** Bytes that have not arrived for good. */
  get unread(): number {
    return this.#end - this.#acknowledged;
  }

  append(bytes: Uint8Array): void {
    this.#chunks.push(bytes);
    this.#end += bytes.length;
    this.#trim();
  }

  /** Bytes before the offset have arrived. What is beyond the end, or behind what was said before, changes nothing. */
  acknowledge(offset: number): void {
    if (offset > this.#released) return;
    this.#acknowledged = Math.max(this.#acknowledged, offset);
    this.#trim();
  }

  /** What lies behind an offset: from the first byte on that is still there. */
  page(after: number): { readonly offset: number; readonly output: Uint8Array } {
    const offset = Math.min(Math.max(after, this.#start), Math.max(this.#start, this.#released));
    const wanted = Math.min(PAGE_BYTES, Math.max(0, this.#released - offset));
    const output = new Uint8Array(wanted);
    let at = this.#start;
    let filled = 0;
    for (const chunk of this.#chunks) {
      if (filled === wanted) break;
      const from = Math.max(0, offset - at);
      if (from < chunk.length) {
        const part = chunk.subarray(from, from + wanted - filled);
        output.set(part, filled);
        filled += part.length;
      }
      at += chunk.length;
    }
    return { offset, output };
  }

  #trim(): void {
    const keepFrom = Math.max(Math.min(this.#acknowledged, this.#end - HISTORY_BYTES), this.#end - KEPT_MAX);
    for (
      let [first] = this.#chunks;
      first !== undefined && this.#start + first.length <= keepFrom;
      [first] = this.#chunks
    ) {
      this.#chunks.shift();
      this.#start += first.length;
    }
    this.#acknowledged = Math.max(this.#acknowledged, this.#start);
  }
}
