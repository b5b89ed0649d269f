import { TerminalFilter } from './terminal-filter.ts';

/**
 * What a program may have changed in the terminal of whoever opened its console, and how it is undone. All of it is sent
 * at the end, whatever came before: a terminal that does not know one of these passes over it.
 */
const ALWAYS: readonly (readonly [undo: string, what: string])[] = [
  ['\u001b[?1l\u001b>', 'cursor keys and key pad'],
  ['\u001b[?2004l', 'marks around what is pasted'],
  ['\u001b[?9l\u001b[?1000l\u001b[?1001l\u001b[?1002l\u001b[?1003l\u001b[?1004l', 'mouse and focus'],
  ['\u001b[?1005l\u001b[?1006l\u001b[?1015l\u001b[?1016l', 'how the mouse is told'],
  ['\u001b[?2026l\u001b[?5l\u001b[?69l', 'output held back, reverse video, margins'],
  ['\u001b[>4m\u001b[=0u', 'how keys are told (xterm, kitty)'],
  ['\u001b[0 q', 'shape of the cursor'],
];

const ESC = '\u001b';

/** Sequences whose undoing is not without effect where they were not used. */
const SEEN: readonly (readonly [seen: RegExp, undo: string])[] = [
  // Without origin mode the cursor is at the top: the last line is where a shell goes on.
  [new RegExp(`${ESC}\\[\\?(?:\\d+;)*6(?:;\\d+)*h`), '\u001b[?6l\u001b[9999;1H'],
  [new RegExp(`${ESC}\\](?:4|10|11|12|17|19);`), '\u001b]104\u0007\u001b]110\u0007\u001b]111\u0007\u001b]112\u0007'],
];

/** Longest sequence that is looked for. */
const TAIL = 64;

/** Follows raw output so that its effects can be undone. */
export class ShownState {
  /** Knows about the alternate screen. */
  readonly #filter = new TerminalFilter();
  readonly #undo = new Set<string>();
  #tail = '';

  take(bytes: Uint8Array): void {
    this.#filter.take(bytes);
    const text = this.#tail + Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
    for (const [seen, undo] of SEEN) if (seen.test(text)) this.#undo.add(undo);
    this.#tail = text.slice(-TAIL);
  }

  get isAlternate(): boolean {
    return this.#filter.isAlternate;
  }

  /** Keeps the title, where the terminal can. */
  static readonly begin = '\u001b[22;0t';

  resetText(): string {
    const always = ALWAYS.map(([undo]) => undo).join('');
    return `\u001b\\${always}${[...this.#undo].join('')}${this.#filter.resetText()}\u001b[23;0t`;
  }
}
