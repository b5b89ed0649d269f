import { execFile } from 'node:child_process';
import { access, constants, lstat, realpath, stat } from 'node:fs/promises';
import { dirname, isAbsolute } from 'node:path';
import { promisify } from 'node:util';
import { findTool } from './launch.ts';
import type { TerminalProgram } from './session-backend.ts';

const GROUP_OR_OTHERS_WRITE = 0o022;
const STICKY = 0o1000;
const run = promisify(execFile);

/** Whom a program runs as. */
export interface RunAs {
  readonly uid: number;
  readonly gid: number;
  /** The broker has to become that user first. */
  readonly changes: boolean;
}

/**
 * Why a program can't be run: its file, or a directory on the way to it, could be replaced by somebody who is neither root
 * nor the broker; or it would run as somebody whom the broker can't become.
 */
export async function checkProgram(program: TerminalProgram): Promise<readonly string[]> {
  const problems: string[] = [];
  const file = await checkFile(program.path);
  if (file !== undefined) problems.push(file);
  const directory = await stat(program.workingDirectory).catch(() => undefined);
  if (directory?.isDirectory() !== true) problems.push(`\`${program.workingDirectory}\` is not a directory`);
  const as = await runAs(program);
  if (typeof as === 'string') problems.push(as);
  return problems;
}

async function checkFile(path: string): Promise<string | undefined> {
  if (!isAbsolute(path)) return `\`${path}\` is not an absolute path`;
  let real: string;
  try {
    real = await realpath(path);
    const found = await stat(real);
    if (!found.isFile()) return `\`${path}\` is not a file`;
    await access(real, constants.X_OK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === 'EACCES' ? `\`${path}\` can't be executed` : `\`${path}\` is not there`;
  }
  // Links on the way may be changed as well as what they lead to.
  return (await replaceable(path)) ?? (await replaceable(real));
}

/** Who but root and ourselves could put something else in its place? */
async function replaceable(path: string): Promise<string | undefined> {
  for (let at = path; ; at = dirname(at)) {
    const { uid, mode } = await lstat(at);
    const link = (mode & constants.S_IFMT) === constants.S_IFLNK;
    if (uid !== 0 && uid !== process.getuid?.()) return `\`${at}\` belongs to neither root nor the broker's user`;
    // In a directory like /tmp nobody can rename what is not his.
    const isShared = at !== path && (mode & STICKY) !== 0;
    if (!link && !isShared && (mode & GROUP_OR_OTHERS_WRITE) !== 0) return `\`${at}\` can be written by others`;
    if (at === dirname(at)) return undefined;
  }
}

/** Looks the user up; a sentence where he can't be had. */
export async function runAs({ user, group }: TerminalProgram): Promise<RunAs | string> {
  const own = process.getuid?.() ?? -1;
  const ownGroup = process.getgid?.() ?? -1;
  if (user === undefined) {
    if (own === 0) return 'the broker runs as root: name the `user` that the program runs as';
    if (group !== undefined) return '`group` means nothing without `user`';
    return { uid: own, gid: ownGroup, changes: false };
  }
  const uid = await numberOf('-u', user);
  if (uid === undefined) return `there is no user \`${user}\` on this machine`;
  if (uid === 0) return 'a console program does not run as root';
  const gid = group === undefined ? await numberOf('-g', user) : await groupNumber(group);
  if (gid === undefined) return `there is no group \`${group ?? user}\` on this machine`;
  if (gid === 0) return 'a console program does not run in the group of root';
  if (own !== 0) {
    if (uid !== own || gid !== ownGroup) return `only a broker that runs as root can run a program as \`${user}\``;
    return { uid, gid, changes: false };
  }
  return { uid, gid, changes: true };
}

/** Asked of `id`, which knows every source of users that the machine has. */
async function numberOf(what: '-u' | '-g', user: string): Promise<number | undefined> {
  const id = findTool('id');
  if (id === undefined) return undefined;
  try {
    const { stdout } = await run(id, [what, '--', user], { env: {}, timeout: 5000 });
    return asNumber(stdout);
  } catch {
    return undefined;
  }
}

async function groupNumber(group: string): Promise<number | undefined> {
  const getent = findTool('getent');
  if (getent === undefined) return undefined;
  try {
    const { stdout } = await run(getent, ['group', group], { env: {}, timeout: 5000 });
    return asNumber(stdout.split(':')[2] ?? '');
  } catch {
    return undefined;
  }
}

function asNumber(text: string): number | undefined {
  return /^\d{1,10}\s*$/.test(text) ? Number(text) : undefined;
}
