/**
 * Characters that a terminal obeys, or that change how others are read: control, format (right-to-left marks among
 * them), line and paragraph separators, lone surrogates. Names and messages come from devices, other people's tokens and
 * whatever answers at the URL: none of them may move the cursor.
 */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

function escaped(character: string): string {
  return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
}

/** One line that is safe to print. */
export function safe(text: string): string {
  return text.replace(UNSAFE, escaped);
}

/** JSON that is safe to print and parses to the same value. */
export function safeJson(value: unknown, indent = 2): string {
  const json = JSON.stringify(value, null, indent) ?? 'null';
  return json.replace(UNSAFE, (character) =>
    character === '\n'
      ? character
      : Array.from({ length: character.length }, (_, i) => character.charCodeAt(i))
          .map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`)
          .join(''),
  );
}
