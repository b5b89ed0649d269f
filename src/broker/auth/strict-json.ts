import { err, ok, type Result } from '../../cci/index.ts';

/** A JSON object whose members are still to be looked at one by one. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** Deeper nesting has no use in a token. */
const MAX_DEPTH = 16;

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** An own member, never one that the prototype lends. */
export function member(object: JsonObject, name: string): unknown {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

/** The member at the end of a way through objects; undefined where there is none. */
export function memberAt(object: JsonObject, path: readonly string[]): unknown {
  let value: unknown = object;
  for (const name of path) value = isObject(value) ? member(value, name) : undefined;
  return value;
}

/**
 * Parses one JSON object from bytes: valid UTF-8, no byte order mark, nesting of at most 16, and no member given
 * twice. A repeated member is read differently by different parsers, so that what an issuer signed need not be
 * what a verifier reads. The error is a sentence for the journal.
 */
export function parseObject(bytes: Uint8Array): Result<JsonObject, string> {
  let text: string;
  let value: unknown;
  try {
    text = utf8.decode(bytes);
    value = JSON.parse(text);
  } catch {
    return err('not JSON in UTF-8');
  }
  if (!isObject(value)) return err('not a JSON object');
  const flaw = structuralFlaw(text);
  return flaw === undefined ? ok(value) : err(flaw);
}

/** Looks for a repeated member or deep nesting in text that is known to be JSON. */
function structuralFlaw(text: string): string | undefined {
  // The members of each object that is open; undefined stands for an open array.
  const open: (Set<string> | undefined)[] = [];
  let nameIsNext = false;
  for (let at = 0; at < text.length; at++) {
    switch (text[at]) {
      case '{':
        open.push(new Set());
        nameIsNext = true;
        break;
      case '[':
        open.push(undefined);
        nameIsNext = false;
        break;
      case '}':
      case ']':
        open.pop();
        nameIsNext = false;
        break;
      case ',':
        nameIsNext = open.at(-1) !== undefined;
        break;
      case '"': {
        const end = endOfString(text, at);
        if (nameIsNext) {
          // Parsed, because `"\u0069ss"` and `"iss"` are one name.
          const name = String(JSON.parse(text.slice(at, end + 1)));
          const members = open.at(-1);
          if (members?.has(name)) return 'a member is given twice';
          members?.add(name);
          nameIsNext = false;
        }
        at = end;
        break;
      }
    }
    if (open.length > MAX_DEPTH) return `nested deeper than ${MAX_DEPTH}`;
  }
  return undefined;
}

/** Index of the quote that closes the string opened at `start`. */
function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at;
}
