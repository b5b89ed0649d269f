import { catalogue } from '../cci/index.ts';

/** The slug that was probably meant, if one is close. */
export function nearest(slug: string): string | undefined {
  let best: string | undefined;
  let least = Math.max(2, Math.floor(slug.length / 3)) + 1;
  for (const row of catalogue) {
    const away = distance(slug.slice(0, 64), row.slug);
    if (away < least) [best, least] = [row.slug, away];
  }
  return best;
}

/** Edits that turn one text into the other. */
function distance(a: string, b: string): number {
  let above = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const line = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (above[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      line.push(Math.min(replaced, (above[j] ?? 0) + 1, (line[j - 1] ?? 0) + 1));
    }
    above = line;
  }
  return above[b.length] ?? 0;
}
