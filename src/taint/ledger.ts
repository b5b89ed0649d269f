import { hostFileSystem, replaceFile, type StateFileSystem } from './atomic-file.ts';
import { PostureError } from './errors.ts';
import { ledgerText, parseLedger } from './ledger-file.ts';
import { carriedOver, emptyState, type LedgerState, raised } from './ledger-state.ts';
import { isMissing } from './lockdown.ts';
import type { LockdownLevel } from './types.ts';

export interface LedgerOptions {
  readonly path: string;
  /** `/switches/sw0` */
  readonly switchPath: string;
  /** Serial of the device that is there now. */
  readonly serial: string;
  /** Undefined when it can't be told. */
  readonly bootId: string | undefined;
  /** True when the journal already tells of this switch, so that a missing ledger is a loss. */
  readonly journalNotEmpty: boolean;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly fileSystem?: StateFileSystem;
}

/** How far the counts on disk may be behind. */
export const COUNTS_LATE_MS = 1000;

/**
 * The persisted register of one switch. A change is in `state` at once and on disk when its promise resolves; changes
 * made while a write runs share the next one. One process may hold a ledger: the journal's lock sees to that.
 */
export class Ledger {
  readonly #path: string;
  readonly #fileSystem: StateFileSystem;
  #state: LedgerState;
  #revision = 0;
  /** Revision of the last change that has to be on disk before anything goes on. */
  #promised = 0;
  #saved = -1;
  #flush: NodeJS.Timeout | undefined;
  #running: Promise<unknown> = Promise.resolve();
  #next: Promise<void> | undefined;

  private constructor(path: string, fileSystem: StateFileSystem, state: LedgerState) {
    this.#path = path;
    this.#fileSystem = fileSystem;
    this.#state = state;
  }

  /**
   * Reads the ledger or makes one, and carries it over to this boot.
   * @throws PostureError `EIO` when it can be neither read nor replaced: then the broker must not start.
   */
  static async open(options: LedgerOptions): Promise<Ledger> {
    const fileSystem = options.fileSystem ?? hostFileSystem;
    const state = carriedOver(await loaded(options, fileSystem), options.bootId, options.serial);
    const ledger = new Ledger(options.path, fileSystem, state);
    await ledger.save();
    return ledger;
  }

  get state(): LedgerState {
    return this.#state;
  }

  /** Grows with every change, counting included. */
  get revision(): number {
    return this.#revision;
  }

  /** Grows with every change that a decision may rest on; counting is none. */
  get promised(): number {
    return this.#promised;
  }

  /** False while something that is in force is not on disk. Counts may be behind by `COUNTS_LATE_MS`. */
  get durable(): boolean {
    return this.#saved >= this.#promised;
  }

  /**
   * Puts a new state in force and on disk. When the write fails the state stays in force, because a bit is never taken
   * back, and the next write carries it.
   * @throws PostureError `EIO`
   */
  change(state: LedgerState): Promise<void> {
    this.#state = state;
    this.#revision += 1;
    this.#promised = this.#revision;
    return this.save();
  }

  /**
   * Counts what is in force already: at once in `state`, on disk with the next change or within `COUNTS_LATE_MS`. What a
   * crash takes from a count, the journal still has.
   */
  count(state: LedgerState): void {
    this.#state = state;
    this.#revision += 1;
    this.#flush ??= setTimeout(() => {
      this.#flush = undefined;
      // What could not be written is carried by the next write.
      this.save().catch(() => undefined);
    }, COUNTS_LATE_MS).unref();
  }

  /** Writes counts that are not on disk yet. @throws PostureError `EIO` */
  async flush(): Promise<void> {
    clearTimeout(this.#flush);
    this.#flush = undefined;
    if (this.#saved !== this.#revision) await this.save();
  }

  /** Writes what is in force. @throws PostureError `EIO` */
  save(): Promise<void> {
    // A running write may have taken an older picture, so this joins the one after it.
    this.#next ??= this.#running.then(() => {
      this.#next = undefined;
      const write = this.#write();
      this.#running = write.catch(() => undefined);
      return write;
    });
    return this.#next;
  }

  async #write(): Promise<void> {
    const revision = this.#revision;
    try {
      await replaceFile(this.#fileSystem, this.#path, ledgerText(this.#state));
    } catch (error) {
      throw unwritable(this.#path, error);
    }
    this.#saved = revision;
  }
}

function unwritable(path: string, cause: unknown): PostureError {
  return new PostureError('EIO', `the taint ledger \`${path}\` can't be written: ${textOf(cause)}`, { cause });
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

async function loaded(options: LedgerOptions, fileSystem: StateFileSystem): Promise<LedgerState> {
  const { path, serial, bootId } = options;
  let text: string;
  try {
    text = await fileSystem.read(path);
  } catch (error) {
    if (!isMissing(error)) return replaced(options, fileSystem, `it can't be read: ${textOf(error)}`);
    const fresh = emptyState(bootId, serial);
    if (!options.journalNotEmpty) return fresh;
    return lost(options, fresh, 'integrity', 'the taint ledger is missing although the journal is not empty');
  }
  const parsed = parseLedger(text);
  return parsed.ok ? parsed.state : replaced(options, fileSystem, parsed.why);
}

/** Keeps the bad file under another name. Its run-time level is unknown, and a level that was in force never sinks. */
async function replaced(options: LedgerOptions, fileSystem: StateFileSystem, why: string): Promise<LedgerState> {
  const aside = await keptAside(options, fileSystem);
  const reason = `the taint ledger was damaged (${why}); it is kept as \`${aside}\``;
  return lost(options, emptyState(options.bootId, options.serial), 'confidentiality', reason);
}

/** A register that has lost its past: A, and a level that is not below what may have been in force. */
function lost(options: LedgerOptions, fresh: LedgerState, level: LockdownLevel, reason: string): LedgerState {
  const atMs = options.now();
  const by = 'broker';
  const raising = { letter: 'A', atMs, by, record: 'taint-ledger', scope: options.switchPath, reason } as const;
  const tainted = raised(fresh, raising, options.switchPath);
  return { ...tainted, runTime: level, levelChanges: [{ level, atMs, by, reason }] };
}

const MAX_ASIDE = 1000;

// A second name instead of a move: at no moment is there no ledger, whatever crashes.
async function keptAside({ path }: LedgerOptions, fileSystem: StateFileSystem): Promise<string> {
  for (let number = 1; number <= MAX_ASIDE; number++) {
    const aside = `${path}.damaged-${number}`;
    try {
      await fileSystem.link(path, aside);
      return aside;
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'EEXIST') continue;
      throw unwritable(path, error);
    }
  }
  throw new PostureError('EIO', `there are ${MAX_ASIDE} damaged copies beside the taint ledger \`${path}\``);
}
