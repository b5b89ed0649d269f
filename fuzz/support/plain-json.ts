/**
 * A second reader of JSON, character by character and written from RFC 8259 alone, to hold the product's against. An
 * object, no member twice, no deeper than said; undefined for anything else.
 */
export function strictlyRead(bytes: Uint8Array, depth: number): { readonly value: unknown } | undefined {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
  try {
    const reader = new Reader(text, depth);
    return { value: reader.whole() };
  } catch (error) {
    if (error instanceof NotStrict) return undefined;
    throw error;
  }
}

class NotStrict extends Error {}

const ESCAPES: ReadonlyMap<string, string> = new Map([
  ['"', '"'],
  ['\\', '\\'],
  ['/', '/'],
  ['b', '\b'],
  ['f', '\f'],
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
]);
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const WORDS = [
  ['true', true],
  ['false', false],
  ['null', null],
] as const;

class Reader {
  private readonly text: string;
  private readonly depth: number;
  private at = 0;

  constructor(text: string, depth: number) {
    this.text = text;
    this.depth = depth;
  }

  whole(): unknown {
    this.blanks();
    if (this.text[this.at] !== '{') throw new NotStrict();
    const value = this.value(0);
    this.blanks();
    if (this.at !== this.text.length) throw new NotStrict();
    return value;
  }

  private blanks(): void {
    while (' \t\n\r'.includes(this.text[this.at] ?? 'x')) this.at++;
  }

  private eat(character: string): boolean {
    this.blanks();
    if (this.text[this.at] !== character) return false;
    this.at++;
    return true;
  }

  private value(depth: number): unknown {
    this.blanks();
    const character = this.text[this.at];
    if (character === '{') return this.object(depth + 1);
    if (character === '[') return this.array(depth + 1);
    if (character === '"') return this.string();
    for (const [word, value] of WORDS) {
      if (!this.text.startsWith(word, this.at)) continue;
      this.at += word.length;
      return value;
    }
    NUMBER.lastIndex = this.at;
    const number = NUMBER.exec(this.text);
    if (number === null) throw new NotStrict();
    this.at += number[0].length;
    return Number(number[0]);
  }

  private enter(depth: number): void {
    if (depth > this.depth) throw new NotStrict();
    this.at++;
  }

  private object(depth: number): unknown {
    this.enter(depth);
    const members = new Map<string, unknown>();
    if (this.eat('}')) return {};
    do {
      this.blanks();
      const name = this.string();
      if (!this.eat(':') || members.has(name)) throw new NotStrict();
      members.set(name, this.value(depth));
    } while (this.eat(','));
    if (!this.eat('}')) throw new NotStrict();
    return Object.fromEntries(members);
  }

  private array(depth: number): unknown {
    this.enter(depth);
    const items: unknown[] = [];
    if (this.eat(']')) return items;
    do items.push(this.value(depth));
    while (this.eat(','));
    if (!this.eat(']')) throw new NotStrict();
    return items;
  }

  private string(): string {
    if (this.text[this.at] !== '"') throw new NotStrict();
    this.at++;
    let value = '';
    for (;;) {
      const character = this.text[this.at++];
      if (character === undefined || character < ' ') throw new NotStrict();
      if (character === '"') return value;
      if (character !== '\\') value += character;
      else value += this.escape();
    }
  }

  private escape(): string {
    const kind = this.text[this.at++] ?? '';
    if (kind !== 'u') {
      const meant = ESCAPES.get(kind);
      if (meant === undefined) throw new NotStrict();
      return meant;
    }
    const digits = this.text.slice(this.at, this.at + 4);
    if (!/^[\da-fA-F]{4}$/.test(digits)) throw new NotStrict();
    this.at += 4;
    return String.fromCharCode(Number.parseInt(digits, 16));
  }
}
