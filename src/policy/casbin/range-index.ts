/** Ranges of opcodes, found by an opcode inside them in time that grows with what is found, not with what there is. */
export class RangeIndex<T extends { readonly first: number; readonly last: number }> {
  readonly #sorted: readonly T[];
  /** `#reach[i]`: highest end in the subtree whose middle is `i`. */
  readonly #reach: readonly number[];

  constructor(ranges: readonly T[]) {
    this.#sorted = ranges.toSorted((a, b) => a.first - b.first);
    const reach = new Array<number>(this.#sorted.length).fill(-1);
    const build = (from: number, to: number): number => {
      const middle = (from + to) >> 1;
      const range = this.#sorted[middle];
      if (from >= to || range === undefined) return -1;
      const highest = Math.max(range.last, build(from, middle), build(middle + 1, to));
      reach[middle] = highest;
      return highest;
    };
    build(0, this.#sorted.length);
    this.#reach = reach;
  }

  find(at: number, found: (range: T) => void): void {
    this.#find(at, 0, this.#sorted.length, found);
  }

  #find(at: number, from: number, to: number, found: (range: T) => void): void {
    const middle = (from + to) >> 1;
    const range = this.#sorted[middle];
    if (from >= to || range === undefined || Number(this.#reach[middle]) < at) return;
    this.#find(at, from, middle, found);
    if (range.first > at) return;
    if (range.last >= at) found(range);
    this.#find(at, middle + 1, to, found);
  }
}
