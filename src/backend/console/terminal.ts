import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { closeSync, constants, fchmodSync, fchownSync, openSync } from 'node:fs';
import { ReadStream } from 'node:tty';
import type { EchoReader } from './echo.ts';
import { type Guardian, startGuardian } from './guardian.ts';
import { launchCommand, launchEnvironment } from './launch.ts';
import { killSession, type SessionMark, signalSession, stopSession } from './processes.ts';
import type { RunAs } from './program-check.ts';
import type { Pty } from './pty.ts';
import {
  type EchoState,
  type ProgramExit,
  SessionError,
  type TerminalListener,
  type TerminalProgram,
  type TerminalSession,
} from './session-backend.ts';

/** How long the program has to come up, and to go after each word that asks it to. */
const START_MS = 10_000;
const HANG_UP_MS = 300;
const TERMINATE_MS = 700;
/** Longest text that a launch may write before the program is there. */
const REFUSAL_MAX = 4096;
/** Only its owner reads and writes a terminal; others of group `tty` are not there to write to it. */
const TERMINAL_MODE = 0o600;

export interface TerminalParts {
  readonly pty: Pty;
  readonly echo: EchoReader;
}

/** A program in a terminal. Made by `startTerminal`, which resolves when the program is next to be executed. */
export class Terminal implements TerminalSession {
  readonly pid: number;
  pendingInput = 0;
  readonly #parts: TerminalParts;
  readonly #child: ChildProcess;
  readonly #master: number;
  readonly #stream: ReadStream;
  readonly #mark: SessionMark;
  readonly #guardian: Guardian;
  /** Written to the terminal when all limits are in force. */
  readonly #ready: Buffer;
  #listener: TerminalListener | undefined;
  #before: Buffer<ArrayBufferLike> = Buffer.alloc(0);
  #onReady: ((failed?: string) => void) | undefined;
  #exit: { readonly code: number | null; readonly signal: string | null } | undefined;
  #drained = false;
  #leftBehind: readonly number[] | undefined;
  #ending = false;
  #paused = false;

