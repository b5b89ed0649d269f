import { type Document, isNode, isScalar, visit } from 'yaml';

/** A key that is none, and where it stands: offset in the file. */
export interface OddKey {
  readonly offset: number;
  readonly message: string;
}

const CONTROL = /\p{Cc}/u;

/**
 * Keys that are a list, a mapping or an alias, or hold control characters; in the order of the file. The first kind would
 * become members under names that nobody wrote, and the parser would print a piece of the file on its own account. A line
 * end in a key would take it past the patterns of a schema, and what stands behind it past every check.
 */
export function oddKeys(document: Document): readonly OddKey[] {
  const found: OddKey[] = [];
  visit(document, {
    Map: (_key, { items }) => {
      for (const { key } of items) {
        if (!isNode(key)) continue;
        const offset = Number(key.range?.[0]);
        if (!isScalar(key)) found.push({ offset, message: 'a key must be a single value' });
        else if (CONTROL.test(String(key.value)))
          found.push({ offset, message: 'a key must not hold control characters' });
      }
    },
  });
  return found.sort((a, b) => a.offset - b.offset);
}
