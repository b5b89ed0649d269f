/** Bytes of a slab that is made: some hundred records. */
const SLAB_BYTES = 1 << 18;
/** As many empty ones of that size are kept for later. */
const SPARE_MAX = 4;

/** Memory with lines in it, one behind the other. */
export class Slab {
  readonly bytes: Buffer;
  /** Bytes that are taken. */
  end = 0;
  /** Lines in it that are still needed. */
  lines = 0;

  constructor(size: number) {
    this.bytes = Buffer.allocUnsafeSlow(size);
  }
}

/**
 * Where lines are put together, and stay until they are on disk. They are bytes outside the collector's reach: as strings,
 * those of 50 ms would be copied by it again and again. A slab is used again when all its lines are released; one with a
 * line that never is goes the way of all objects.
 */
export class LineSlabs {
  #current = new Slab(SLAB_BYTES);
  readonly #spare: Slab[] = [];

  /** The slab with room for a line of `most` bytes, behind its `end`. */
  room(most: number): Slab {
    if (this.#current.bytes.length - this.#current.end >= most) return this.#current;
    this.#current = most > SLAB_BYTES ? new Slab(most) : (this.#spare.pop() ?? new Slab(SLAB_BYTES));
    return this.#current;
  }

  /** A line of this slab is needed no more. */
  release(slab: Slab): void {
    slab.lines -= 1;
    if (slab.lines > 0) return;
    slab.end = 0;
    if (slab.bytes.length > SLAB_BYTES) {
      if (slab === this.#current) this.#current = this.#spare.pop() ?? new Slab(SLAB_BYTES);
    } else if (slab !== this.#current && this.#spare.length < SPARE_MAX) this.#spare.push(slab);
  }
}
