import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { ErrorList } from './error.ts';
import { errnoOf, readPlainFile } from './file.ts';

/** Names within a policy directory and what is in them. */
export type PolicyFiles = ReadonlyMap<string, Uint8Array>;

const FILE_BYTES_MAX = 1 << 24;
const TOTAL_BYTES_MAX = 1 << 26;
const FILES_MAX = 2000;

/** What may lie beside the policy without being part of it. */
const BESIDE = new Set(['README.md', 'tests']);

/**
 * Reads a policy directory: `model.conf`, `mandatory.csv`, `tenants/T.csv`, `commands.d/SLUG.yaml`. Anything else is reported, because a file that is
 * silently left out may be the one that denies. Hidden files and an editor's `name~` are not looked at.
 */
export function readPolicyDirectory(directory: string, errors: ErrorList): PolicyFiles {
  const files = new Map<string, Uint8Array>();
  let total = 0;
  const read = (name: string): void => {
    const bytes = readPlainFile(join(directory, name), name, FILE_BYTES_MAX, errors);
    if (bytes === undefined) return;
    total += bytes.length;
    if (total > TOTAL_BYTES_MAX)
      errors.add(
        'too-large',
        { file: name, line: 1, column: 1 },
        '',
      )(`the files are larger than ${TOTAL_BYTES_MAX} bytes together`, 'split the policy');
    else files.set(name, bytes);
  };
  for (const entry of entriesOf(directory, '.', errors)) {
    if (entry === 'tenants' || entry === 'commands.d') {
      for (const name of entriesOf(join(directory, entry), entry, errors)) read(`${entry}/${name}`);
    } else if (!BESIDE.has(entry)) {
      if (entry === 'model.conf' || entry === 'mandatory.csv') read(entry);
      else files.set(entry, new Uint8Array());
    }
  }
  return files;
}

function entriesOf(directory: string, name: string, errors: ErrorList): readonly string[] {
  const start = { file: name, line: 1, column: 1 };
  try {
    const entries = readdirSync(directory)
      .filter((entry) => !entry.startsWith('.') && !entry.endsWith('~'))
      .toSorted();
    if (entries.length <= FILES_MAX) return entries;
    errors.add('too-large', start, '')(`more than ${FILES_MAX} files`, 'remove what is not policy');
  } catch (error) {
    errors.add(
      'unreadable',
      start,
      '',
    )(`the directory can't be read (${errnoOf(error)})`, 'check that it exists and is readable');
  }
  return [];
}
