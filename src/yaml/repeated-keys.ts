import { type Document, isScalar, visit } from 'yaml';

/**
 * Where a key stands that its mapping has already: offsets, in the order of the file. The parser's own look compares each
 * key with all before it, so that one file of a megabyte takes minutes; this one is linear.
 *
 * Keys are one where they become one member: `1` and `"1"` as well.
 */
export function repeatedKeys(document: Document): readonly number[] {
  const found: number[] = [];
  visit(document, {
    Map: (_key, { items }) => {
      const seen = new Set<string>();
      for (const { key } of items) {
        if (!isScalar(key)) continue;
        const name = String(key.value ?? '');
        if (seen.has(name)) found.push(Number(key.range?.[0]));
        seen.add(name);
      }
    },
  });
  return found.sort((a, b) => a - b);
}
