import { spawn } from 'node:child_process';

export interface Moment {
  /** Line of its standard output with which the script says that it begins. */
  readonly behind: string;
  /** Lines that it says after that, and milliseconds more, before it is killed: at most, by chance. */
  readonly lines: number;
  readonly ms: number;
}

/** Who stands still is killed as well. */
const PATIENCE_MS = 10_000;

/**
 * Runs a script, kills it at a random moment, and gives the whole lines that it said. The moment is counted in lines: in
 * the same time a slow machine would not get as far as a quick one.
 *
 * @throws Error where it ended by itself
 */
export async function killedAt(
  script: string,
  args: readonly string[],
  { behind, lines, ms }: Moment,
): Promise<readonly string[]> {
  const child = spawn(process.execPath, [script, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  const wanted = Math.floor(Math.random() * lines);
  const kill = () => child.kill('SIGKILL');
  let said = '';
  let errors = '';
  let isDue = false;
  let standing: NodeJS.Timeout | undefined;
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text;
  });
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
    const begun = `\n${said}`.indexOf(`\n${behind}\n`);
    if (begun < 0 || isDue) return;
    standing ??= setTimeout(kill, PATIENCE_MS);
    isDue = said.slice(begun).split('\n').length - 2 >= wanted;
    if (isDue) setTimeout(kill, Math.random() * ms);
  });
  const signal = await new Promise((resolve) => child.on('close', (_code, by) => resolve(by)));
  clearTimeout(standing);
  if (signal !== 'SIGKILL') throw new Error(`\`${script}\` ended by itself: ${errors}`);
  // A blocking write of a few bytes to a pipe is whole or not there.
  return said.trimEnd().split('\n');
}
