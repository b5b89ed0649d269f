import { TerminalFilter } from './terminal-filter.ts';

const ESC = '\u001b';
/** Sequences of the filter's language that put what follows elsewhere on the screen: for a reader, another line. */
const MOVES = new RegExp(`${ESC}(?:\\[\\??[\\d;]*[A-HJLMSTdefru]|[78DEM]|\\[\\?(?:47|1047|1049)[hl])`, 'g');
const SEQUENCES = new RegExp(`${ESC}(?:\\[\\??[\\d;:]*[@-~]|[()][0B])`, 'g');

/** A line of a recording for people to read. */
export interface ReadLine {
  /** When its first character came, milliseconds from the beginning. */
  readonly elapsedMs: number;
  /** When its last one came. */
  readonly endMs: number;
  readonly text: string;
}

/** Lines of what a terminal was sent, without what makes it colourful. Full screens come out as their pieces. */
export class PlainText {
  readonly #filter = new TerminalFilter();
  #line = '';
  #sinceMs = 0;
  #endMs = 0;

  take(bytes: Uint8Array, elapsedMs: number): readonly ReadLine[] {
    return this.#take(this.#filter.take(bytes), elapsedMs);
  }

  /** Ends the line, so that something else can be told behind it. */
  flush(): readonly ReadLine[] {
    return this.#take('\n', this.#endMs);
  }

  end(): readonly ReadLine[] {
    this.#filter.end();
    return this.flush();
  }

  #take(text: string, elapsedMs: number): readonly ReadLine[] {
    const plain = text.replace(MOVES, '\n').replace(SEQUENCES, '');
    const lines: ReadLine[] = [];
    for (const part of plain.split(/([\r\n\v\f]+)/)) {
      if (!/^[\r\n\v\f]/.test(part)) {
        if (part === '') continue;
        if (this.#line === '') this.#sinceMs = elapsedMs;
        this.#endMs = elapsedMs;
        this.#append(part);
      } else if (this.#line.trim() !== '') {
        lines.push({ elapsedMs: this.#sinceMs, endMs: this.#endMs, text: this.#line.trimEnd() });
        this.#line = '';
      } else this.#line = '';
    }
    // A program that never ends a line must not fill the memory.
    if (this.#line.length > MAX_LINE) {
      lines.push({ elapsedMs: this.#sinceMs, endMs: this.#endMs, text: this.#line });
      this.#line = '';
    }
    return lines;
  }

  /**
   * A backspace takes the character before it away, as a shell does when a typing error is mended. Each character is looked at
   * once: a recording may hold nothing but backspaces.
   */
  #append(part: string): void {
    const kept: string[] = [];
    let erased = 0;
    for (const character of part) {
      if (character === '\b') erased += kept.pop() === undefined ? 1 : 0;
      else if (character !== '\u000e' && character !== '\u000f') kept.push(character === '\t' ? ' ' : character);
    }
    this.#line = (erased === 0 ? this.#line : this.#line.slice(0, -erased)) + kept.join('');
  }
}

const MAX_LINE = 64 << 10;
