import { existsSync, readFileSync } from 'node:fs';

/** A user to become. */
export interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/** Who the edge runs as where nobody else is named. */
export const DEFAULT_USER = 'nobody';

/**
 * Finds a user of this machine's own file, or takes `UID:GID` in digits. Users of a directory service are not looked for:
 * whoever has those gives the numbers.
 */
export function accountOf(name: string, file = '/etc/passwd'): Account | undefined {
  const numbers = /^(\d{1,9}):(\d{1,9})$/.exec(name);
  if (numbers !== null) return { name, uid: Number(numbers[1]), gid: Number(numbers[2]) };
  // A container may have none.
  if (!existsSync(file)) return undefined;
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    const [login, , uid, gid] = line.split(':');
    if (login === name && /^\d{1,9}$/.test(uid ?? '') && /^\d{1,9}$/.test(gid ?? '')) {
      return { name, uid: Number(uid), gid: Number(gid) };
    }
  }
  return undefined;
}
