/** What can be granted of consoles. `console`: opening, watching and ending one; `console-approve`: confirming another's. */
export const consoleVerbs = ['console', 'console-approve'] as const;
export type ConsoleVerb = (typeof consoleVerbs)[number];

/** `console:PROGRAM` or `console-approve:PROGRAM`: the program as the broker's configuration names it. */
export type ConsoleWord = `${ConsoleVerb}:${string}`;

/** Names of console programs, here and in the broker's configuration. */
export const PROGRAM_NAME = '[a-z][a-z0-9-]{0,31}';
const WORD = new RegExp(`^(?:${consoleVerbs.join('|')}):${PROGRAM_NAME}$`);

/**
 * Is this the word of one console program? Each program is granted by its own name: nothing stands for all of them, and
 * nothing of the catalogue has a colon in its slug.
 */
export function isConsoleWord(text: string): text is ConsoleWord {
  return WORD.test(text);
}
