/** What a heap keeps: it writes down where, so that an entry can be moved or taken out without a search. */
export interface Placed {
  /** Index in the heap, -1 while it is in none. Only the heap writes it. */
  place: number;
}

/** Binary min-heap; every change costs O(log n). */
export class Heap<T extends Placed> {
  readonly #entries: T[] = [];
  readonly #isBefore: (a: T, b: T) => boolean;

  constructor(isBefore: (a: T, b: T) => boolean) {
    this.#isBefore = isBefore;
  }

  get size(): number {
    return this.#entries.length;
  }

  get first(): T | undefined {
    return this.#entries[0];
  }

  push(entry: T): void {
    this.#entries.push(entry);
    this.#up(entry, this.#entries.length - 1);
  }

  /** Puts an entry whose order has changed where it belongs now. */
  moved(entry: T): void {
    if (entry.place < 0) return;
    this.#up(entry, entry.place);
    this.#down(entry, entry.place);
  }

  /** Does nothing with an entry that is not in the heap. */
  remove(entry: T): void {
    const { place } = entry;
    if (place < 0) return;
    entry.place = -1;
    const last = this.#entries.pop();
    if (last === undefined || last === entry) return;
    this.#up(last, place);
    this.#down(last, last.place);
  }

  #up(entry: T, from: number): void {
    let at = from;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = this.#entries[above];
      if (parent === undefined || !this.#isBefore(entry, parent)) break;
      this.#put(parent, at);
      at = above;
    }
    this.#put(entry, at);
  }

  #down(entry: T, from: number): void {
    let at = from;
    for (;;) {
      const left = this.#entries[2 * at + 1];
      const right = this.#entries[2 * at + 2];
      const least = left !== undefined && right !== undefined && this.#isBefore(right, left) ? right : left;
      if (least === undefined || !this.#isBefore(least, entry)) break;
      const below = least.place;
      this.#put(least, at);
      at = below;
    }
    this.#put(entry, at);
  }

  #put(entry: T, at: number): void {
    this.#entries[at] = entry;
    entry.place = at;
  }
}
