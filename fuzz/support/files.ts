import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../..');

/** Text of a file of the project. */
export const projectFile = (path: string): string => readFileSync(join(root, path), 'utf8');

/** Bytes of all files of a folder of the project, none where there is no such folder. */
export function projectFiles(folder: string, maxBytes: number): readonly Uint8Array[] {
  try {
    return readdirSync(join(root, folder))
      .sort()
      .map((file) => new Uint8Array(readFileSync(join(root, folder, file))))
      .filter((bytes) => bytes.length <= maxBytes);
  } catch {
    return [];
  }
}

/** Without its comments: fuzzing those is a waste. */
export function withoutComments(text: string): string {
  return text
    .split('\n')
    .filter((line) => !/^\s*#/.test(line) && line.trim() !== '')
    .map((line) => line.replace(/\s+#.*$/, ''))
    .join('\n');
}
