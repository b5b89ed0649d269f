import type { LeftOut } from './terminal-filter.ts';

const WORDS: { readonly [K in LeftOut]: readonly [one: string, many: string] } = {
  control: ['control character', 'control characters'],
  escape: ['escape sequence', 'escape sequences'],
  sequence: ['control sequence', 'control sequences'],
  mode: ['change of modes', 'changes of modes'],
  string: ['command string', 'command strings'],
  clipboard: ['write to the clipboard', 'writes to the clipboard'],
  title: ['title', 'titles'],
  link: ['link', 'links'],
  query: ['question to the terminal', 'questions to the terminal'],
  hidden: ['hidden character (shown by its number)', 'hidden characters (shown by their numbers)'],
};

/** A sentence about what was not shown; empty when everything was. */
export function leftOutText(leftOut: ReadonlyMap<LeftOut, number>): string {
  const parts = [...leftOut].map(([kind, count]) => `${count} ${WORDS[kind][count === 1 ? 0 : 1]}`);
  return parts.length === 0 ? '' : `not shown, for your terminal's sake: ${parts.join(', ')}`;
}
