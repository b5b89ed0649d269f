import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, readFile, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { isDigest } from './confirmation.ts';
import type { ShownProof } from './proof-memory.ts';

/** The files as far as they are needed here; tests inject failures. */
export interface ProofFileSystem {
  readonly open: (path: string, flags: number, mode: number) => Promise<Pick<FileHandle, 'appendFile' | 'close'>>;
}

export interface ProofFileOptions {
  readonly directory: string;
  readonly windowMs: number;
  /** Boot of this host: what was written before another boot may have been lost with it. */
  readonly bootId: string | undefined;
  readonly fileSystem?: ProofFileSystem;
}

/** What was left of the runs before. `complete`: nothing that could still be shown again can be missing. */
export interface FoundProofs {
  readonly proofs: readonly ShownProof[];
  readonly complete: boolean;
}

const NAME = /^([0-9]{1,15})\.log$/;
const LINE = /^([0-9]{1,16}) ([A-Za-z0-9_-]{22}) ([A-Za-z0-9_-]{43})$/;
/** Pause after a file could not be begun. */
const AGAIN_MS = 1000;
const MAX_FILE_BYTES = 256 * 1024 * 1024;

/**
 * Remembers shown proofs over a restart: a line for each, appended before the proof counts. A file is begun for each
 * window, and removed when the last proof in it could not be shown again, so that there are never more than three and
 * nothing is ever rewritten. A line that is cut off was never answered for.
 *
 * Not synced to the disk: the page cache outlives the process, and after a crash of the host the boot is another one.
 */
export class ProofFile {
  readonly #options: ProofFileOptions;
  #file: Pick<FileHandle, 'appendFile' | 'close'> | undefined;
  #begunMs = 0;
  /** Files of this and earlier runs, with when each was begun. */
  readonly #files = new Map<string, number>();
  #waiting: string[] = [];
  #running: Promise<unknown> = Promise.resolve();
  #next: Promise<boolean> | undefined;
  #failedMs = Number.NEGATIVE_INFINITY;

  constructor(options: ProofFileOptions) {
    this.#options = options;
  }

  /** Reads what is there. A file of its own is begun with the first proof. @throws where the directory cannot be used */
  async start(nowMs: number): Promise<FoundProofs> {
    const { directory } = this.#options;
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const proofs: ShownProof[] = [];
    const names = (await readdir(directory)).filter((name) => NAME.test(name));
    let complete = names.length > 0;
    for (const name of names) {
      const begunMs = Number(name.slice(0, -4));
      this.#files.set(name, begunMs);
      // The clock has been ahead: what was old by that clock, and was removed, may be young by this one.
      if (begunMs > nowMs) complete = false;
      const found = await this.#read(join(directory, name));
      complete &&= found.complete;
      for (const proof of found.proofs) proofs.push(proof);
    }
    return { proofs, complete };
  }

  /** False where the line may not be in the file: then the proof must not count. */
  append({ issuedAtMs, name, holder }: ShownProof, nowMs: number): Promise<boolean> {
    this.#waiting.push(`${issuedAtMs} ${name} ${holder}\n`);
    // Whoever comes while one write runs shares the next.
    if (this.#next === undefined) {
      this.#next = this.#running.then(() => this.#write(nowMs));
      this.#running = this.#next;
    }
    return this.#next;
  }

  async close(): Promise<void> {
    await this.#running;
    await this.#file?.close().catch(() => {});
    this.#file = undefined;
  }

  async #write(nowMs: number): Promise<boolean> {
    this.#next = undefined;
    const lines = this.#waiting.join('');
    this.#waiting = [];
    const isFull = !(Math.abs(nowMs - this.#begunMs) < this.#options.windowMs);
    if ((this.#file === undefined || isFull) && !(await this.#begin(nowMs))) return false;
    try {
      await this.#file?.appendFile(lines);
      return true;
    } catch {
      // Half a line may be at its end: another file is begun, so that no line comes to stand behind it.
      await this.#letGo(this.#file);
      return false;
    }
  }

  async #letGo(file: Pick<FileHandle, 'close'> | undefined): Promise<void> {
    this.#file = undefined;
    await file?.close().catch(() => {});
  }

  async #begin(nowMs: number): Promise<boolean> {
    const { directory, windowMs, bootId, fileSystem = { open } } = this.#options;
    // A disk that takes no line must not be filled with beginnings of files.
    if (Math.abs(nowMs - this.#failedMs) < AGAIN_MS) return false;
    let begun = Math.max(0, Math.floor(nowMs));
    while (this.#files.has(`${begun}.log`)) begun++;
    const name = `${begun}.log`;
    const path = join(directory, name);
    this.#files.set(name, nowMs);
    try {
      const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_APPEND;
      const file = await fileSystem.open(path, flags | constants.O_NOFOLLOW, 0o600);
      await this.#letGo(this.#file);
      this.#file = file;
      await file.appendFile(headerOf(windowMs, bootId));
    } catch {
      this.#failedMs = nowMs;
      await this.#letGo(this.#file);
      await unlink(path).catch(() => {});
      this.#files.delete(name);
      return false;
    }
    this.#begunMs = nowMs;
    await this.#removeOld(nowMs, name);
    return true;
  }

  /** A file takes proofs for one window, and the last of them is of use for one more, plus the tolerance: two are enough. */
  async #removeOld(nowMs: number, current: string): Promise<void> {
    for (const [name, begunMs] of this.#files) {
      if (name === current || nowMs - begunMs < 3 * this.#options.windowMs) continue;
      await unlink(join(this.#options.directory, name)).catch(() => {});
      this.#files.delete(name);
    }
  }

  async #read(path: string): Promise<FoundProofs> {
    const none = { proofs: [], complete: false };
    let text: string;
    try {
      const bytes = await readFile(path, { flag: constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK });
      if (bytes.length > MAX_FILE_BYTES) return none;
      text = bytes.toString('latin1');
    } catch {
      return none;
    }
    const { windowMs, bootId } = this.#options;
    const header = headerOf(windowMs, bootId);
    // Killed before the first line was whole: nothing can have come after it.
    if (text.length < header.length && header.startsWith(text)) return { proofs: [], complete: true };
    let complete = text.startsWith(header);
    const lines = text.split('\n').slice(1);
    // What is behind the last line end was cut off while it was written.
    lines.pop();
    const proofs: ShownProof[] = [];
    for (const line of lines) {
      const [, issuedAt, name, holder] = LINE.exec(line) ?? [];
      if (issuedAt === undefined || name === undefined || !isDigest(holder)) complete = false;
      else proofs.push({ issuedAtMs: Number(issuedAt), name, holder });
    }
    return { proofs, complete };
  }
}

function headerOf(windowMs: number, bootId: string | undefined): string {
  return `switch-cci dpop-proofs 1 window=${windowMs} boot=${bootId ?? 'unknown'}\n`;
}
