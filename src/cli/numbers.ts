import { UsageError } from './usage-error.ts';

/** `0xc010`, `c010h` or decimal. */
export function parseOpcode(text: string): number {
  const hex = /^(?:0x([0-9a-f]{1,4})|([0-9a-f]{1,4})h)$/i.exec(text);
  const value =
    hex === null ? (/^\d{1,5}$/.test(text) ? Number(text) : Number.NaN) : Number.parseInt(hex[1] ?? hex[2] ?? '', 16);
  if (value >= 1 && value <= 0xffff) return value;
  throw new UsageError(`\`${text}\` is not an opcode`, 'give 0x0001 to 0xffff');
}

/** Hex digits in pairs; spaces, colons and a leading 0x are dropped. */
export function parseHex(text: string): string {
  const digits = text.replace(/^0x/i, '').replace(/[\s:]/g, '').toLowerCase();
  if (digits.length % 2 === 0 && /^[0-9a-f]*$/.test(digits)) return digits;
  throw new UsageError('the payload is not hex', 'give two hex digits a byte, such as 00ff10');
}

const UNITS: { readonly [unit: string]: number } = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `90s`, `15m`, `1h`, in milliseconds. */
export function parseDuration(text: string): number {
  const found = /^(\d{1,9})(ms|s|m|h|d)$/.exec(text);
  const unit = UNITS[found?.[2] ?? ''];
  if (found === null || unit === undefined) {
    throw new UsageError(`\`${text}\` is not a time span`, 'give a number with a unit, such as 90s, 15m or 1h');
  }
  return Number(found[1]) * unit;
}
