import { type Decision, type Errno, FABRIC_TENANT, type Principal, type Reason } from '../types.ts';
import { errnoTable } from './errno.ts';

/**
 * What the caller gets (section 3). INVARIANT: a foreign object answers as one that does not exist, whatever else
 * failed; otherwise the first failing step gives the errno, and the text is the errno's alone (R22).
 *
 * @param reasons in the order of the steps, at least one
 */
export function outwardAnswer(reasons: readonly Reason[], foreign: boolean): NonNullable<Decision['outward']> {
  const first = reasons[0];
  const errno: Errno = foreign || first === undefined ? 'EPERM' : first.errno;
  const row = errnoTable[errno];
  const returnCode = foreign ? row.returnCode : (first?.returnCode ?? row.returnCode);
  return { errno, returnCode, text: row.text };
}

/**
 * May the reasons leave the broker (section 9)? `cci:policy` opens them all to operators only: a scope caps, it does not
 * grant, and a tenant must not learn from a reason what is there beyond his own (decision 0114).
 */
export function isDisclosed(mode: 'own' | 'none', principal: Principal, allOwn: boolean): boolean {
  if (principal.tenant === FABRIC_TENANT && principal.scopes.includes('cci:policy')) return true;
  return mode === 'own' && allOwn;
}
