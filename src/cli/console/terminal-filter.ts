import {
  characterSets,
  controlSequences,
  controls,
  eightBit,
  escapes,
  HIDDEN,
  screenModes,
} from './terminal-allowlist.ts';

/** Longest control sequence that is looked at, in characters. Longer ones are left out. */
const MAX_SEQUENCE = 256;
/** Longest command string (a title, a picture) that is swallowed, in characters; what follows is shown as text. */
const MAX_STRING = 1 << 20;

/** `csi`: after `ESC [`. `string`: a command that goes on until its terminator, all of which is left out. */
type State = 'ground' | 'escape' | 'set' | 'csi' | 'string' | 'string-escape';

/** Kinds of what was left out, for the sentence at the end. */
export type LeftOut =
  | 'control'
  | 'escape'
  | 'sequence'
  | 'mode'
  | 'string'
  | 'clipboard'
  | 'title'
  | 'link'
  | 'query'
  | 'hidden';

/**
 * Makes terminal output of anybody safe to show: bytes in, text out that only writes characters, moves the cursor,
 * erases, scrolls, colours and changes to the alternate screen and back. What asks the terminal something, sets its title
 * or clipboard, changes modes of keyboard and mouse, or is no complete sequence is left out and counted; 8-bit controls
 * come out in their 7-bit form. Works on chunks cut anywhere; nothing ever comes out in part. Never throws.
 *
 * INVARIANT: the text consists of printable characters and of entries of `terminal-allowlist.ts`.
 */
export class TerminalFilter {
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  readonly #leftOut = new Map<LeftOut, number>();
  #state: State = 'ground';
  /** Of the sequence or string that is being read, without its introducer. */
  #text = '';
  /** `]` OSC, `P` DCS, `X` SOS, `^` PM, `_` APC. */
  #string = '';
  #stringLength = 0;
  #set = '';
  #isAlternate = false;

  /** What may be shown of the next bytes. */
  take(bytes: Uint8Array): string {
    return this.#take(this.#decoder.decode(bytes, { stream: true }));
  }

  /** The end: what was begun and not ended is left out, and the terminal is as it should be afterwards. */
  end(): string {
    const rest = this.#take(this.#decoder.decode());
    if (this.#state !== 'ground') this.#leave('sequence');
    this.#state = 'ground';
    return rest + this.resetText();
  }

  /** Is the alternate screen shown? */
  get isAlternate(): boolean {
    return this.#isAlternate;
  }

  /** How many things were left out, by kind. */
  get leftOut(): ReadonlyMap<LeftOut, number> {
    return this.#leftOut;
  }

  /** Undoes every lasting effect that the text can have had: colours, modes, scroll region, character set, screen. */
  resetText(): string {
    const back = this.#isAlternate ? '\u001b[?1049l' : '';
    this.#isAlternate = false;
    // Without a region the cursor goes home: its place is kept around that.
    return `${back}\u001b7\u001b[r\u001b8\u001b[m\u001b(B\u001b)B\u000f\u001b[4l\u001b[?7h\u001b[?25h`;
  }

  #take(text: string): string {
    let out = '';
    for (let at = 0; at < text.length; ) {
      if (this.#state === 'ground') {
        const end = endOfPlain(text, at);
        if (end > at) {
          out += text.slice(at, end);
          at = end;
          continue;
        }
      }
      const code = text.codePointAt(at) ?? 0;
      out += this.#character(code);
      at += code > 0xffff ? 2 : 1;
    }
    return out;
  }

  #character(code: number): string {
    // These end whatever was begun, in every state.
    if (code === 0x18 || code === 0x1a) {
      this.#state = 'ground';
      this.#leave('control');
      return '';
    }
    if (this.#state === 'string' || this.#state === 'string-escape') return this.#inString(code);
    if (code === 0x1b) {
      if (this.#state !== 'ground') this.#leave('sequence');
      this.#state = 'escape';
      return '';
    }
    if (code >= 0x80 && code < 0xa0) {
      if (this.#state !== 'ground') this.#leave('sequence');
      const final = eightBit[code];
      this.#state = 'ground';
      if (final === undefined) {
        this.#leave('control');
        return '';
      }
      return this.#afterEscape(final);
    }
    // A terminal obeys control characters in the middle of a sequence.
    if (code < 0x20 || code === 0x7f) return this.#control(code);
    const character = String.fromCodePoint(code);
    switch (this.#state) {
      case 'escape':
        return this.#afterEscape(character);
      case 'set':
        return this.#afterSet(character);
      case 'csi':
        return this.#inSequence(character, code);
      default:
        return this.#printable(character, code);
    }
  }

  #printable(character: string, code: number): string {
    if (!HIDDEN.test(character)) return character;
    this.#leave('hidden');
    return `\\u{${code.toString(16)}}`;
  }

  #control(code: number): string {
    if (controls.includes(code)) return String.fromCharCode(code);
    this.#leave(code === 0x05 ? 'query' : 'control');
    return '';
  }

