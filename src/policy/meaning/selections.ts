import type { CommandTable } from '../../cci/index.ts';
import { type Command, commandOf } from '../casbin/command.ts';
import { type Effect, type MandatorySelector, reaches } from '../casbin/selector.ts';
import { at } from './at.ts';
import type { Atom } from './atoms.ts';

/** Which atoms the words of a COMMAND column reach; worked out once for each policy, word and effect. */
export class Selections {
  readonly atoms: readonly Atom[];
  /** Commands of each policy. */
  readonly tables: readonly CommandTable[];
  readonly #commands: readonly (readonly (Command | undefined)[])[];
  readonly #known = new Map<string, readonly number[]>();

  constructor(atoms: readonly Atom[], tables: readonly CommandTable[]) {
    this.atoms = atoms;
    this.tables = tables;
    this.#commands = tables.map((table, side) => atoms.map(({ refs }) => refs[side] && commandOf(refs[side], table)));
  }

  /** Indices of atoms, ascending. @param text the selector as it is written, which is its key */
  of(side: number, text: string, selector: MandatorySelector, effect: Effect): readonly number[] {
    const key = `${side} ${effect} ${text}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const reached: number[] = [];
    const [from, to] = selector.kind === 'opcode' ? this.#span(selector) : [0, this.atoms.length];
    for (const [offset, command] of at(this.#commands, side).slice(from, to).entries()) {
      if (command !== undefined && reaches(selector, command, effect)) reached.push(from + offset);
    }
    this.#known.set(key, reached);
    return reached;
  }

  /** Safe reads that are no queries of the switch itself: on it alone nobody could run them. */
  elsewhere(): readonly number[] {
    return this.atoms.flatMap(({ query, refs }, i) =>
      !query && refs.some((ref) => ref?.class === 'allowlisted') ? [i] : [],
    );
  }

  /** Atoms are in the order of opcodes, so a range of them is a run. */
  #span({ first, last }: { readonly first: number; readonly last: number }): readonly [from: number, to: number] {
    return [this.#from(first), this.#from(last + 1)];
  }

  /** Index of the first atom at or above an opcode. */
  #from(opcode: number): number {
    let low = 0;
    let high = this.atoms.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (at(this.atoms, middle).first < opcode) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
