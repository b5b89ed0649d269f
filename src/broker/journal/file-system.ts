import { constants, fstatSync, statSync, write } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rename } from 'node:fs/promises';

/** What tells one file from another, and how long it is. */
export interface FileIdentity {
  readonly device: number;
  readonly inode: number;
  readonly size: number;
  /** Permission bits. */
  readonly mode: number;
  readonly owner: number;
}

/** A journal file, open. */
export interface JournalFile {
  /**
   * Writes at the end of the file and tells how many bytes were taken, which may be fewer. These are on the disk then;
   * bytes that were there before are as durable as they were.
   */
  append(bytes: Uint8Array): Promise<number>;
  /** Bytes from `position` into `target`; fewer at the end of the file, 0 beyond it. */
  read(target: Uint8Array, position: number): Promise<number>;
  /** Everything that is in the file is on the disk: for what was cut off, or written by an earlier process. */
  datasync(): Promise<void>;
  truncate(length: number): Promise<void>;
  identity(): Promise<FileIdentity>;
  close(): Promise<void>;
}

/**
 * - `append`: an existing file, read and append
 * - `create`: a new file that must not be there yet, mode 0600, read and append
 * - `read`: an existing file
 */
export type OpenMode = 'append' | 'create' | 'read';

/** The file system as far as the journal needs it. Tests inject a failure at every call. */
export interface JournalFileSystem {
  open(path: string, mode: OpenMode): Promise<JournalFile>;
  /** Makes the directory and its parents, mode 0700; an existing one is left as it is. */
  makeDirectory(path: string): Promise<void>;
  /** Makes new names in the directory durable. */
  syncDirectory(path: string): Promise<void>;
  /** Undefined when there is nothing of that name. */
  identity(path: string): Promise<FileIdentity | undefined>;
  list(directory: string): Promise<readonly string[]>;
  rename(from: string, to: string): Promise<void>;
}

// O_DSYNC: one trip through the thread pool instead of two, for a write and its sync; a third of the time that a command
// waits for its intent.
const APPEND = constants.O_RDWR | constants.O_APPEND | constants.O_DSYNC | constants.O_NOFOLLOW;

const FLAGS: Readonly<Record<OpenMode, number>> = {
  append: APPEND,
  create: APPEND | constants.O_CREAT | constants.O_EXCL,
  read: constants.O_RDONLY,
};

/** The file system of this host. */
export const hostJournalFileSystem: JournalFileSystem = {
  async open(path, mode) {
    return hostFile(await open(path, FLAGS[mode], 0o600));
  },
  async makeDirectory(path) {
    await mkdir(path, { recursive: true, mode: 0o700 });
  },
  async syncDirectory(path) {
    const directory = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      await directory.sync();
    } finally {
      await directory.close();
    }
  },
  // Asked after each write. What a file system has in memory is told in 5 us; a trip through the thread pool takes 80.
  async identity(path) {
    try {
      return identityOf(statSync(path));
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
      throw error;
    }
  },
  list: (directory) => readdir(directory),
  rename,
};

function hostFile(handle: FileHandle): JournalFile {
  return {
    append: (bytes) =>
      new Promise((resolve, reject) => {
        write(handle.fd, bytes, 0, bytes.length, null, (error, taken) => {
          if (error === null) resolve(taken);
          else reject(error);
        });
      }),
    async read(target, position) {
      return (await handle.read(target, 0, target.length, position)).bytesRead;
    },
    datasync: () => handle.datasync(),
    truncate: (length) => handle.truncate(length),
    async identity() {
      return identityOf(fstatSync(handle.fd));
    },
    close: () => handle.close(),
  };
}

function identityOf(stats: { dev: number; ino: number; size: number; mode: number; uid: number }): FileIdentity {
  return { device: stats.dev, inode: stats.ino, size: stats.size, mode: stats.mode & 0o777, owner: stats.uid };
}
