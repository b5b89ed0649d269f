import type { CommandTable } from '../../cci/index.ts';
import { isProblem, parseSelector, type Selector } from '../casbin/selector.ts';

/** A selector whose words come from the commands themselves, or from a row that the loader took. @throws RangeError else */
export function knownSelector(text: string, commands: CommandTable): Selector {
  const parsed = parseSelector(text, commands);
  if (isProblem(parsed)) throw new RangeError(parsed.message);
  return parsed;
}
