import { chmodSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { JournalError } from './errors.ts';

/** Keeps other brokers out of a journal directory. */
export interface JournalLock {
  release(): void;
}

const LOCK_FILE = 'lock';
const HOLDER_FILE = 'lock.holder';

/**
 * Takes the directory. The lock is the kernel's own (`fcntl`, by way of an exclusive SQLite transaction on an empty
 * database, the one file lock that Node ships): it ends with the process however that dies, so there is no stale lock
 * to judge, and it holds across containers that share the directory.
 * @throws JournalError `locked`, `io`
 */
export async function lockDirectory(directory: string): Promise<JournalLock> {
  const path = join(directory, LOCK_FILE);
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path);
    database.exec('PRAGMA busy_timeout=0; BEGIN EXCLUSIVE');
    // By path only: closing any other descriptor of this file would drop the lock (POSIX).
    chmodSync(path, 0o600);
    // For the message of whoever is kept out; nothing is decided with it.
    writeFileSync(join(directory, HOLDER_FILE), `${process.pid}\n`, { mode: 0o600 });
  } catch (error) {
    database?.close();
    if (isBusy(error)) {
      const holder = (await readFile(join(directory, HOLDER_FILE), 'utf8').catch(() => '')).trim();
      const who = holder === '' ? 'another process' : `process ${holder}`;
      throw new JournalError('locked', `journal \`${directory}\` is in use by ${who}`, { cause: error });
    }
    throw new JournalError('io', `journal \`${directory}\` can't be locked`, { cause: error });
  }
  const held = database;
  let released = false;
  return {
    release() {
      if (!released) held.close();
      released = true;
    },
  };
}

const SQLITE_BUSY = 5;

function isBusy(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY;
}
