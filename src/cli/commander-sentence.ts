import type { CommanderError } from 'commander';

/** What the parser of command lines found, in our spelling; a second line may hold what it thinks was meant. */
export function commanderSentence(error: CommanderError): string {
  return error.message.replace(/^error: /, '').replaceAll("'", '`');
}
