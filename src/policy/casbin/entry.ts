/** The value of a key, created the first time it is asked for. */
export function entry<K, V>(map: Map<K, V>, key: K, create: () => V): V {
  const known = map.get(key);
  if (known !== undefined) return known;
  const created = create();
  map.set(key, created);
  return created;
}

export const newMap = <K, V>(): Map<K, V> => new Map();
export const newList = <T>(): T[] => [];
