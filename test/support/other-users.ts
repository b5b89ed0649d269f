import { statSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * What keeps another user of this machine from running this checkout: the edge becomes one where the tests run as root.
 * Empty where nothing does.
 */
export function keepsOthersOut(): readonly string[] {
  if (process.getuid?.() !== 0) return [];
  const checkout = new URL('../../src', import.meta.url).pathname;
  for (let folder = checkout; ; folder = dirname(folder)) {
    if ((statSync(folder).mode & 0o001) === 0) return [`a checkout that other users can read (${folder} is closed)`];
    if (folder === dirname(folder)) return [];
  }
}
