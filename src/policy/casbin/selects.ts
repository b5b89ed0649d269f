import { builtinCommands, type CommandTable } from '../../cci/index.ts';
import { parseCommandText } from './command.ts';
import { entry, newMap } from './entry.ts';
import { commandTests, type MandatoryColumn, parseColumn, parseCommandColumn, type Test } from './mandatory-columns.ts';
import { coversPath } from './resource.ts';
import { isProblem, parseSelector, reaches } from './selector.ts';

/** `resource` and `command` of a grant; the columns of a mandatory row, whose COMMAND asks for the command and for facts. */
export type SelectsColumn = 'resource' | 'command' | Exclude<MandatoryColumn, 'command'> | 'rule' | 'facts';
type Matcher = (value: string, effect: string) => boolean;
export type Selects = (column: string, pattern: string, value: string, effect: string) => boolean;

/**
 * The one function of the matchers. Anchored, linear in the length of its arguments; each pattern is parsed once.
 * INVARIANT: it never guesses. A pattern that the loader would not have let in is an error, so nothing is decided by it.
 */
export function createSelects(commands: CommandTable = builtinCommands): Selects {
  const columns = new Map<string, Map<string, Matcher>>();
  return (column, pattern, value, effect) => {
    if (!isText(pattern) || !isText(value) || !isText(effect)) throw new TypeError(`empty or untyped ${column}`);
    if (column === 'resource') return coversPath(pattern, value);
    const matchers = entry(columns, column, newMap<string, Matcher>);
    const matcher = entry(matchers, pattern, () => compile(column, pattern, commands));
    return matcher(value, effect);
  };
}

function isText(argument: unknown): boolean {
  return typeof argument === 'string' && argument !== '';
}

function compile(column: string, pattern: string, commands: CommandTable): Matcher {
  switch (column) {
    case 'command': {
      const selector = parseSelector(pattern, commands);
      if (isProblem(selector)) throw new Error(selector.message);
      return (value, effect) => reaches(selector, parseCommandText(value), effect === 'allow' ? 'allow' : 'deny');
    }
    case 'rule':
    case 'facts': {
      const parsed = parseCommandColumn(pattern, commands);
      if ('code' in parsed) throw new Error(parsed.message);
      const tests = commandTests(parsed);
      return column === 'rule' ? tests.command : tests.facts;
    }
    case 'level':
    case 'taint':
    case 'profile':
    case 'class':
    case 'scope':
    case 'reach':
      return compileColumn(column, pattern);
    default:
      throw new Error(`unknown column ${column}`);
  }
}

function compileColumn(column: Exclude<MandatoryColumn, 'command'>, pattern: string): Test {
  const test = parseColumn(column, pattern);
  if (typeof test !== 'function') throw new Error(test.message);
  return test;
}
