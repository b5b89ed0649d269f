import type { SeededRandom } from '../../test/cci/seeded-random.ts';

/** One input, turned into another one. `other` is a second input of the corpus, for splicing. */
export type Mutator = (input: Uint8Array, random: SeededRandom, other: Uint8Array) => Uint8Array;

/** A target that is set up, ready for any number of executions in one thread. */
export interface Harness {
  /**
   * Executes one input and holds what came of it against the oracle. Whatever it throws or rejects with is a finding.
   * It must leave nothing behind that the next execution could notice.
   */
  run(input: Uint8Array): void | Promise<void>;
  close?(): void | Promise<void>;
}

/** Something that reads bytes which somebody else has written. */
export interface Target {
  /** Name of its corpus folder: lower case, digits and hyphens. */
  readonly name: string;
  /** What must hold whatever the bytes are, in one sentence. */
  readonly oracle: string;
  /** Folders and files of `src` that are measured. What they call beside that runs without counters. */
  readonly covers: readonly string[];
  readonly kind: 'bytes' | 'text';
  /** Longest input that is tried, in bytes; at most `MAX_INPUT`. */
  readonly maxLength: number;
  /** Words that inputs are made of. Literals of the measured sources are added by the engine for `text`. */
  readonly dictionary?: readonly (string | Uint8Array)[];
  /** Inputs to begin with, beside those of the corpus folder. */
  readonly seeds: () => readonly Uint8Array[];
  /** Changes that know the structure. Used for half of the mutations where there are any. */
  readonly mutators?: readonly Mutator[];
  /** Puts lengths, counters or digests right again, so that a mutant gets past them. Applied to three mutants of four. */
  readonly mend?: (input: Uint8Array, random: SeededRandom) => Uint8Array;
  /** An execution that needs more processor time, or fifteen times as much time, is a hang. Default 2000 ms. */
  readonly hangMs?: number;
  /** Growth of the process, heap and all else, from which on an input needs too much memory. Default 512 MiB. */
  readonly growthBytes?: number;
  readonly open: () => Harness | Promise<Harness>;
}

/** Longest input of any target. */
export const MAX_INPUT = 1 << 16;
export const DEFAULT_HANG_MS = 2000;
export const DEFAULT_GROWTH_BYTES = 512 << 20;

/** An oracle was contradicted. */
export class Violation extends Error {
  override readonly name = 'Violation';
}

/** @throws Violation unless `holds` */
export function demand(holds: boolean, message: string | (() => string)): asserts holds {
  if (!holds) throw new Violation(typeof message === 'string' ? message : message());
}

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

export const bytesOf = (text: string): Uint8Array => encoder.encode(text);
/** Bytes that are no UTF-8 become U+FFFD. */
export const textOf = (bytes: Uint8Array): string => decoder.decode(bytes);
