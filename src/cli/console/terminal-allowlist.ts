/**
 * What of a terminal's language a replay may say. Everything that is not in these tables is left out: what a program
 * wrote for the terminal of one person is shown to another one, days later, and must do nothing there but draw.
 */

/** Whether parameters are what they may be, and what is written in their place. Undefined: the sequence is left out. */
export type Parameters = (values: readonly (number | undefined)[]) => string | undefined;

/** Rows and columns of the largest terminal that anybody has. More is cut to this. */
const MOST = 9999;

const cut = (value: number): number => Math.min(value, MOST);
const shown = (values: readonly (number | undefined)[]): string =>
  values.map((value) => (value === undefined ? '' : String(cut(value)))).join(';');

const atMost =
  (count: number): Parameters =>
  (values) =>
    values.length <= count ? shown(values) : undefined;

const oneOf =
  (...allowed: readonly number[]): Parameters =>
  (values) =>
    values.length <= 1 && allowed.includes(values[0] ?? 0) ? shown(values) : undefined;

/** Keeps the parameters that are allowed; without one of them there is nothing to say. */
const only =
  (...allowed: readonly number[]): Parameters =>
  (values) => {
    const kept = values.filter((value) => value !== undefined && allowed.includes(value));
    return kept.length === 0 ? undefined : shown(kept);
  };

/** Private modes whose end state `resetText` knows. */
export const screenModes = {
  wrap: 7,
  cursor: 25,
  alternate: [47, 1047, 1049],
} as const;

const privateMode = only(screenModes.wrap, screenModes.cursor, 1048, ...screenModes.alternate);

/** `CSI`, by private prefix and final character. Colours (`m`) have parts of their own and are not here. */
export const controlSequences: { readonly [form: string]: Parameters } = {
  '@': atMost(1), // insert characters
  A: atMost(1), // cursor up
  B: atMost(1), // down
  C: atMost(1), // right
  D: atMost(1), // left
  E: atMost(1), // next line
  F: atMost(1), // line before
  G: atMost(1), // column
  H: atMost(2), // place
  I: atMost(1), // tabs
  J: oneOf(0, 1, 2), // erase on the screen; 3 would erase what scrolled off it
  K: oneOf(0, 1, 2), // erase in the line
  L: atMost(1), // insert lines
  M: atMost(1), // delete lines
  P: atMost(1), // delete characters
  S: atMost(1), // scroll up
  T: atMost(1), // scroll down; with five parameters it would follow the mouse
  X: atMost(1), // erase characters
  Z: atMost(1), // tabs back
  '`': atMost(1), // column
  a: atMost(1), // columns to the right
  b: atMost(1), // repeat the last character
  d: atMost(1), // line
  e: atMost(1), // lines down
  f: atMost(2), // place
  h: only(4), // insert mode
  l: only(4),
  r: atMost(2), // scroll region
  s: atMost(0), // keep the place
  u: atMost(0), // back to the place kept
  '?J': oneOf(0, 1, 2), // erase what is not protected
  '?K': oneOf(0, 1, 2),
  '?h': privateMode,
  '?l': privateMode,
};

/** `ESC` and one more character, and what is written for it. */
export const escapes: { readonly [final: string]: string } = {
  '7': '\u001b7', // keep the place
  '8': '\u001b8', // back to it
  D: '\u001bD', // a line down, scrolls
  E: '\u001bE', // to the next line
  M: '\u001bM', // a line up, scrolls
  // Full reset. It would also undo what the viewer set up: only what can be seen of it.
  c: '\u001b[?1049l\u001b[m\u001b[r\u001b[2J\u001b[H',
};

/** `ESC ( X` and `ESC ) X`: line drawing and the way back. */
export const characterSets: readonly string[] = ['B', '0'];

/** Control characters that only draw: backspace, tab, the four ways to a new line, shift out and in. */
export const controls: readonly number[] = [0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f];

/**
 * Characters that are not seen and change how others are: marks of writing direction, separators, tags. They are shown
 * by their number.
 */
export const HIDDEN = /[\u061c\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e0fff}]/u;

/** C1 controls of eight bits and what they are in seven. */
export const eightBit: { readonly [code: number]: string } = {
  132: 'D',
  133: 'E',
  141: 'M',
  144: 'P',
  152: 'X',
  155: '[',
  156: '\\',
  157: ']',
  158: '^',
  159: '_',
};
