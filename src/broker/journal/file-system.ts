import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rename, stat } from 'node:fs/promises';

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
  /** Writes at the end of the file and tells how many bytes were taken, which may be fewer. */
  append(bytes: Uint8Array): Promise<number>;
  /** Bytes from `position` into `target`; fewer at the end of the file, 0 beyond it. */
  read(target: Uint8Array, position: number): Promise<number>;
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

const FLAGS: Readonly<Record<OpenMode, number>> = {
  append: constants.O_RDWR | constants.O_APPEND | constants.O_NOFOLLOW,
  create: constants.O_RDWR | constants.O_APPEND | constants.O_NOFOLLOW | constants.O_CREAT | constants.O_EXCL,
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
  async identity(path) {
    try {
      return identityOf(await stat(path));
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
    async append(bytes) {
      return (await handle.write(bytes)).bytesWritten;
    },
    async read(target, position) {
      return (await handle.read(target, 0, target.length, position)).bytesRead;
    },
    datasync: () => handle.datasync(),
    truncate: (length) => handle.truncate(length),
    async identity() {
      return identityOf(await handle.stat());
    },
    close: () => handle.close(),
  };
}

function identityOf(stats: { dev: number; ino: number; size: number; mode: number; uid: number }): FileIdentity {
  return { device: stats.dev, inode: stats.ino, size: stats.size, mode: stats.mode & 0o777, owner: stats.uid };
}
