import { builtinCommands, type CommandTable } from '../../cci/index.ts';
import { lockdownLevels, taintBits } from '../../taint/index.ts';
import { conditions } from '../engine.ts';
import { visible } from '../load/error.ts';
import type { Reach } from '../types.ts';
import { parseCommandText } from './command.ts';
import { type MandatorySelector, parseScope, parseSelector, reaches } from './selector.ts';

/** The columns of a mandatory row that ask something, in the order of the file. */
export const mandatoryColumns = ['level', 'taint', 'profile', 'class', 'scope', 'reach', 'command'] as const;
export type MandatoryColumn = (typeof mandatoryColumns)[number];

/** Facts that the engine adds to those of `conditions`. */
export const derivedConditions = [
  /** the caller is of another tenant than `fabric` */
  'caller-not-fabric',
  /** the configuration says `under_lockdown: reads` */
  'under-lockdown-reads',
  /** the configuration says `under_lockdown: off` */
  'under-lockdown-off',
] as const;
export const rowConditions = [...conditions, ...derivedConditions] as const;
export type RowCondition = (typeof rowConditions)[number];

export const taintOrder = taintBits.map(({ letter }) => letter);
export const reachOrder: readonly string[] = [
  'query',
  'own',
  'cross-tenant',
  'switch',
  'opaque',
] satisfies readonly Reach[];
const levelOrder: readonly string[] = lockdownLevels;

/** Is the fact such that the row applies? */
export type Test = (fact: string) => boolean;

export interface ColumnProblem {
  readonly code: 'column' | 'unknown-command';
  readonly message: string;
  readonly help: string;
}

/** Stands for an empty list of facts, so that no field of a request is ever empty. */
export const NONE = 'none';

/** Turns a column into its test. `COMMAND` gives two: one for the command, one for the conditions. */
export function parseColumn(column: Exclude<MandatoryColumn, 'command'>, text: string): Test | ColumnProblem {
  if (text === '*') return always;
  switch (column) {
    case 'level':
      return parseLevel(text);
    case 'taint':
      return oneOf('taint letter', taintOrder, text, (wanted, fact) =>
        fact.split('|').some((letter) => wanted.has(letter)),
      );
    case 'profile':
      return oneOf('profile', ['host', 'bmc'], text, has);
    case 'class':
      return oneOf('class', ['allowlisted', 'audited', 'raw'], text, has);
    case 'scope': {
      const scope = parseScope(text);
      if (scope === undefined) return problem(`\`${visible(text)}\` is not a scope`, 'write `*`, `2`, `<=1` or `>=2`');
      return (fact) => Number(fact) >= scope.min && Number(fact) <= scope.max;
    }
    case 'reach':
      return parseReach(text);
  }
}

const always: Test = () => true;
const has = (wanted: ReadonlySet<string>, fact: string): boolean => wanted.has(fact);

function parseLevel(text: string): Test | ColumnProblem {
  const from = levelOrder.indexOf(text);
  if (from < 1)
    return problem(
      `\`${visible(text)}\` is not a lockdown level`,
      'write `*`, `integrity` or `confidentiality`; a row applies from its level up',
    );
  return (fact) => levelOrder.indexOf(fact) >= from;
}

function parseReach(text: string): Test | ColumnProblem {
  if (!text.startsWith('>=')) return oneOf('reach', reachOrder, text, has, ' or `>=cross-tenant`');
  const from = reachOrder.indexOf(text.slice(2));
  if (from === -1) return problem(`\`${visible(text)}\` is not a reach`, `write \`>=\` and one of ${list(reachOrder)}`);
  return (fact) => reachOrder.indexOf(fact) >= from;
}

function oneOf(
  noun: string,
  known: readonly string[],
  text: string,
  matches: (wanted: ReadonlySet<string>, fact: string) => boolean,
  more = '',
): Test | ColumnProblem {
  const wanted = new Set<string>();
  for (const word of text.split('|')) {
    if (!known.includes(word))
      return problem(
        `unknown ${noun} \`${visible(word)}\``,
        `write \`*\` or one or more of ${list(known)} with \`|\` between them${more}`,
      );
    if (wanted.has(word)) return problem(`${noun} \`${word}\` is named twice`, 'name it once');
    wanted.add(word);
  }
  return (fact) => matches(wanted, fact);
}

/** `SELECTOR|SELECTOR if CONDITION and CONDITION`. */
export interface CommandColumn {
  readonly selectors: readonly MandatorySelector[];
  readonly conditions: readonly RowCondition[];
}

export function parseCommandColumn(
  text: string,
  commands: CommandTable = builtinCommands,
): CommandColumn | ColumnProblem {
  const [left = '', right, ...more] = text.split(' if ');
  if (more.length > 0) return problem('two `if` in one row', 'join conditions with ` and `');
  const selectors: MandatorySelector[] = [];
  for (const word of left.split('|')) {
    const selector = word === '*' ? ({ kind: 'any' } as const) : parseSelector(word, commands);
    if ('code' in selector) return { code: 'unknown-command', message: selector.message, help: selector.help };
    selectors.push(selector);
  }
  const found: RowCondition[] = [];
  for (const word of right === undefined ? [] : right.split(' and ')) {
    const condition = rowConditions.find((known) => known === word);
    if (condition === undefined)
      return problem(`unknown condition \`${visible(word)}\``, `the conditions are ${list(rowConditions)}`);
    found.push(condition);
  }
  return { selectors, conditions: found };
}

/** Both halves of COMMAND as tests: of the command's text, of the list of facts. */
export function commandTests({ selectors, conditions: wanted }: CommandColumn): {
  readonly command: Test;
  readonly facts: Test;
} {
  return {
    command: (fact) => {
      const command = parseCommandText(fact);
      return selectors.some((selector) => reaches(selector, command, 'deny'));
    },
    facts: (fact) => {
      const present = fact.split('|');
      return wanted.every((condition) => present.includes(condition));
    },
  };
}

function problem(message: string, help: string): ColumnProblem {
  return { code: 'column', message, help };
}

function list(words: readonly string[]): string {
  return words.map((word) => `\`${word}\``).join(', ');
}
