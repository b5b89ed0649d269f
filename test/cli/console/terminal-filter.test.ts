import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TerminalFilter } from '../../../src/cli/console/terminal-filter.ts';
import { screenOf } from './screen.ts';

/**
 * What a replay may say, written down a second time and by other means: one expression for each kind of piece. Whatever
 * the filter is given, what comes out must be made of these pieces alone.
 */
const PIECES = new RegExp(
  [
    String.raw`[\u0008-\u000f]`, // backspace, tab, new lines, shifts
    String.raw`[^\p{Cc}\p{Cs}\u061c\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e0fff}]`,
    String.raw`\x1b[78DEM]`,
    String.raw`\x1b[()][0B]`,
    String.raw`\x1b\[\d{0,4}[@A-IL-MPSTXZ\x60abde]`,
    String.raw`\x1b\[\d{0,4}(?:;\d{0,4})?[Hfr]`,
    String.raw`\x1b\[\??[012]?[JK]`,
    String.raw`\x1b\[4[hl]`,
    String.raw`\x1b\[[su]`,
    String.raw`\x1b\[(?:\d{0,5}[;:]){0,63}\d{0,5}m`,
    String.raw`\x1b\[\?(?:7|25|47|1047|1048|1049)(?:;(?:7|25|47|1047|1048|1049))*[hl]`,
  ].join('|'),
  'uy',
);

/** The first piece of a text that is not allowed. */
function forbidden(text: string): string | undefined {
  PIECES.lastIndex = 0;
  while (PIECES.lastIndex < text.length) {
    const from = PIECES.lastIndex;
    if (!PIECES.test(text)) return JSON.stringify(text.slice(from, from + 20));
  }
  return undefined;
}

function filtered(...chunks: readonly (string | Uint8Array)[]): string {
  const filter = new TerminalFilter();
  return chunks.map((chunk) => filter.take(typeof chunk === 'string' ? Buffer.from(chunk) : chunk)).join('');
}

const parts = [
  ...[
    '\u001b',
    '\u001b[',
    '\u001b]',
    '\u001bP',
    '\u001b_',
    '\u001b^',
    '\u001bX',
    '\u001b\\',
    '\u0007',
    '\u0018',
    '\u001a',
  ],
  ...[
    '?',
    '>',
    '=',
    '<',
    ';',
    ':',
    '!',
    ' ',
    '"',
    '$',
    '*',
    "'",
    '0',
    '4',
    '6',
    '25',
    '52',
    '1049',
    '2004',
    '99999999999',
  ],
  ...[
    '\u009b',
    '\u009d',
    '\u0090',
    '\u009c',
    '\u0085',
    '\u202e',
    '\u2028',
    '\ufeff',
    'é',
    '漢',
    '😀',
    '\u0005',
    '\u000e',
  ],
  ...['m', 'H', 'h', 'l', 'n', 'c', 't', 'q', 'r', 'p', 'u', 's', 'i', 'J', 'K', 'b', 'Z', 'D', 'x'],
  ...['hello', '\r\n', '\t', '(0', ')B', '%G', '#8', 'c;?', '\u001b[6n', '\u001b[?1049h', '\u001b]52;c;aGk=\u0007'],
].map((text) => Uint8Array.from(Buffer.from(text)));
const hostile = fc
  .array(
    fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom(...parts) },
      { weight: 1, arbitrary: fc.uint8Array({ maxLength: 6 }) },
    ),
    {
      maxLength: 40,
    },
  )
  .map((list) => Buffer.concat(list));

test('whatever a recording holds, nothing leaves the filter that is not on the list', () => {
  fc.assert(
    fc.property(hostile, (bytes) => {
      const filter = new TerminalFilter();
      expect(forbidden(filter.take(bytes))).toBeUndefined();
      expect(forbidden(filter.end())).toBeUndefined();
    }),
    { numRuns: 1500, seed: 8 },
  );
});

