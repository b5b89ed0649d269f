/**
 * A reviewed vendor command as it is written, before anybody believes it: every scalar is text, as in the policy's YAML and
 * in what a broker tells its clients. Pure data, so that one reader serves both.
 */
export type Form = string | readonly Form[] | ReadonlyMap<string, Form>;
export type FormMap = ReadonlyMap<string, Form>;
/** Keys and indices that lead to a piece of a form. */
export type FormPath = readonly (string | number)[];
/** Where something is wrong, one sentence on what, and what to write instead. `key`: the key is, not what stands there. */
export type SayProblem = (path: FormPath, message: string, help: string, part?: 'key') => void;

const DEPTH_MAX = 12;

/** A form from JSON that somebody sent: objects, lists and texts. Undefined for anything else, and for what is nested deeper than any form. */
export function formOf(json: unknown, depth = 0): Form | undefined {
  if (typeof json === 'string') return json;
  if (typeof json !== 'object' || json === null || depth >= DEPTH_MAX) return undefined;
  if (Array.isArray(json)) {
    const items = json.map((item) => formOf(item, depth + 1));
    return items.every((item) => item !== undefined) ? items : undefined;
  }
  const entries = Object.entries(json).map(([key, item]) => [key, formOf(item, depth + 1)] as const);
  return entries.every((entry): entry is readonly [string, Form] => entry[1] !== undefined)
    ? new Map(entries)
    : undefined;
}

/** The form as JSON text, members in the order in which they were written. */
export function formText(form: Form): string {
  if (typeof form === 'string') return JSON.stringify(form);
  if (isList(form)) return `[${form.map(formText).join(',')}]`;
  return `{${[...form].map(([key, item]) => `${JSON.stringify(key)}:${formText(item)}`).join(',')}}`;
}

export function isMap(form: Form | undefined): form is FormMap {
  return form instanceof Map;
}

export function isList(form: Form | undefined): form is readonly Form[] {
  return Array.isArray(form);
}

const WHOLE = /^(?:0|[1-9][0-9]{0,15}|0x[0-9a-f]{1,14})$/;

/** A number as people write it: `12` or `0x0c`. */
export function wholeNumber(text: string): number | undefined {
  const value = WHOLE.test(text) ? Number(text) : undefined;
  return value !== undefined && Number.isSafeInteger(value) ? value : undefined;
}

/** As much of a text as a sentence may repeat. */
export function quoted(text: string): string {
  return `\`${text.length > 60 ? `${text.slice(0, 60)}...` : text}\``;
}

/** Reads the members of one mapping: what is missing is said, and in the end every key that nobody asked for. */
export class Members {
  readonly path: FormPath;
  readonly #map: FormMap;
  readonly #say: SayProblem;
  readonly #asked = new Set<string>();

  constructor(map: FormMap, path: FormPath, say: SayProblem) {
    this.path = path;
    this.#map = map;
    this.#say = say;
  }

  /** The members of a form that has to be a mapping. */
  static of(form: Form | undefined, path: FormPath, say: SayProblem, what: string, help: string): Members | undefined {
    if (isMap(form)) return new Members(form, path, say);
    say(path, `${what} must be a mapping`, help);
    return undefined;
  }

  has(key: string): boolean {
    return this.#map.has(key);
  }

  get(key: string): Form | undefined {
    this.#asked.add(key);
    return this.#map.get(key);
  }

  at(key: string | number): FormPath {
    return [...this.path, key];
  }

  say(key: string, message: string, help: string): void {
    this.#say(this.has(key) ? this.at(key) : this.path, message, help);
  }

  keys(): readonly string[] {
    return [...this.#map.keys()];
  }

  /** Text that has to be there. */
  text(key: string, help: string): string | undefined {
    if (this.get(key) === undefined) {
      this.say(key, `\`${key}\` is missing`, help);
      return undefined;
    }
    return this.optionalText(key, help);
  }

  optionalText(key: string, help: string): string | undefined {
    const found = this.get(key);
    if (found === undefined || (typeof found === 'string' && found !== '')) return found;
    this.say(key, found === '' ? `\`${key}\` is empty` : `\`${key}\` must be text`, help);
    return undefined;
  }

  /** One of some words. */
  word<const W extends string>(key: string, words: readonly W[], fallback?: W): W | undefined {
    const help = `write one of ${words.map((word) => `\`${word}\``).join(', ')}`;
    const text = fallback === undefined ? this.text(key, help) : this.optionalText(key, help);
    if (text === undefined) return fallback;
    const found = words.find((word) => word === text);
    if (found === undefined) this.say(key, `${quoted(text)} is not a value of \`${key}\``, help);
    return found;
  }

  /** A number within bounds that has to be there. */
  number(key: string, min: number, max: number): number | undefined {
    const range = min === max ? `${min}` : `a number from ${min} to ${max}`;
    const help = `write ${range}`;
    const text = this.text(key, help);
    if (text === undefined) return undefined;
    const value = wholeNumber(text);
    if (value !== undefined && value >= min && value <= max) return value;
    this.say(key, `${quoted(text)} is not ${range}`, help);
    return undefined;
  }

  /** Says every key that nobody asked for: a mistyped restriction must not be silently absent. */
  finish(): void {
    for (const key of this.#map.keys()) {
      if (this.#asked.has(key)) continue;
      const known = [...this.#asked].map((name) => `\`${name}\``).join(', ');
      this.#say(this.at(key), `unknown key ${quoted(key)}`, `the keys here are ${known}`, 'key');
    }
  }
}
