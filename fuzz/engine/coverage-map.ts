import type { Measured } from './coverage-hook.ts';

/** How often a block was executed, roughly: one bit of 1, 2, 3, 4-7, 8-15, 16-31, 32-127, 128 and more. */
const bucket = new Uint8Array(256);
for (let count = 1; count < 256; count++) {
  const step = [128, 32, 16, 8, 4, 3, 2, 1].findIndex((from) => count >= from);
  bucket[count] = 1 << (7 - step);
}

/** A feature is a block with a bucket: `block * 8 + bit`. */
export type Feature = number;

/** What was seen so far, and what one execution added to it. */
export class CoverageMap {
  private readonly measured: Measured;
  private readonly words: Int32Array;
  private readonly seen: Uint8Array;

  constructor(measured: Measured) {
    this.measured = measured;
    this.words = new Int32Array(measured.counters.buffer);
    this.seen = new Uint8Array(measured.counters.length);
  }

  /** Blocks that were executed at least once. */
  get covered(): number {
    let count = 0;
    for (const bits of this.seen) if (bits !== 0) count++;
    return count;
  }

  /** To be called before each execution. */
  clear(): void {
    this.words.fill(0, 0, this.used);
  }

  /** Did the last execution do what none did before? Nothing is noted yet. */
  hasNew(): boolean {
    const { words, seen } = this;
    const { counters } = this.measured;
    for (let word = 0, end = this.used; word < end; word++) {
      if (words[word] === 0) continue;
      for (let at = word * 4; at < word * 4 + 4; at++) {
        const bits = bucket[counters[at] ?? 0] ?? 0;
        if ((bits & ~(seen[at] ?? 0)) !== 0) return true;
      }
    }
    return false;
  }

  /** Everything that the last execution did. */
  features(): Feature[] {
    const found: Feature[] = [];
    const { counters, blocks } = this.measured;
    for (let at = 0; at < blocks; at++) {
      const bits = bucket[counters[at] ?? 0] ?? 0;
      if (bits !== 0) found.push(at * 8 + 31 - Math.clz32(bits));
    }
    return found;
  }

  isNew(feature: Feature): boolean {
    return ((this.seen[feature >> 3] ?? 0) & (1 << (feature & 7))) === 0;
  }

  note(features: readonly Feature[]): void {
    for (const feature of features) this.seen[feature >> 3] = (this.seen[feature >> 3] ?? 0) | (1 << (feature & 7));
  }

  private get used(): number {
    return Math.ceil(this.measured.blocks / 4);
  }
}
