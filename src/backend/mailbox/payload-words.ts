/** `length` bytes by 4-byte loads in rising order, the least significant byte first; the last load may bring too much. */
export function loadWords(length: number, load: (at: number) => number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at += 4) {
    const word = load(at);
    // Stores past the end of a typed array are dropped, which cuts the last word to length.
    for (let byte = 0; byte < 4; byte++) bytes[at + byte] = (word >>> (8 * byte)) & 0xff;
  }
  return bytes;
}

/** Stores the bytes by 4-byte stores in rising order; the last one is filled with zeros. */
export function storeWords(bytes: Uint8Array, store: (at: number, word: number) => void): void {
  const byteAt = (at: number): number => bytes[at] ?? 0;
  for (let at = 0; at < bytes.length; at += 4) {
    const high = (byteAt(at + 3) << 24) | (byteAt(at + 2) << 16);
    store(at, (high | (byteAt(at + 1) << 8) | byteAt(at)) >>> 0);
  }
}
