import { constants, fstatSync, type Stats, statSync, write } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rename } from 'node:fs/promises';

/** What tells one file from another, and how long it is. */
export interface FileIdentity {
  readonly device: number;
  readonly inode: number;
  readonly size: number;
  /** Permission bits. */
  readonly mode: number;
  readonly owner: number;
  /** When it was last changed in any way, milliseconds since 1970; a directory, when a name in it came, went or changed its file. */
  readonly changedMs: number;
}

/** A journal file, open. */
export interface JournalFile {
  /**
   * Writes at the end of the file and tells how many bytes were taken, which may be fewer. These are on the disk then;
   * bytes that were there before are as durable as they were.
   */
  append(bytes: Uint8Array): Promise<number>;
  /** Writes over what is at `position` and tells how many bytes were taken, which may be fewer. These are on the disk then. */
  overwrite(bytes: Uint8Array, position: number): Promise<number>;
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
 * - `overwrite`: an existing file, for `overwrite`; what is opened otherwise would append all the same
 * - `read`: an existing file
 */
export type OpenMode = 'append' | 'create' | 'overwrite' | 'read';

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
const OVERWRITE = constants.O_RDWR | constants.O_DSYNC | constants.O_NOFOLLOW;
const APPEND = OVERWRITE | constants.O_APPEND;

const FLAGS: Readonly<Record<OpenMode, number>> = {
  append: APPEND,
  create: APPEND | constants.O_CREAT | constants.O_EXCL,
  overwrite: OVERWRITE,
  read: constants.O_RDONLY,
};

/** The file system of this host. */
export const hostJournalFileSystem: JournalFileSystem = {
  async open(path, mode) {
    // Whatever stands at the path: a pipe would keep us waiting for ever.
    const handle = await open(path, FLAGS[mode] | constants.O_NONBLOCK, 0o600);
    if (fstatSync(handle.fd).isFile()) return hostFile(handle);
    await handle.close();
    throw new Error(`\`${path}\` is no file`);
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
    append: (bytes) => written(handle.fd, bytes, null),
    overwrite: (bytes, position) => written(handle.fd, bytes, position),
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

function identityOf({ dev, ino, size, mode, uid, ctimeMs }: Stats): FileIdentity {
  return { device: dev, inode: ino, size, mode: mode & 0o777, owner: uid, changedMs: ctimeMs };
}

function written(file: number, bytes: Uint8Array, position: number | null): Promise<number> {
  return new Promise((resolve, reject) => {
    write(file, bytes, 0, bytes.length, position, (error, taken) => {
      if (error === null) resolve(taken);
      else reject(error);
    });
  });
}
