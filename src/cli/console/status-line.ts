import { safe } from '../safe-text.ts';

/** A sentence of our own between the lines of a program; on a full screen in its last line, until that is drawn again. */
export function statusText(text: string, isAlternate: boolean): string {
  const shown = `[cci: ${safe(text)}]`;
  if (isAlternate) return `\u001b7\u001b[9999;1H\u001b[7m${shown}\u001b[m\u001b[K\u001b8`;
  return `\r\n\u001b[7m${shown}\u001b[m\r\n`;
}
