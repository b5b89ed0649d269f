/** The words a grant's RESOURCE column can be: a path, `path/*`, `own`. */
export const OWN = 'own';

/** Does a RESOURCE column cover a path? `own` is not decided here but by casbin's `g2`. Anchored; `*` only as a last step. */
export function coversPath(pattern: string, path: string): boolean {
  if (!pattern.endsWith('/*')) return pattern === path;
  const base = pattern.length - 2;
  if (path.length === base) return pattern.startsWith(path);
  return path.startsWith(pattern.slice(0, base + 1));
}

/** Every RESOURCE column but `own` that covers a path: itself, and it and each step above it with `/*`. */
export function coveringPatterns(path: string): readonly string[] {
  const patterns = [path, `${path}/*`];
  for (let slash = path.lastIndexOf('/'); slash > 0; slash = path.lastIndexOf('/', slash - 1)) {
    patterns.push(`${path.slice(0, slash)}/*`);
  }
  return patterns;
}
