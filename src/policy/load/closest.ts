/** The candidate that a word was probably meant to be, or undefined when none is near. */
export function closest(word: string, candidates: Iterable<string>): string | undefined {
  if (word.length > 64) return undefined;
  let best: string | undefined;
  // A third of the letters wrong is no typing mistake any more.
  let distance = Math.floor((word.length + 1) / 3) + 1;
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - word.length) >= distance) continue;
    const d = editDistance(word, candidate);
    if (d < distance) [best, distance] = [candidate, d];
  }
  return best;
}

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i += 1) {
    const current = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const substitute = Number(previous[j - 1]) + (a[i - 1] === b[j - 1] ? 0 : 1);
      current.push(Math.min(substitute, Number(previous[j]) + 1, Number(current[j - 1]) + 1));
    }
    previous = current;
  }
  return Number(previous[b.length]);
}
