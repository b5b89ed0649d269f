import { JournalError } from './errors.ts';
import type { FileIdentity, JournalFileSystem } from './file-system.ts';

/** True when somebody other than the owner has any right to it. */
export function isOpenToOthers({ mode }: FileIdentity): boolean {
  return (mode & 0o077) !== 0;
}

/** Why a directory can't hold a journal; undefined when it can. */
export async function directoryProblem(
  fileSystem: JournalFileSystem,
  directory: string,
): Promise<JournalError | undefined> {
  const found = await fileSystem.identity(directory);
  if (found === undefined) return new JournalError('io', `the journal directory \`${directory}\` is gone`);
  if (!isOpenToOthers(found)) return undefined;
  // Not tightened by us: a directory that others use may have been named by mistake.
  const mode = found.mode.toString(8).padStart(4, '0');
  const message = `journal directory \`${directory}\` has mode ${mode}: close it to others with \`chmod 0700\``;
  return new JournalError('insecure', message);
}
