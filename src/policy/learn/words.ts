import { at, knownSelector, type Selections } from '../meaning/index.ts';

/** A COMMAND column for several commands, and what it gives. */
export interface Word {
  readonly text: string;
  /** Slugs that it gives in all their readings. */
  readonly whole: ReadonlySet<string>;
  /** Slugs that it gives in some: `class:allowlisted` gives `get-log` for the Command Effects Log alone. */
  readonly partly: ReadonlySet<string>;
}

/** Every word that gives two commands or more, the widest first. */
export function wordsOf(selections: Selections): readonly Word[] {
  const readings = new Map<string, number>();
  const sets = new Set<string>();
  for (const { slug, set, isRaw } of selections.atoms) {
    // A console has a word and no set; raw opcodes without a row have neither.
    if (slug === undefined || set === undefined || isRaw) continue;
    readings.set(slug, (readings.get(slug) ?? 0) + 1);
    sets.add(`set:${set}`);
  }
  const scopes = ['scope:0', 'scope:1', 'scope:2', 'scope:3', 'scope:<=1', 'scope:<=2', 'scope:<=3'];
  return ['class:allowlisted', 'class:audited', ...sets, ...scopes]
    .map((text) => wordOf(text, selections, readings))
    .filter(({ whole }) => whole.size > 1)
    .toSorted((a, b) => b.whole.size - a.whole.size);
}

function wordOf(text: string, selections: Selections, readings: ReadonlyMap<string, number>): Word {
  const selector = knownSelector(text, at(selections.tables, 0));
  const given = new Map<string, number>();
  const reached = selections.of(0, text, selector, 'allow');
  for (const i of reached) {
    const slug = String(at(selections.atoms, i).slug);
    given.set(slug, (given.get(slug) ?? 0) + 1);
  }
  const whole = new Set([...given.keys()].filter((slug) => given.get(slug) === readings.get(slug)));
  return { text, whole, partly: new Set([...given.keys()].filter((slug) => !whole.has(slug))) };
}
