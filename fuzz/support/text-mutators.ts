import { parse, stringify } from 'yaml';
import type { SeededRandom } from '../../test/cci/seeded-random.ts';
import { bytesOf, type Mutator, textOf } from '../engine/target.ts';

/** Values at which readers of text tend to go wrong. */
const ODD_VALUES: readonly unknown[] = [
  null,
  true,
  false,
  0,
  -1,
  1,
  255,
  256,
  65536,
  1e21,
  1.5,
  Number.MAX_SAFE_INTEGER,
  '',
  ' ',
  '0',
  '-1',
  '0x10',
  '1e3',
  '../x',
  '/',
  '*',
  'own',
  '__proto__',
  'constructor',
  'toString',
  '\u202e',
  'é',
  '\ud83d\ude00',
  [],
  {},
  [[]],
  [null],
];

const TOKEN = /[\w.:#*/<>=-]+/g;

function at<T>(list: readonly T[], random: SeededRandom): T | undefined {
  return list.length === 0 ? undefined : list[random.below(list.length)];
}

const onText =
  (change: (text: string, random: SeededRandom, other: string) => string): Mutator =>
  (input, random, other) =>
    bytesOf(change(textOf(input), random, textOf(other)));

/** Lines left out, repeated, swapped, moved, taken from another input. */
export const lines: Mutator = onText((text, random, other) => {
  const list = text.split('\n');
  const from = random.below(list.length);
  const to = random.below(list.length);
  const line = list[from] ?? '';
  switch (random.below(5)) {
    case 0:
      list.splice(from, 1 + random.below(2));
      break;
    case 1:
      list.splice(to, 0, line);
      break;
    case 2:
      list[from] = list[to] ?? '';
      list[to] = line;
      break;
    case 3:
      list.splice(to, 0, at(other.split('\n'), random) ?? '');
      break;
    default:
      list[from] = at([' ', '  ', '\t', '#', '- '], random) + line;
  }
  return list.join('\n');
});

/** A word in place of another one: from this text, from another, or an odd one. */
export const words: Mutator = onText((text, random, other) => {
  const there = [...text.matchAll(TOKEN)];
  const chosen = at(there, random);
  if (chosen === undefined) return text;
  const source = random.below(3);
  const odd = String(at(ODD_VALUES, random));
  const fresh = source === 0 ? odd : at([...(source === 1 ? text : other).matchAll(TOKEN)], random)?.[0];
  return text.slice(0, chosen.index) + (fresh ?? odd) + text.slice(chosen.index + chosen[0].length);
});

/** Fields of one comma-separated line: left out, repeated, swapped, quoted, replaced by one of another line. */
export const fields: Mutator = onText((text, random) => {
  const list = text.split('\n');
  const index = random.below(list.length);
  const row = (list[index] ?? '').split(',');
  const from = random.below(row.length);
  const field = row[from] ?? '';
  switch (random.below(5)) {
    case 0:
      row.splice(from, 1);
      break;
    case 1:
      row.splice(from, 0, field);
      break;
    case 2:
      row[from] = at((at(list, random) ?? '').split(','), random) ?? '';
      break;
    case 3:
      row[from] = ` "${field.trim().replaceAll('"', '""')}"`;
      break;
    default:
      row[from] = ` ${String(at(ODD_VALUES, random))}`;
  }
  list[index] = row.join(',');
  return list.join('\n');
});

type Holder = unknown[] | { [key: string]: unknown };
type Place = readonly [holder: Holder, key: string];

function placesOf(value: unknown, found: Place[] = []): readonly Place[] {
  if (typeof value !== 'object' || value === null) return found;
  for (const [key, part] of Object.entries(value)) {
    found.push([value as Holder, key]);
    placesOf(part, found);
  }
  return found;
}

function put(holder: Holder, key: string, value: unknown): void {
  // `__proto__` as a member of its own.
  Object.defineProperty(holder, key, { value, enumerable: true, configurable: true, writable: true });
}

/** One change somewhere in a tree of objects and lists. */
function changedTree(tree: unknown, random: SeededRandom, other: unknown): unknown {
  const place = at(placesOf(tree), random);
  if (place === undefined) return at(ODD_VALUES, random);
  const [holder, key] = place;
  const value = (holder as { [key: string]: unknown })[key];
  switch (random.below(7)) {
    case 0:
      if (Array.isArray(holder)) holder.splice(Number(key), 1);
      else delete holder[key];
      break;
    case 1:
      if (Array.isArray(holder)) holder.push(structuredClone(value));
      else put(holder, String(at(ODD_VALUES, random)), value);
      break;
    case 2:
      put(holder, key, structuredClone(at(placesOf(other), random)?.[1] ?? null));
      break;
    case 3: {
      const taken = at(placesOf(other), random);
      put(
        holder,
        key,
        taken === undefined ? null : structuredClone((taken[0] as { [key: string]: unknown })[taken[1]]),
      );
      break;
    }
    case 4:
      put(holder, key, random.below(2) === 0 ? [value] : { [key]: value });
      break;
    case 5:
      put(holder, key, typeof value === 'number' ? value + (at([-1, 1, 256, 0.5], random) ?? 0) : [value, value]);
      break;
    default:
      put(holder, key, at(ODD_VALUES, random));
  }
  return tree;
}

const onTree = (read: (text: string) => unknown, write: (tree: unknown, random: SeededRandom) => string): Mutator =>
  onText((text, random, other) => {
    try {
      let donor: unknown;
      try {
        donor = read(other);
      } catch {
        donor = ODD_VALUES;
      }
      return write(changedTree(read(text), random, donor), random);
    } catch {
      // What is not of that form is for the other mutators.
      return text;
    }
  });

/** Changes to the tree that a JSON text stands for. */
export const json: Mutator = onTree(
  (text) => JSON.parse(text) as unknown,
  (tree) => JSON.stringify(tree) ?? 'null',
);

/** Changes to the tree that a YAML text stands for. Comments are lost. */
export const yaml: Mutator = onTree(
  (text) => parse(text, { maxAliasCount: 0, logLevel: 'silent' }) as unknown,
  (tree, random) =>
    stringify(tree, random.below(4) === 0 ? { collectionStyle: 'flow' } : { collectionStyle: 'any', lineWidth: 0 }),
);
