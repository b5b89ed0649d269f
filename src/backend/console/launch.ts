import { accessSync, constants } from 'node:fs';
import type { RunAs } from './program-check.ts';
import type { TerminalProgram } from './session-backend.ts';

/** Where the tools of util-linux and the shell are: never looked up in a PATH that somebody may have set. */
const TOOL_DIRECTORIES = ['/usr/bin', '/bin', '/usr/sbin', '/sbin'];
const TOOLS = ['setsid', 'prlimit', 'setpriv', 'sh'] as const;

/** The file of a tool of the system. */
export function findTool(name: string): string | undefined {
  for (const directory of TOOL_DIRECTORIES) {
    const path = `${directory}/${name}`;
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // the next place
    }
  }
  return undefined;
}

/** What of the tools that bound a program is not there. */
export function missingTools(): readonly string[] {
  return TOOLS.filter((name) => findTool(name) === undefined);
}

/** Name of the variable by which processes are found that left their session. */
export const MARK = 'CCI_CONSOLE_SESSION';

/**
 * The last step, run as the program's user: says that everything before it was done, and becomes the program. Whatever
 * fails before ends without the word, so that no program runs with less than all of its limits.
 */
const LAST_STEP = 'umask 077 || exit 125; stty iutf8 2>/dev/null; printf %s "$1" || exit 125; shift; exec "$@"';

/**
 * The command that makes the terminal its controlling terminal in a session of its own, sets the limits, becomes another
 * user without any groups or way to more rights, dies with the broker, and becomes the program.
 *
 * @param ready word that is written to the terminal before the program is
 */
export function launchCommand(program: TerminalProgram, as: RunAs, ready: string): readonly [string, ...string[]] {
  const { memoryBytes, processes, files } = program.limits;
  const tool = (name: (typeof TOOLS)[number]): string => findTool(name) ?? `/nonexistent/${name}`;
  const become = as.changes ? [`--reuid=${as.uid}`, `--regid=${as.gid}`, '--clear-groups'] : [];
  return [
    tool('setsid'),
    '--ctty',
    tool('prlimit'),
    '--core=0:0',
    `--as=${memoryBytes}:${memoryBytes}`,
    `--nproc=${processes}:${processes}`,
    `--nofile=${files}:${files}`,
    tool('setpriv'),
    ...become,
    '--no-new-privs',
    '--pdeathsig=KILL',
    '--inh-caps=-all',
    tool('sh'),
    '-c',
    LAST_STEP,
    'console',
    ready,
    program.path,
    ...program.arguments,
  ];
}

/** The whole environment of a program. */
export function launchEnvironment(program: TerminalProgram, session: string): Readonly<Record<string, string>> {
  return {
    PATH: '/usr/local/bin:/usr/bin:/bin',
    TERM: 'xterm-256color',
    LANG: 'C.UTF-8',
    HOME: program.workingDirectory,
    ...(program.user === undefined ? {} : { USER: program.user, LOGNAME: program.user }),
    ...program.environment,
    [MARK]: session,
  };
}