test('where chunks are cut makes no difference, and no chunk ends in the middle of a sequence', () => {
  fc.assert(
    fc.property(hostile, fc.array(fc.nat(200), { maxLength: 8 }), (bytes, cuts) => {
      const whole = new TerminalFilter();
      const cut = new TerminalFilter();
      const places = [0, ...cuts.map((place) => Math.min(place, bytes.length)).toSorted((a, b) => a - b), bytes.length];
      const pieces = places.slice(1).map((to, i) => cut.take(bytes.subarray(places[i] ?? 0, to)));
      for (const piece of pieces) expect(forbidden(piece)).toBeUndefined();
      expect(pieces.join('') + cut.end()).toBe(whole.take(bytes) + whole.end());
      expect(cut.leftOut).toEqual(whole.leftOut);
    }),
    { numRuns: 800, seed: 9 },
  );
});

test('what was filtered once comes out of the filter as it is', () => {
  fc.assert(
    fc.property(hostile, (bytes) => {
      const once = filtered(bytes);
      expect(filtered(once)).toBe(once);
    }),
    { numRuns: 300, seed: 10 },
  );
});

test('every two bytes behind every beginning of a sequence leave nothing that is not on the list', () => {
  for (const begin of ['\u001b', '\u001b[', '\u001b[?25', '\u001b]0;']) {
    for (let first = 0; first < 256; first++) {
      const filter = new TerminalFilter();
      let out = '';
      for (let second = 0; second < 256; second++) {
        out += filter.take(Buffer.concat([Buffer.from(begin), Uint8Array.of(first, second)]));
        // CAN brings every parser back to its beginning.
        out += filter.take(Uint8Array.of(0x18));
      }
      expect(forbidden(out), JSON.stringify(begin) + first).toBeUndefined();
    }
  }
});

describe('what an attacker would put into a recording is left out', () => {
  test.each<[string, string | Uint8Array, string, string]>([
    ['a title', 'a\u001b]0;rm -rf /\u0007b', 'ab', 'title'],
    ['a title that ends with ST', 'a\u001b]2;x\u001b\\b', 'ab', 'title'],
    ['the clipboard', 'a\u001b]52;c;ZWNobyBoaQ==\u0007b', 'ab', 'clipboard'],
    ['a link', '\u001b]8;;http://evil.example\u0007text\u001b]8;;\u0007', 'text', 'link'],
    ['a palette', 'a\u001b]4;1;?\u0007b', 'ab', 'string'],
    ['a notification', 'a\u001b]777;notify;x;y\u0007b', 'ab', 'string'],
    ['where the cursor is', 'a\u001b[6nb', 'ab', 'query'],
    ['which terminal this is', 'a\u001b[cb', 'ab', 'query'],
    ['which terminal this is, secondary', 'a\u001b[>cb', 'ab', 'query'],
    ['which terminal this is, VT52', 'a\u001bZb', 'ab', 'query'],
    ['the answerback', 'a\u0005b', 'ab', 'query'],
    ['a setting (DECRQSS)', 'a\u001bP$qm\u001b\\b', 'ab', 'query'],
    ['a capability (XTGETTCAP)', 'a\u001bP+q544e\u001b\\b', 'ab', 'query'],
    ['a checksum of the screen', 'a\u001b[1;1;1;1;1;1*yb', 'ab', 'sequence'],
    ['the title back (21t)', 'a\u001b[21tb', 'ab', 'query'],
    ['a smaller window', 'a\u001b[8;1;1tb', 'ab', 'query'],
    ['what the terminal is set to (DECREQTPARM)', 'a\u001b[xb', 'ab', 'query'],
    ['a mode (DECRQM)', 'a\u001b[?2004$pb', 'ab', 'sequence'],
    ['pasted text in brackets', 'a\u001b[?2004hb', 'ab', 'mode'],
    ['the mouse', 'a\u001b[?1000;1006hb', 'ab', 'mode'],
    ['the focus', 'a\u001b[?1004hb', 'ab', 'mode'],
    ['another keyboard', 'a\u001b[>1ub\u001b[>4;2mc', 'abc', 'sequence'],
    ['another key pad', 'a\u001b=b', 'ab', 'escape'],
    ['132 columns', 'a\u001b[?3hb', 'ab', 'mode'],
    ['output that waits for ever', 'a\u001b[?2026hb', 'ab', 'mode'],
    ['what scrolled away, erased', 'a\u001b[3Jb', 'ab', 'sequence'],
    ['the printer', 'a\u001b[5ib', 'ab', 'sequence'],
    ['user defined keys', 'a\u001bP0;1|17/0d\u001b\\b', 'ab', 'string'],
    ['a program for the terminal (APC)', 'a\u001b_Gf=100;x\u001b\\b', 'ab', 'string'],
    ['a privacy message', 'a\u001b^x\u001b\\b', 'ab', 'string'],
    ['another character encoding', 'a\u001b%@b', 'ab', 'escape'],
    ['a bell', 'a\u0007b', 'ab', 'control'],
    ['8-bit controls for a title', 'a\u009d0;x\u009cb', 'ab', 'title'],
    ['writing direction', 'a\u202eb', 'a\\u{202e}b', 'hidden'],
    ['a sequence that does not end', `a\u001b[${'1;'.repeat(5000)}Hb`, 'ab', 'sequence'],
    ['a sequence in a sequence', 'a\u001b[1\u001b]0;x\u0007b', 'ab', 'sequence'],
  ])('%s', (_name, input, output, kind) => {
    const filter = new TerminalFilter();
    expect(filter.take(typeof input === 'string' ? Buffer.from(input) : input)).toBe(output);
    expect([...filter.leftOut.keys()]).toContain(kind);
  });

  test('and nothing in it hides what follows: a string without an end is shown again after a megabyte', () => {
    expect(filtered(`\u001b]0;${'x'.repeat(1 << 20)}`, 'after')).toContain('after');
  });
});

