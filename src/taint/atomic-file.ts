import { constants } from 'node:fs';
import { link, open, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';

/** A file open for writing or a directory open for syncing, cut down to what is used here. */
export interface OpenFile {
  writeFile(text: string): Promise<void>;
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** The file system as far as the register needs it; tests inject failures at every call. */
export interface StateFileSystem {
  /** Empty file for writing, mode 0600, never through a symbolic link. */
  create(path: string): Promise<OpenFile>;
  openDirectory(path: string): Promise<OpenFile>;
  /** The whole text. Rejects with code `ENOENT` when there is no such file. */
  read(path: string): Promise<string>;
  rename(from: string, to: string): Promise<void>;
  /** A second name for the file. Rejects with code `EEXIST` when the name is taken. */
  link(from: string, to: string): Promise<void>;
}

/** The file system of this host. */
export const hostFileSystem: StateFileSystem = {
  create: (path) =>
    open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW, 0o600),
  openDirectory: (path) => open(path, constants.O_RDONLY | constants.O_DIRECTORY),
  read: (path) => readFile(path, 'utf8'),
  rename,
  link,
};

/**
 * Replaces the content of a file so that every reader, also after a crash at any moment, finds the old text or the new
 * one, whole. Durable when it resolves. After a rejection either may be there.
 */
export async function replaceFile(fileSystem: StateFileSystem, path: string, text: string): Promise<void> {
  const temporary = `${path}.new`;
  const file = await fileSystem.create(temporary);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await fileSystem.rename(temporary, path);
  const directory = await fileSystem.openDirectory(dirname(path));
  try {
    // Without this the rename itself may be lost with the power.
    await directory.sync();
  } finally {
    await directory.close();
  }
}
