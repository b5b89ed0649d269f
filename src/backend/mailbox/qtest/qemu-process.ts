import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { type MachinePlan, qemuArguments } from './options.ts';

/** How much of QEMU's error output is kept, in characters: the end of it. */
const STDERR_KEPT = 4096;
/** How long a killed or dying QEMU may take until its exit is known, in milliseconds. */
const EXIT_LIMIT_MS = 2000;
/** Longest path of a Unix socket in bytes. */
const SOCKET_PATH_MAX = 107;

/** Children that must not outlive us. */
const children = new Set<ChildProcess>();

function killChildren(): void {
  for (const child of children) child.kill('SIGKILL');
}

/** A QEMU that we started and own. */
export class QemuProcess {
  readonly #child: ChildProcess;
  readonly #ended: Promise<string>;
  #stderr = '';

  constructor(binary: string, args: readonly string[]) {
    const [command, commandArgs] = diesWithUs(binary, args);
    // The broker's environment may hold secrets; QEMU needs none of it.
    const env = { PATH: process.env.PATH ?? '', LC_ALL: 'C' };
    const child = spawn(command, commandArgs, { stdio: ['ignore', 'ignore', 'pipe'], env });
    this.#child = child;
    if (children.size === 0) process.on('exit', killChildren);
    children.add(child);
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-STDERR_KEPT);
    });
    this.#ended = new Promise((resolve) => {
      const end = (how: string) => {
        children.delete(child);
        if (children.size === 0) process.off('exit', killChildren);
        resolve(how);
      };
      child.once('error', (error) => end(`\`${binary}\` could not be run: ${error.message}`));
      // `close` comes after `exit`, when the last of stderr has been read.
      child.once('close', (code, signal) => end(`QEMU ended (${signal ?? `exit code ${code}`})`));
    });
  }

  /** Resolves when QEMU has ended, to a sentence that says how, with the last of its error output. */
  async ended(): Promise<string> {
    const how = await this.#ended;
    const words = this.#stderr.replace(/[^ -~\n]/g, '?').trim();
    return words === '' ? how : `${how}: ${words}`;
  }

  /** As `ended`, but gives up and resolves to an empty text when QEMU lives on. */
  explain(): Promise<string> {
    return orAfter(EXIT_LIMIT_MS, this.ended(), '');
  }

  /** Kills QEMU and waits for its end. Never throws. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.explain();
  }
}

/**
 * Starts QEMU and waits for it to connect to a socket of ours, so that nobody else can, in a directory that only we can
 * enter and that is gone as soon as the connection stands.
 *
 * @throws Error when QEMU ends first, can't be run, or `signal` aborts
 */
export async function startQemu(
  plan: MachinePlan,
  signal: AbortSignal,
): Promise<{ socket: Socket; process: QemuProcess }> {
  const directory = await mkdtemp(join(tmpdir(), 'switch-cci-'));
  const server = createServer();
  let qemu: QemuProcess | undefined;
  try {
    signal.throwIfAborted();
    const path = join(directory, 'qtest');
    if (Buffer.byteLength(path) > SOCKET_PATH_MAX) throw new Error('the temporary directory has too long a name');
    await listening(server, path);
    const started = new QemuProcess(plan.binary, qemuArguments(plan, `unix:${path}`));
    qemu = started;
    const ended = started.ended().then((how) => Promise.reject(new Error(how)));
    const socket = await Promise.race([firstConnection(server), ended, aborted(signal)]);
    return { socket, process: started };
  } catch (error) {
    await qemu?.kill();
    throw error;
  } finally {
    server.close();
    await rm(directory, { recursive: true, force: true });
  }
}

function listening(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
}

function firstConnection(server: Server): Promise<Socket> {
  return new Promise((resolve) => {
    server.maxConnections = 1;
    server.once('connection', resolve);
  });
}

/** Rejects when the signal aborts, and never resolves. */
export function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
  });
}

function orAfter<T>(delayMs: number, work: Promise<T>, otherwise: T): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, delayMs, otherwise);
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/**
 * The command that runs `binary` so that the kernel kills it when we die by a signal that runs no exit handler.
 * `setpriv` is part of util-linux; without it only an orderly exit ends QEMU.
 */
function diesWithUs(binary: string, args: readonly string[]): [string, string[]] {
  const setpriv = onPath('setpriv');
  // A binary that does not exist has to be reported by its own name.
  if (setpriv === undefined || onPath(binary) === undefined) return [binary, [...args]];
  return [setpriv, ['--pdeathsig', 'KILL', '--', binary, ...args]];
}

/** The executable that a shell would run for `name`, if any. */
export function onPath(name: string): string | undefined {
  const places = name.includes('/') ? [''] : (process.env.PATH ?? '').split(delimiter);
  return places
    .map((place) => join(place, name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}