describe('what draws stays', () => {
  test.each<[string, string]>([
    ['colours', '\u001b[1;38;5;208mwarm\u001b[0m \u001b[38:2::10:20:30mtrue\u001b[m'],
    ['places', '\u001b[2J\u001b[H\u001b[10;20Hx\u001b[3A\u001b[4G'],
    ['regions', '\u001b[2;10r\u001bM\u001bD\u001b[3S\u001b[2T\u001b[r'],
    ['the alternate screen', '\u001b[?1049h\u001b[?25lx\u001b[?25h\u001b[?1049l'],
    ['line drawing', '\u001b(0lqk\u001b(B\u000e\u000f'],
    ['editing', '\u001b[4P\u001b[2@\u001b[L\u001b[M\u001b[5X\u001b[4hi\u001b[4l'],
    ['writing of the world', 'Ä 漢字 👩‍👩‍👧 עברית'],
  ])('%s', (_name, text) => expect(filtered(text)).toBe(text));

  test('8-bit controls come out in their 7-bit form', () => {
    expect(filtered('\u009b31mred\u0085')).toBe('\u001b[31mred\u001bE');
  });
  test('of a list of modes those that are allowed', () => {
    expect(filtered('\u001b[?1049;2004;25h')).toBe('\u001b[?1049;25h');
  });
  test('numbers are cut to the size of a terminal', () => {
    expect(filtered('x\u001b[999999999b')).toBe('x\u001b[9999b');
  });
  test('bytes that are no UTF-8 are shown as that', () => {
    expect(filtered(Uint8Array.of(0x61, 0xff, 0x9b, 0x33, 0x31, 0x6d))).toBe('a\ufffd\ufffd31m');
  });
});

test('a screen after a replay is as before it: modes, colours, region and screen are reset', async () => {
  const screen = screenOf(20, 5);
  await screen.write('before\r\n');
  const filter = new TerminalFilter();
  const wild = '\u001b[?1049h\u001b[2;3r\u001b[?6h\u001b[?7l\u001b[?25l\u001b[4h\u001b[7m\u001b(0\u000elqk';
  await screen.write(filter.take(Buffer.from(wild)) + filter.end());
  await screen.write('after \u001b[3Dq');
  expect(screen.modes()).toEqual({ alternate: false, insert: false, origin: false, wrap: true });
  expect(screen.line(0)).toBe('before');
  expect(screen.line(1)).toBe('aftqr ');
  await screen.write('\r\n\n\n\n\n\nscrolled');
  expect(screen.line(4)).toBe('scrolled');
});

test('the screen of a program looks filtered as it looked to whoever saw it', async () => {
  const drawn =
    '\u001b[?1049h\u001b[1;1H\u001b(0lqqk\u001b(B\u001b[2;1H\u001b[31mred\u001b[m\u001b[3;2Hx\u001b[2b\u001b]0;t\u0007\u001b[2;3r';
  const [raw, shown] = [screenOf(20, 5), screenOf(20, 5)];
  await raw.write(drawn);
  await shown.write(filtered(drawn));
  expect(shown.text()).toBe(raw.text());
});
