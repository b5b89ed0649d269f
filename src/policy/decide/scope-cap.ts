import type { Scope } from '../../cci/index.ts';
import type { CommandClass, Principal, Reason, TokenScope } from '../types.ts';
import { reason } from './reason.ts';

/** One token scope for each scope number (section 1). None implies another: a token lists what it is for. */
const scopeOfNumber: { readonly [S in Scope]: TokenScope } = {
  0: 'cci:config',
  1: 'cci:debug-read',
  2: 'cci:debug-write',
  3: 'cci:debug-write-full',
};

/** The scope that a token must carry for a command of that class and number. */
export function neededScope(commandClass: CommandClass, scope: Scope): TokenScope {
  if (commandClass === 'raw') return 'cci:raw';
  return commandClass === 'allowlisted' ? 'cci:read' : scopeOfNumber[scope];
}

/** Step 7: a scope caps, it never grants (R14). */
export function scopeReasons(principal: Principal, commandClass: CommandClass, scope: Scope): readonly Reason[] {
  const needed = neededScope(commandClass, scope);
  if (principal.scopes.includes(needed)) return [];
  return [reason('scope', 'EPERM', 'scope', `the token has no scope \`${needed}\`, which this command needs`)];
}
