import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { findTool, MARK } from './launch.ts';

/** Which processes belong to a console session. */
export interface SessionMark {
  /** Session id of the kernel: the process id of the first process. */
  readonly sid: number;
  readonly uid: number;
  readonly gid: number;
  /** The broker became that user to run it: nothing of the broker's own runs as him. */
  readonly isOther: boolean;
  /** Value of the variable that every process of it inherits. */
  readonly session: string;
}

/**
 * Processes of a session, newest first: those of the kernel's session, and those that left it but still have its mark in
 * the environment that they were started with. What did both, left and wiped its environment, is not found.
 *
 * Looks without letting anything else run in between: of a program that makes processes all the time, each lives shorter
 * than a look that waits.
 */
export function processesOf(mark: SessionMark): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => belongs(pid, mark))
    .map((pid) => ({ pid, startedAt: startOf(pid) }))
    .sort((a, b) => b.startedAt - a.startedAt || b.pid - a.pid)
    .map(({ pid }) => pid);
}

/** Ticks since boot. Numbers of processes begin anew after the last one, so that a child may have a lower one than its parent. */
function startOf(pid: number): number {
  // The name of the program comes before, and may hold anything.
  const stat = read(`/proc/${pid}/stat`);
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? 0);
}

function belongs(pid: number, { sid, uid, session }: SessionMark): boolean {
  const status = read(`/proc/${pid}/status`);
  // A zombie has ended; somebody has yet to ask how.
  if (!status.includes('\nNSsid:') || /^State:\s+[ZX]/m.test(status)) return false;
  const isOurs = field(status, 'Uid') === uid;
  if (isOurs && field(status, 'NSsid') === sid) return true;
  return read(`/proc/${pid}/environ`).split('\0').includes(`${MARK}=${session}`);
}

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}

function field(status: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? -1);
}

/** Sends a signal to every process of a session; those that have gone meanwhile are no error. @returns how many there were */
export function signalSession(mark: SessionMark, signal: NodeJS.Signals): number {
  const pids = processesOf(mark);
  // Oldest first, or a shell that is awake while its children stand still would take them for stopped jobs.
  const order = signal === 'SIGCONT' ? pids : pids.toReversed();
  for (const pid of order) sendSignal(pid, signal);
  return pids.length;
}

/** Milliseconds that are spent on waiting until processes stand, for all of a session: some the kernel does not let stop. */
const STOP_MS = 100;

/**
 * Stops every process of a session. A shell stands before its children are stopped: a signal that it has not come to yet
 * does not keep it from hearing that they were.
 */
export async function stopSession(mark: SessionMark): Promise<void> {
  const untilMs = performance.now() + STOP_MS;
  for (const pid of processesOf(mark).toReversed()) {
    sendSignal(pid, 'SIGSTOP');
    while (!isStanding(pid) && performance.now() < untilMs) await new Promise((done) => setTimeout(done, 1));
  }
  // Whatever was made while the others were being stopped.
  signalSession(mark, 'SIGSTOP');
  signalSession(mark, 'SIGSTOP');
}

function isStanding(pid: number): boolean {
  const status = read(`/proc/${pid}/status`);
  return status === '' || /^State:\s+[TtZX]/m.test(status);
}

function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // gone, or not ours: the next look tells
  }
}

/** Looks that are taken at a session that is to end; each kills whatever it finds. */
const ROUNDS = 200;
const BETWEEN_ROUNDS_MS = 10;
/** So many looks in a row have to find nothing. */
const CLEAN_ROUNDS = 3;
/** A session that still has processes after so many looks makes them faster than they are found. */
const STUBBORN_ROUNDS = 5;

/**
 * Kills until nothing is left. Where a session makes processes faster than they are found, everything that its user runs is
 * killed at once: only the kernel can do that without missing one.
 * @returns what is left all the same
 */
export async function killSession(mark: SessionMark): Promise<readonly number[]> {
  let clean = 0;
  for (let round = 1; round <= ROUNDS && clean < CLEAN_ROUNDS; round++) {
    const found = processesOf(mark);
    for (const pid of found) sendSignal(pid, 'SIGKILL');
    clean = found.length === 0 ? clean + 1 : 0;
    if (clean < CLEAN_ROUNDS && round % STUBBORN_ROUNDS === 0 && mark.isOther) await killUser(mark);
    if (clean < CLEAN_ROUNDS) await new Promise((done) => setTimeout(done, BETWEEN_ROUNDS_MS));
  }
  return clean < CLEAN_ROUNDS ? processesOf(mark) : [];
}

/** `kill -1` as that user reaches all that he runs and nothing else, in one step. */
function killUser({ uid, gid }: SessionMark): Promise<void> {
  const [setpriv, shell] = [findTool('setpriv'), findTool('sh')];
  if (setpriv === undefined || shell === undefined) return Promise.resolve();
  const as = [`--reuid=${uid}`, `--regid=${gid}`, '--clear-groups', '--', shell, '-c', 'kill -KILL -1'];
  return new Promise((done) => {
    execFile(setpriv, as, { env: {}, timeout: 5000 }, () => done());
  });
}
