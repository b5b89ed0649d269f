import type { ExitCode } from './exit-codes.ts';
import type { Io } from './io.ts';
import { runProgram } from './program.ts';

/** One command line from its words to the status of the process. Never throws. */
export async function runCli(io: Io, words: readonly string[]): Promise<ExitCode> {
  try {
    return await runProgram(io, words);
  } catch (error) {
    return (await import('./report.ts')).report(io, error, words.includes('--json'));
  }
}
