import type { SeededRandom } from '../../test/cci/seeded-random.ts';
import { bytesOf, MAX_INPUT, type Mutator, type Target } from './target.ts';

/** Numbers at which code tends to decide: ends of widths, and lengths of this protocol. */
const INTERESTING = [0, 1, 2, 3, 4, 7, 8, 12, 16, 17, 18, 32, 63, 64, 68, 127, 128, 255, 256, 1023, 1024] as const;
const WIDE = [0x7fff, 0x8000, 0xffff, 0x10000, 0x1fffff, 0x200000, 0x7fffffff, 0x80000000, 0xffffffff] as const;

/** A copy with `insertion` in place of `length` bytes at `at`. */
export function spliced(input: Uint8Array, at: number, length: number, insertion: Uint8Array): Uint8Array {
  const result = new Uint8Array(input.length - length + insertion.length);
  result.set(input.subarray(0, at));
  result.set(insertion, at);
  result.set(input.subarray(at + length), at + insertion.length);
  return result;
}

/** Little-endian as the protocol is, one time in four big-endian. */
function numberBytes(value: number, width: number, random: SeededRandom): Uint8Array {
  const bytes = new Uint8Array(width);
  for (let i = 0; i < width; i++) bytes[i] = Math.floor(value / 256 ** i) & 0xff;
  return random.below(4) === 0 ? bytes.reverse() : bytes;
}

/** Place and length of a piece of the input; most are short. */
function piece(input: Uint8Array, random: SeededRandom): readonly [at: number, length: number] {
  const at = random.below(input.length + 1);
  const most = input.length - at;
  const length = random.below(4) === 0 ? random.below(most + 1) : Math.min(most, 1 + random.below(8));
  return [at, length];
}

const changeByte =
  (change: (byte: number, random: SeededRandom) => number): Mutator =>
  (input, random) => {
    if (input.length === 0) return Uint8Array.of(random.below(256));
    const copy = input.slice();
    const at = random.below(copy.length);
    copy[at] = change(copy[at] ?? 0, random);
    return copy;
  };

const overwriteNumber: Mutator = (input, random) => {
  const width = [1, 2, 2, 4, 8][random.below(5)] ?? 1;
  const wide = random.below(3) === 0 && width > 1;
  const list: readonly number[] = wide ? WIDE : INTERESTING;
  const bytes = numberBytes(list[random.below(list.length)] ?? 0, width, random);
  const at = random.below(input.length + 1);
  return spliced(input, at, Math.min(width, input.length - at), bytes);
};

const byteMutators: readonly Mutator[] = [
  changeByte((byte, random) => byte ^ (1 << random.below(8))),
  changeByte((_, random) => random.next() >>> 9),
  changeByte((byte, random) => byte + 1 + random.below(16)),
  changeByte((byte, random) => byte - 1 - random.below(16)),
  overwriteNumber,
  overwriteNumber,
  // Delete, insert, repeat, copy elsewhere.
  (input, random) => spliced(input, ...piece(input, random), new Uint8Array(0)),
  (input, random) => {
    const fresh = new Uint8Array(1 + random.below(8));
    if (random.below(2) === 0) random.fill(fresh);
    return spliced(input, random.below(input.length + 1), 0, fresh);
  },
  (input, random) => {
    const [at, length] = piece(input, random);
    return spliced(input, at, 0, input.subarray(at, at + length));
  },
  (input, random) => {
    const [at, length] = piece(input, random);
    const to = random.below(input.length + 1);
    return spliced(input, to, Math.min(length, input.length - to), input.subarray(at, at + length));
  },
  // A piece of another input, put in or over.
  (input, random, other) => {
    const [at, length] = piece(other, random);
    const to = random.below(input.length + 1);
    const over = random.below(2) === 0 ? 0 : Math.min(length, input.length - to);
    return spliced(input, to, over, other.subarray(at, at + length));
  },
  (input, random, other) => {
    const cut = random.below(input.length + 1);
    return spliced(input, cut, input.length - cut, other.subarray(random.below(other.length + 1)));
  },
];

/** Turns an input of a target into another one. */
export class Mutation {
  private readonly target: Target;
  private readonly plain: readonly Mutator[];

  /** @param words further words, found in the sources */
  constructor(target: Target, words: Iterable<string> = []) {
    this.target = target;
    const dictionary = [
      ...(target.dictionary ?? []).map((word) => (typeof word === 'string' ? bytesOf(word) : word)),
      ...(target.kind === 'text' ? [...words].map(bytesOf) : []),
    ];
    const word: Mutator = (input, random) => {
      const chosen = dictionary[random.below(dictionary.length)] ?? new Uint8Array(0);
      const at = random.below(input.length + 1);
      return spliced(input, at, random.below(2) === 0 ? 0 : Math.min(chosen.length, input.length - at), chosen);
    };
    this.plain = dictionary.length === 0 ? byteMutators : [...byteMutators, word, word, word];
  }

  /** One to sixteen changes, few most of the time. */
  mutant(input: Uint8Array, random: SeededRandom, other: Uint8Array): Uint8Array {
    const { mutators = [], mend, maxLength } = this.target;
    let result = input;
    for (let left = 1 << random.below(random.below(5) + 1); left > 0; left--) {
      const list = mutators.length > 0 && random.below(2) === 0 ? mutators : this.plain;
      result = list[random.below(list.length)]?.(result, random, other) ?? result;
      if (result.length > MAX_INPUT) result = result.subarray(0, MAX_INPUT);
    }
    if (mend !== undefined && random.below(4) !== 0) result = mend(result, random);
    return result.length > maxLength ? result.slice(0, maxLength) : result;
  }
}
