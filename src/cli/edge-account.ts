import type { Account } from '../sandbox/index.ts';
import { LocalError } from './usage-error.ts';

/**
 * Who the process of the listeners becomes; undefined where the broker is not root, and both are the same user.
 *
 * @throws LocalError where there is no such user, or he is root by another name
 */
export function edgeAccount(user: string, accountOf: (name: string) => Account | undefined): Account | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const account = accountOf(user);
  const hint = 'name one with `edge.user` in the configuration, or UID:GID';
  if (account === undefined) {
    throw new LocalError(`there is no user \`${user}\` that the process of the listeners could become`, hint);
  }
  if (account.uid === 0) throw new LocalError(`user \`${user}\` is root, as which the listeners do not run`, hint);
  return account;
}
