import type { TaintLetter } from './types.ts';

/** One row of the register. */
export interface TaintBit {
  /** Position in the mask. */
  readonly bit: number;
  readonly letter: TaintLetter;
  /** Short name for tables and metrics. */
  readonly name: string;
  /** When it is set. */
  readonly meaning: string;
  /** What takes it away again. No bit is ever taken away by a broker restart or a device reset. */
  readonly liftedBy: string;
}

const BOOT = 'a new boot';

/** The register in bit order (policy.md section 7). An acknowledgement lifts T rows and alarms, never the bit. */
export const taintBits: readonly TaintBit[] = [
  { bit: 0, letter: 'R', name: 'raw', meaning: 'a raw command passed the gate', liftedBy: BOOT },
  { bit: 1, letter: 'V', name: 'vendor', meaning: 'a raw command was in the vendor range', liftedBy: BOOT },
  { bit: 2, letter: 'J', name: 'debug-write', meaning: 'a command of scope 2 or 3 was accepted', liftedBy: BOOT },
  { bit: 3, letter: 'O', name: 'override', meaning: 'the raw_allow_all override was used', liftedBy: BOOT },
  { bit: 4, letter: 'C', name: 'console', meaning: 'a console session was opened', liftedBy: BOOT },
  { bit: 5, letter: 'E', name: 'effects', meaning: 'command effects log and catalogue disagree', liftedBy: BOOT },
  { bit: 6, letter: 'M', name: 'malformed', meaning: 'a reply was malformed or of another command', liftedBy: BOOT },
  { bit: 7, letter: 'X', name: 'external', meaning: 'state moved without the broker', liftedBy: BOOT },
  {
    bit: 8,
    letter: 'F',
    name: 'firmware',
    meaning: 'firmware was transferred or activated',
    // Firmware outlives the boot that wrote it.
    liftedBy: 'a new boot after an acknowledgement; until then it stays with the device serial',
  },
  { bit: 9, letter: 'A', name: 'audit', meaning: 'the journal or this register has a gap', liftedBy: BOOT },
  { bit: 10, letter: 'B', name: 'loosened', meaning: 'a shipped mandatory row was loosened', liftedBy: BOOT },
];

/** The row of a letter. Undefined when there is no such letter. */
export function taintBit(letter: string): TaintBit | undefined {
  return taintBits.find((row) => row.letter === letter);
}

/** OR of `1 << bit` over the letters. */
export function taintMask(letters: Iterable<TaintLetter>): number {
  const set = new Set<string>(letters);
  return taintBits.reduce((mask, row) => (set.has(row.letter) ? mask | (1 << row.bit) : mask), 0);
}

/** Letters of a mask in bit order, `-` when there are none: how the register is shown. */
export function taintLetters(mask: number): string {
  const letters = taintBits.filter((row) => (mask & (1 << row.bit)) !== 0).map((row) => row.letter);
  return letters.length === 0 ? '-' : letters.join('');
}
