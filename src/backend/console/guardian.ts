import { type ChildProcess, spawn } from 'node:child_process';
import { findTool, MARK } from './launch.ts';
import type { SessionMark } from './processes.ts';

/**
 * Waits in a process of its own until the broker says that a session is over. Where the broker is killed instead, its end
 * of the pipe closes, and everything of the session is killed: the hang-up of the terminal alone is something that a
 * program may ignore.
 */
const SCRIPT = `
read -r sid uid mark || exit 0
read -r over && exit 0
round=0
while [ $round -lt 100 ]; do
  round=$((round + 1))
  found=
  for process in /proc/[0-9]*; do
    pid=\${process#/proc/}
    [ "$pid" = $$ ] && continue
    ours=
    state=
    owner=
    while read -r name value rest; do
      case $name in
        State:) state=$value ;;
        Uid:) owner=$value ;;
        NSsid:) [ "$value" = "$sid" ] && [ "$owner" = "$uid" ] && ours=1 ;;
      esac
    done 2>/dev/null <$process/status
    [ "$state" = Z ] && continue
    [ -z "$ours" ] && grep -qsz "^${MARK}=$mark\\$" $process/environ && ours=1
    [ -n "$ours" ] && kill -KILL "$pid" 2>/dev/null && found=1
  done 2>/dev/null
  [ -z "$found" ] && exit 0
done
`;

/** A guardian over one session. */
export interface Guardian {
  /** The session is over, nothing is to be killed any more. */
  dismiss(): void;
}

/** @throws where it can't be started: then the session must not run */
export function startGuardian(mark: SessionMark): Guardian {
  const shell = findTool('sh');
  if (shell === undefined) throw new Error('there is no shell');
  const child: ChildProcess = spawn(shell, ['-c', SCRIPT], {
    stdio: ['pipe', 'ignore', 'ignore'],
    env: { PATH: '/usr/bin:/bin' },
    cwd: '/',
    // In a session of its own it outlives a kill of the broker's group.
    detached: true,
  });
  child.on('error', () => undefined);
  child.stdin?.on('error', () => undefined);
  if (child.pid === undefined) throw new Error('the guardian of the session could not be started');
  child.stdin?.write(`${mark.sid} ${mark.uid} ${mark.session}\n`);
  child.unref();
  return { dismiss: () => child.stdin?.end('over\n') };
}
