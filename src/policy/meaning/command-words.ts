import { hex16 } from '../../cci/index.ts';
import { entry, newList } from '../casbin/entry.ts';
import { at } from './at.ts';
import type { Atom } from './atoms.ts';
import { knownSelector } from './known-selector.ts';
import type { Selections } from './selections.ts';

/** Says sets of atoms in as few of the words that grants use as it can. */
export class CommandWords {
  readonly #selections: Selections;
  /** The policy whose words are used: the newest. */
  readonly #side: number;
  /** Words for several commands, the widest first. */
  readonly #wide: readonly { readonly text: string; readonly reached: readonly number[] }[];
  readonly #bySlug = new Map<string, number[]>();
  readonly #known = new Map<string, readonly string[]>();

  constructor(selections: Selections) {
    this.#selections = selections;
    this.#side = selections.tables.length - 1;
    const sets = new Set<string>();
    for (const [i, { slug, set, isRaw, refs }] of selections.atoms.entries()) {
      if (set !== undefined && refs[this.#side]?.set !== undefined) sets.add(set);
      if (slug !== undefined && !isRaw) entry(this.#bySlug, slug, newList<number>).push(i);
    }
    const texts = ['class:allowlisted', 'class:audited', 'scope:<=3', 'scope:<=2', 'scope:<=1'];
    for (const scope of [0, 1, 2, 3]) texts.push(`scope:${scope}`);
    texts.push(...[...sets].map((set) => `set:${set}`));
    this.#wide = texts
      .map((text) => ({ text, reached: this.#reached(text) }))
      .filter(({ reached }) => reached.length > 1)
      .toSorted((a, b) => b.reached.length - a.reached.length);
  }

  /**
   * `class:allowlisted`, `bind-vppb`, `get-log (other logs)`, `raw opcode:0xc000-0xc0ff`.
   *
   * @param free atoms that a word may cover as well, because they make no difference there
   */
  of(atoms: readonly number[], free: readonly number[] = []): readonly string[] {
    const key = `${atoms.join(' ')}|${free.join(' ')}`;
    const known = this.#known.get(key) ?? this.#work(atoms, free);
    this.#known.set(key, known);
    return known;
  }

  #work(atoms: readonly number[], free: readonly number[]): readonly string[] {
    const all = new Set([...atoms, ...free]);
    const left = new Set(atoms);
    const words: string[] = [];
    const take = (text: string, reached: readonly number[]): void => {
      words.push(text);
      for (const i of reached) left.delete(i);
    };
    for (const { text, reached } of this.#wide) {
      if (reached.every((i) => all.has(i)) && reached.filter((i) => left.has(i)).length > 1) take(text, reached);
    }
    const raw: Atom[] = [];
    for (const i of [...left]) {
      if (!left.has(i)) continue;
      const atom = at(this.#selections.atoms, i);
      const readings = this.#bySlug.get(String(atom.slug)) ?? [];
      if (atom.isRaw) raw.push(atom);
      else if (readings.every((reading) => all.has(reading))) take(atom.name, readings);
      else take(`${atom.name} (${atom.note})`, [i]);
    }
    return [...words, ...rawWords(raw)];
  }

  #reached(text: string): readonly number[] {
    const selector = knownSelector(text, at(this.#selections.tables, this.#side));
    return this.#selections.of(this.#side, text, selector, 'allow');
  }
}

/** Neighbours joined; which of the opcodes between can't be granted is not told again. */
function rawWords(raw: readonly Atom[]): readonly string[] {
  const runs: { first: number; last: number }[] = [];
  for (const { first, last } of raw.toSorted((a, b) => a.first - b.first)) {
    const open = runs.at(-1);
    if (open !== undefined && first <= open.last + 1) open.last = Math.max(open.last, last);
    else runs.push({ first, last });
  }
  return runs.map(({ first, last }) =>
    first === last ? `raw opcode:${hex16(first)}` : `raw opcode:${hex16(first)}-${hex16(last)}`,
  );
}
