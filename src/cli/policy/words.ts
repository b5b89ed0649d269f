import { safe } from '../safe-text.ts';

/** A list for one line: the first few, and how many more there are. */
export function few(words: readonly string[], most = 6): string {
  const shown = words.slice(0, most).map(safe).join(', ');
  return words.length > most ? `${shown} and ${words.length - most} more` : shown;
}

/** `1 row`, `2 rows`. */
export function count(n: number, one: string, many = `${one}s`): string {
  return `${n.toLocaleString('en')} ${n === 1 ? one : many}`;
}