  constructor(
    parts: TerminalParts,
    program: TerminalProgram,
    as: RunAs,
    session: string,
    size: { readonly columns: number; readonly rows: number },
    listener: TerminalListener,
  ) {
    this.#parts = parts;
    this.#listener = listener;
    this.#ready = Buffer.from(randomUUID());
    const pair = parts.pty.open(size.columns, size.rows);
    this.#master = pair.master;
    this.#child = this.#spawn(pair, program, as, session);
    this.pid = this.#child.pid ?? -1;
    this.#mark = { sid: this.pid, uid: as.uid, gid: as.gid, isOther: as.changes, session };
    try {
      this.#guardian = startGuardian(this.#mark);
    } catch (error) {
      this.#child.kill('SIGKILL');
      closeSync(this.#master);
      throw error;
    }
    this.#child.once('exit', (code, signal) => this.#exited(code, signal));
    this.#stream = new ReadStream(this.#master);
    this.#stream.on('data', (data: Buffer) => this.#read(data));
    // The last process has closed the terminal: EIO is how a terminal says that there is no more.
    this.#stream.on('error', () => this.#stream.destroy());
    this.#stream.once('close', () => {
      this.#drained = true;
      this.#onReady?.(this.#before.toString('latin1').trim().slice(0, 200) || 'it ended at once');
      this.#finish();
    });
  }

  /** Resolves when everything that bounds the program is in force. @throws SessionError */
  async ready(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const failed = await new Promise<string | undefined>((resolve) => {
      this.#onReady = resolve;
      timer = setTimeout(() => resolve('it took too long'), START_MS);
    });
    clearTimeout(timer);
    this.#onReady = undefined;
    if (failed === undefined) return;
    this.#listener = undefined;
    this.end();
    throw new SessionError(`the program could not be started within its limits: ${failed}`);
  }

  pause(): void {
    this.#paused = true;
    this.#stream.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#stream.resume();
  }

  write(bytes: Uint8Array): Promise<void> {
    if (this.#stream.destroyed) return Promise.resolve();
    this.pendingInput += bytes.length;
    return new Promise((resolve) => {
      this.#stream.write(bytes, () => {
        this.pendingInput -= bytes.length;
        resolve();
      });
    });
  }

  echo(): EchoState {
    return this.#stream.destroyed ? 'unknown' : this.#parts.echo(this.#master);
  }

  resize(columns: number, rows: number): void {
    if (this.#stream.destroyed) throw new SessionError('the terminal is gone');
    this.#parts.pty.resize(this.#master, columns, rows);
  }

  async freeze(): Promise<void> {
    await stopSession(this.#mark);
  }

  async thaw(): Promise<void> {
    signalSession(this.#mark, 'SIGCONT');
  }

  end(): void {
    if (this.#ending) return;
    this.#ending = true;
    void this.#endAll();
  }

  #spawn(
    pair: { readonly slave: number; readonly pty: string },
    program: TerminalProgram,
    as: RunAs,
    session: string,
  ): ChildProcess {
    // Opened anew: the one that node-pty opens does not block, and a program that reads from it would see errors.
    const slave = openSync(pair.pty, constants.O_RDWR | constants.O_NOCTTY);
    try {
      if (as.changes) fchownSync(slave, as.uid, as.gid);
      fchmodSync(slave, TERMINAL_MODE);
      const [file, ...args] = launchCommand(program, as, this.#ready.toString());
      const child = spawn(file, args, {
        stdio: [slave, slave, slave],
        cwd: program.workingDirectory,
        env: launchEnvironment(program, session),
      });
      child.once('error', () => undefined);
      if (child.pid === undefined) {
        closeSync(this.#master);
        throw new SessionError('the program could not be started');
      }
      return child;
    } finally {
      closeSync(slave);
      closeSync(pair.slave);
    }
  }

  #read(data: Buffer): void {
    if (this.#onReady === undefined) {
      this.#listener?.onOutput(data);
      return;
    }
    this.#before = Buffer.concat([this.#before, data]);
    const at = this.#before.indexOf(this.#ready);
    if (at < 0) {
      if (this.#before.length > REFUSAL_MAX) this.#onReady('it wrote before it was there');
      return;
    }
    const rest = this.#before.subarray(at + this.#ready.length);
    this.#before = Buffer.alloc(0);
    this.#onReady();
    this.#onReady = undefined;
    if (rest.length > 0) this.#listener?.onOutput(rest);
  }

  #exited(code: number | null, signal: string | null): void {
    this.#exit = { code, signal };
    // What it started may go on in the background and keep the terminal.
    if (!this.#ending) this.end();
  }

  async #endAll(): Promise<void> {
    const isThere = () => this.#exit === undefined;
    if (isThere()) {
      await this.#ask('SIGHUP', HANG_UP_MS);
      if (isThere()) await this.#ask('SIGTERM', TERMINATE_MS);
    }
    this.#leftBehind = await killSession(this.#mark).catch(() => [this.pid]);
    this.#guardian.dismiss();
    // What was not found may still have the terminal open: it is told nothing any more.
    if (this.#leftBehind.length > 0) this.#stream.destroy();
    this.#finish();
  }

  async #ask(signal: 'SIGHUP' | 'SIGTERM', ms: number): Promise<void> {
    signalSession(this.#mark, signal);
    // Whoever is stopped hears nothing.
    signalSession(this.#mark, 'SIGCONT');
    if (this.#exit !== undefined) return;
    await new Promise<void>((done) => {
      const timer = setTimeout(done, ms);
      this.#child.once('exit', () => {
        clearTimeout(timer);
        done();
      });
    });
  }

  /** Over when the first process has ended, the others were killed and everything that was written has been read. */
  #finish(): void {
    if (this.#leftBehind === undefined || this.#exit === undefined) return;
    if (!this.#drained) {
      // A program that keeps the terminal without being found would keep us waiting for ever.
      if (!this.#paused) setTimeout(() => this.#stream.destroy(), START_MS).unref();
      return;
    }
    const { code, signal } = this.#exit;
    const exit: ProgramExit = {
      ...(code === null ? {} : { exitCode: code }),
      ...(signal === null ? {} : { signal }),
      leftBehind: this.#leftBehind,
    };
    const listener = this.#listener;
    this.#listener = undefined;
    listener?.onEnd(exit);
  }
}
