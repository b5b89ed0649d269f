import type { StateFileSystem } from '../../src/taint/index.ts';

function failure(code: string): Error {
  return Object.assign(new Error(code), { code });
}

/** As many files as a small state needs, in memory. */
export function memoryFiles(files: Map<string, string>): StateFileSystem {
  const file = (path: string) => ({
    writeFile: async (text: string) => void files.set(path, text),
    sync: async () => {},
    close: async () => {},
  });
  const read = (path: string): string => {
    const text = files.get(path);
    if (text === undefined) throw failure('ENOENT');
    return text;
  };
  return {
    create: async (path) => file(path),
    openDirectory: async (path) => file(path),
    read: async (path) => read(path),
    async rename(from, to) {
      files.set(to, read(from));
      files.delete(from);
    },
    async link(from, to) {
      if (files.has(to)) throw failure('EEXIST');
      files.set(to, read(from));
    },
  };
}
