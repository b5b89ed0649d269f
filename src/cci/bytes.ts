/** Little-endian access to ordinary memory. Never used on device memory, where the width of an access matters. */

/** Reads `width` bytes (1..6) as a number. The caller has checked the bounds. */
export function readUint(source: Uint8Array, offset: number, width: number): number {
  if (width === 1) return source[offset] ?? 0;
  let value = 0;
  for (let i = width - 1; i >= 0; i--) value = value * 256 + (source[offset + i] ?? 0);
  return value;
}

/** Reads 8 bytes. */
export function readUint64(source: Uint8Array, offset: number): bigint {
  return (BigInt(readUint(source, offset + 4, 4)) << 32n) | BigInt(readUint(source, offset, 4));
}

export function writeUint(target: Uint8Array, offset: number, width: number, value: number): void {
  let rest = value;
  for (let i = 0; i < width; i++) {
    target[offset + i] = rest;
    rest = Math.floor(rest / 256);
  }
}

export function writeUint64(target: Uint8Array, offset: number, value: bigint): void {
  writeUint(target, offset, 4, Number(value & 0xffffffffn));
  writeUint(target, offset + 4, 4, Number(value >> 32n));
}

/** The bytes from `start` on, in memory of their own. `slice` of a Buffer would be the same memory. */
export function copyOf(source: Uint8Array, start: number = 0): Uint8Array {
  return new Uint8Array(source.subarray(start));
}

const HEX = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, '0'));

/** Lower-case hex, two digits a byte. */
export function toHex(source: Uint8Array): string {
  let text = '';
  for (const byte of source) text += HEX[byte];
  return text;
}

/** Bytes of a hex text, or undefined where it is not an even number of hex digits (white space between is allowed). */
export function fromHex(text: string): Uint8Array | undefined {
  const digits = text.replace(/\s+/g, '');
  if (digits.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(digits)) return undefined;
  const result = new Uint8Array(digits.length / 2);
  for (let i = 0; i < result.length; i++) result[i] = Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16);
  return result;
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

/** Canonical text of the 16 bytes of a UUID, in wire order (CXL stores the text order). */
export function uuidText(source: Uint8Array): string {
  const hex = toHex(source);
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

/** The 16 bytes of a canonical UUID text, or undefined. */
export function uuidBytes(text: string): Uint8Array | undefined {
  return /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i.test(text)
    ? fromHex(text.replaceAll('-', ''))
    : undefined;
}
