import { UsageError } from '../usage-error.ts';

/** What the person at the terminal wants of `cci` itself. */
export type EscapeCommand = 'end' | 'help';

/** Longest piece of input that a person types at once; more is pasted, and in what is pasted nobody is asked to leave. */
const MAX_TYPED = 8;
const PASTE_BEGIN = '\u001b[200~';
const PASTE_END = '\u001b[201~';

/**
 * Finds the escape sequence in what is typed, as ssh does: at the beginning of a line the escape character and then `.`
 * (end), `?` (help) or the character again (itself). A control character, such as Ctrl-], counts anywhere in a line.
 */
export class EscapeWatch {
  readonly #escape: number | undefined;
  #atLineStart = true;
  #isPending = false;
  #isPaste = false;
  #tail = '';

  /** @param character what begins it; undefined turns it off */
  constructor(character: number | undefined) {
    this.#escape = character;
  }

  /** What of the input goes to the program, and what was wanted of us. */
  take(bytes: Uint8Array): { readonly send: Uint8Array; readonly commands: readonly EscapeCommand[] } {
    const isPasted = this.#followPaste(bytes) || bytes.length > MAX_TYPED;
    // Cursor keys, and what the terminal answers to questions, say nothing about where in a line one is.
    const isSequence = bytes.length > 1 && bytes[0] === 0x1b;
    if (this.#escape === undefined || isPasted || isSequence) {
      return { send: this.#passed(bytes, isSequence && !isPasted), commands: [] };
    }
    const send: number[] = [];
    const commands: EscapeCommand[] = [];
    for (const byte of bytes) {
      if (this.#isPending) this.#second(byte, send, commands);
      else if (byte === this.#escape && (this.#atLineStart || byte < 0x20)) this.#isPending = true;
      else {
        send.push(byte);
        this.#atLineStart = isLineEnd(byte);
      }
    }
    return { send: Uint8Array.from(send), commands };
  }

  #second(byte: number, send: number[], commands: EscapeCommand[]): void {
    const own = this.#escape ?? 0;
    this.#isPending = false;
    if (byte === 0x2e) commands.push('end');
    else if (byte === 0x3f) commands.push('help');
    else {
      if (byte !== own) send.push(own);
      send.push(byte);
      this.#atLineStart = isLineEnd(byte);
    }
  }

  #passed(bytes: Uint8Array, isSequence: boolean): Uint8Array {
    const before = this.#isPending && this.#escape !== undefined ? [this.#escape] : [];
    this.#isPending = false;
    const last = bytes.at(-1);
    if (last !== undefined && !isSequence) this.#atLineStart = isLineEnd(last);
    return Uint8Array.from([...before, ...bytes]);
  }

  /** Is any of it between the marks that a terminal puts around what is pasted? */
  #followPaste(bytes: Uint8Array): boolean {
    const text = this.#tail + Buffer.from(bytes).toString('latin1');
    const [begin, end] = [text.lastIndexOf(PASTE_BEGIN), text.lastIndexOf(PASTE_END)];
    const was = this.#isPaste;
    if (begin >= 0 || end >= 0) this.#isPaste = begin > end;
    this.#tail = text.slice(1 - PASTE_BEGIN.length);
    return was || this.#isPaste;
  }
}

function isLineEnd(byte: number): boolean {
  return byte === 0x0d || byte === 0x0a;
}

/** `~`, `^]` or `none`, as `--escape` takes it. */
export function parseEscape(text: string): number | undefined {
  if (text === 'none') return undefined;
  const control = /^\^([@-_])$/.exec(text.toUpperCase())?.[1];
  const code = control === undefined ? text.charCodeAt(0) : control.charCodeAt(0) - 0x40;
  const isSound = control === undefined ? /^[!-~]$/.test(text) && !'.?'.includes(text) : code !== 0x1b && code !== 0x0d;
  if (!isSound) {
    throw new UsageError(
      `\`${text}\` is no escape character`,
      'give one character such as ~, a control character such as ^], or none',
    );
  }
  return code;
}

/** How it is typed, for people. */
export function escapeText(character: number): string {
  return character < 0x20 ? `Ctrl-${String.fromCharCode(character + 0x40)}` : String.fromCharCode(character);
}
