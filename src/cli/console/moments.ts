import { parseDuration } from '../numbers.ts';
import { UsageError } from '../usage-error.ts';

/** `75`, `75.5`, `1:15`, `1:02:03`, `90s` or `2m`: a moment of a recording, in milliseconds. */
export function parseMoment(text: string): number {
  if (/^\d{1,9}(?:ms|s|m|h)$/.test(text)) return parseDuration(text);
  const found = /^(?:(?:(\d{1,3}):)?(\d{1,4}):)?(\d{1,7}(?:\.\d{1,3})?)$/.exec(text);
  if (found === null) throw new UsageError(`\`${text}\` is no moment`, 'give seconds, 1:15, 1:02:03 or 90s');
  const [, hours = '0', minutes = '0', seconds = '0'] = found;
  return Math.round((Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)) * 1000);
}

/** `1:02:03.4`; minutes and seconds always. */
export function momentText(ms: number): string {
  const tenths = Math.floor(ms / 100);
  const two = (value: number): string => String(value).padStart(2, '0');
  const [hours, minutes] = [Math.floor(tenths / 36_000), Math.floor(tenths / 600) % 60];
  const seconds = `${two(Math.floor(tenths / 10) % 60)}.${tenths % 10}`;
  return hours === 0 ? `${minutes}:${seconds}` : `${hours}:${two(minutes)}:${seconds}`;
}
