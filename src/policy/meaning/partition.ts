import { entry, newList } from '../casbin/entry.ts';

/** Numbers from 0 on, split into blocks by what they are told apart by. */
export class Partition {
  readonly #blockOf: Int32Array;
  readonly #sizes: number[];

  constructor(size: number) {
    this.#blockOf = new Int32Array(size);
    this.#sizes = [size];
  }

  /** Splits every block into those that are in the list and those that are not. */
  split(inside: readonly number[]): void {
    const hits = new Map<number, number[]>();
    for (const i of inside) entry(hits, Number(this.#blockOf[i]), newList<number>).push(i);
    for (const [block, members] of hits) {
      const size = Number(this.#sizes[block]);
      if (members.length === size) continue;
      const next = this.#sizes.push(members.length) - 1;
      this.#sizes[block] = size - members.length;
      for (const i of members) this.#blockOf[i] = next;
    }
  }

  /** The numbers of each block, ascending. */
  blocks(): readonly (readonly number[])[] {
    const found = this.#sizes.map((): number[] => []);
    for (const [i, block] of this.#blockOf.entries()) found[block]?.push(i);
    return found;
  }
}
