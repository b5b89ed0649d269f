import { controlSequences, controls, escapes } from '../../src/cli/console/terminal-allowlist.ts';
import { TerminalFilter } from '../../src/cli/console/terminal-filter.ts';
import { bytesOf, demand, type Target } from '../engine/target.ts';
import { Input } from '../support/input.ts';
import { chunksOf } from '../support/mctp-stream.ts';

const ESCAPE = '\u001b';

/** What a terminal would be told: everything that is no plain character. */
function* commandsIn(text: string): Generator<string> {
  for (let at = 0; at < text.length; ) {
    const command = commandAt(text, at);
    if (command !== '') yield command;
    at += Math.max(String.fromCodePoint(text.codePointAt(at) ?? 0).length, command.length);
  }
}

function commandAt(text: string, at: number): string {
  const first = text[at] ?? '';
  if (first !== ESCAPE) return /[\p{Cc}\p{Cs}]/u.test(String.fromCodePoint(text.codePointAt(at) ?? 0)) ? first : '';
  const kind = text[at + 1] ?? '';
  if (kind === '(' || kind === ')') return text.slice(at, at + 3);
  if (kind !== '[') return text.slice(at, at + 2);
  let end = at + 2;
  while (end < text.length && !/[@-~]/.test(text[end] ?? '')) end++;
  return text.slice(at, end + 1);
}

function isAllowed(command: string): boolean {
  const rest = command.slice(1);
  if (!command.startsWith(ESCAPE)) return controls.includes(command.codePointAt(0) ?? 0);
  const sequence = /^\[(\??)[\d;:]*([@-~])$/.exec(rest);
  if (sequence !== null) return sequence[2] === 'm' || Object.hasOwn(controlSequences, `${sequence[1]}${sequence[2]}`);
  return /^[()][B0]$/.test(rest) || Object.hasOwn(escapes, rest);
}

function filtered(bytes: Uint8Array, pattern: number): string {
  const filter = new TerminalFilter();
  let shown = '';
  for (const chunk of chunksOf(bytes, pattern)) shown += filter.take(chunk);
  return shown + filter.end();
}

export const target: Target = {
  name: 'terminal-filter',
  oracle: 'however output is cut, the same is shown, and nothing in it but characters and what the allowlist has',
  covers: ['src/cli/console/terminal-filter.ts', 'src/cli/console/terminal-allowlist.ts'],
  kind: 'bytes',
  maxLength: 200,
  dictionary: [
    ESCAPE,
    '\u001b[',
    '\u001b]',
    '\u001bP',
    '\u001b\\',
    '\u0007',
    '\u009b',
    '\u009d',
    '\u0090',
    '\u009c',
    '\u0018',
    ';',
    ':',
    '?25',
    '?1049h',
    '38;2;1;2;3m',
    '[6n',
    '[c',
    ']52;c;AAAA',
    ']0;title',
    ']8;;http://x',
    '[?1000h',
    '(0',
    '\u202e',
    '\u{e0041}',
    '\u001bc',
    '[99999A',
  ],
  seeds: () =>
    [
      'plain text\r\n',
      '\u001b[1;31mred\u001b[0m',
      '\u001b]0;title\u0007x',
      '\u001b]52;c;QQ==\u001b\\y',
      '\u001b[?1049h\u001b[2J\u001b[H',
      '\u001b[6n\u001b[c\u001bZ',
      '\u009b31mx\u009c',
      '\u001bPq#0\u001b\\',
      'a\u202eb',
      '\u001b(0lqk\u001b(B',
      '\u001b[38:2::1:2:3m',
    ].map((text) => new Uint8Array([9, ...bytesOf(text)])),
  open: () => ({
    run(bytes) {
      const input = new Input(bytes);
      const pattern = input.byte();
      const output = input.rest();
      const whole = filtered(output, 0);
      const pieces = filtered(output, pattern === 0 ? 1 : pattern);
      demand(whole === pieces, () => `cut otherwise it reads ${JSON.stringify(pieces)}, not ${JSON.stringify(whole)}`);
      for (const command of commandsIn(whole)) demand(isAllowed(command), () => `${JSON.stringify(command)} is shown`);
      const again = filtered(bytesOf(whole), 0);
      demand(again.startsWith(whole), () => `what is safe is changed: ${JSON.stringify(again)}`);
    },
  }),
};