  #afterEscape(character: string): string {
    this.#state = 'ground';
    this.#text = '';
    switch (character) {
      case '[':
        this.#state = 'csi';
        return '';
      case ']':
      case 'P':
      case 'X':
      case '^':
      case '_':
        this.#state = 'string';
        this.#string = character;
        this.#stringLength = 0;
        return '';
      case '\\':
        return '';
    }
    if (character >= ' ' && character <= '/') {
      this.#state = 'set';
      this.#set = character;
      return '';
    }
    const written = character.length === 1 && Object.hasOwn(escapes, character) ? escapes[character] : undefined;
    if (character === 'c') this.#isAlternate = false;
    if (written === undefined) this.#leave(character === 'Z' ? 'query' : 'escape');
    return written ?? '';
  }

  #afterSet(character: string): string {
    if (character >= ' ' && character <= '/') {
      this.#set += this.#set.length < MAX_SEQUENCE ? character : '';
      return '';
    }
    this.#state = 'ground';
    if ((this.#set === '(' || this.#set === ')') && characterSets.includes(character)) {
      return `\u001b${this.#set}${character}`;
    }
    this.#leave('escape');
    return '';
  }

  #inSequence(character: string, code: number): string {
    if (code > 0x7e) {
      // No terminal goes on with the sequence; the character is shown.
      this.#state = 'ground';
      this.#leave('sequence');
      return this.#printable(character, code);
    }
    if (code < 0x40) {
      if (this.#text.length <= MAX_SEQUENCE) this.#text += character;
      return '';
    }
    this.#state = 'ground';
    return this.#sequence(this.#text, character);
  }

  #sequence(text: string, final: string): string {
    const found = text.length > MAX_SEQUENCE ? null : /^([<=>?]?)([\d;:]*)([ -/]*)$/.exec(text);
    const [, prefix = '', list = '', intermediate = ''] = found ?? [];
    const written = found === null || intermediate !== '' ? undefined : writtenParameters(prefix, list, final);
    if (written === undefined) {
      this.#leave(
        'cntxy'.includes(final) && intermediate === '' ? 'query' : 'hl'.includes(final) ? 'mode' : 'sequence',
      );
      return '';
    }
    if (prefix === '?' && (final === 'h' || final === 'l')) this.#noteModes(written, final);
    return `\u001b[${prefix}${written}${final}`;
  }

  #noteModes(written: string, final: string): void {
    const modes: readonly number[] = screenModes.alternate;
    if (written.split(';').some((mode) => modes.includes(Number(mode)))) this.#isAlternate = final === 'h';
  }

  #inString(code: number): string {
    if (this.#state === 'string-escape') {
      // `ESC \` ends it; any other escape does as well, and begins something of its own.
      this.#endString();
      if (code === 0x5c) return '';
      this.#state = 'escape';
      return this.#character(code);
    }
    if (code === 0x1b) {
      this.#state = 'string-escape';
      return '';
    }
    this.#stringLength += 1;
    if (code === 0x9c || (code === 0x07 && this.#string === ']') || this.#stringLength > MAX_STRING) this.#endString();
    else if (this.#text.length < 3) this.#text += String.fromCodePoint(code);
    return '';
  }

  #endString(): void {
    this.#state = 'ground';
    this.#leave(kindOfString(this.#string, this.#text));
  }

  #leave(kind: LeftOut): void {
    this.#leftOut.set(kind, (this.#leftOut.get(kind) ?? 0) + 1);
  }
}

/** The parameters as they are written out; undefined when the sequence is not allowed. */
function writtenParameters(prefix: string, list: string, final: string): string | undefined {
  if (final === 'm') return prefix === '' ? colours(list) : undefined;
  const form = `${prefix}${final}`;
  if (list.includes(':') || !Object.hasOwn(controlSequences, form)) return undefined;
  return controlSequences[form]?.(
    list === '' ? [] : list.split(';').map((part) => (part === '' ? undefined : Number(part))),
  );
}

/** Colours and styles: numbers of which none does more than draw. */
function colours(list: string): string | undefined {
  return /^(?:\d{0,5}[;:]){0,63}\d{0,5}$/.test(list) ? list : undefined;
}

const STRINGS: { readonly [number: string]: LeftOut } = {
  '52': 'clipboard',
  '0': 'title',
  '1': 'title',
  '2': 'title',
  '8': 'link',
};

function kindOfString(introducer: string, beginning: string): LeftOut {
  if (introducer === 'P') return beginning.startsWith('$q') || beginning.startsWith('+q') ? 'query' : 'string';
  if (introducer !== ']') return 'string';
  const [number = ''] = beginning.split(';');
  return STRINGS[number] ?? 'string';
}

/** Where a run of characters ends that need no look: printable ASCII and what is written after the C1 controls up to U+05FF. */
function endOfPlain(text: string, from: number): number {
  let at = from;
  for (; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code < 0x20 || (code > 0x7e && code < 0xa0) || code > 0x5ff) break;
  }
  return at;
}
