import { builtinCommands, type CommandTable, hex16 } from '../../cci/index.ts';
import { closest } from '../load/closest.ts';
import { visible } from '../load/error.ts';
import type { CommandClass } from '../types.ts';
import { type Command, grantOf, isReviewed } from './command.ts';
import { type ConsoleWord, isConsoleWord } from './console-word.ts';

/** What the COMMAND column of a grant selects. */
export type Selector =
  | { readonly kind: 'slug'; readonly slug: string; readonly opcode: number }
  | { readonly kind: 'set'; readonly set: string }
  | { readonly kind: 'class'; readonly class: CommandClass }
  | { readonly kind: 'scope'; readonly min: number; readonly max: number }
  | { readonly kind: 'opcode'; readonly first: number; readonly last: number }
  /** Opening a console program, or confirming that another does: `console:PROGRAM`, `console-approve:PROGRAM`. */
  | { readonly kind: 'console'; readonly word: ConsoleWord };

/** What a word in the COMMAND column of a mandatory row selects: the same, and `*`. */
export type MandatorySelector = Selector | { readonly kind: 'any' };

export type Effect = 'allow' | 'deny';

/** Why a text is not a selector. */
export interface SelectorProblem {
  readonly code: 'unknown-command' | 'not-grantable' | 'empty-selector';
  readonly message: string;
  readonly help: string;
}

const FORMS =
  'write a slug such as `bind-vppb`, `set:virtual-switch`, `class:allowlisted`, `scope:<=1`, `opcode:0xc010` or `opcode:0xc000-0xc0ff`';

const setsOf = new WeakMap<CommandTable, ReadonlySet<string>>();

/** Sets that have a command. */
function setNames(commands: CommandTable): ReadonlySet<string> {
  const known = setsOf.get(commands) ?? new Set(commands.rows.map((row) => row.set));
  setsOf.set(commands, known);
  return known;
}

/**
 * Parses the form alone; whether anything can be granted with it is `grantProblem`'s question.
 *
 * @param commands what slugs and sets may name: the snapshot's own, so that grants reach reviewed vendor commands
 */
export function parseSelector(text: string, commands: CommandTable = builtinCommands): Selector | SelectorProblem {
  const colon = text.indexOf(':');
  if (colon === -1) return parseSlug(text, commands);
  const value = text.slice(colon + 1);
  const sets = setNames(commands);
  switch (text.slice(0, colon)) {
    case 'set':
      if (sets.has(value)) return { kind: 'set', set: value };
      return unknown(`unknown command set \`${visible(value)}\``, suggestion('set:', value, sets));
    case 'class':
      if (value === 'allowlisted' || value === 'audited' || value === 'raw') return { kind: 'class', class: value };
      return unknown(`unknown class \`${visible(value)}\``, 'the classes are `allowlisted`, `audited` and `raw`');
    case 'scope':
      return (
        parseScope(value) ??
        unknown(`\`${visible(text)}\` is not a scope`, 'write `scope:1`, `scope:<=1` or `scope:>=2`; scopes are 0 to 3')
      );
    case 'opcode':
      return (
        parseOpcodes(value) ??
        unknown(
          `\`${visible(text)}\` is not an opcode or a range`,
          'write four lower-case hex digits, low end first: `opcode:0xc010` or `opcode:0xc000-0xc0ff`',
        )
      );
    case 'console':
    case 'console-approve':
      if (isConsoleWord(text)) return { kind: 'console', word: text };
      return unknown(
        `\`${visible(text)}\` names no console program`,
        'write the program as the configuration of the broker names it, such as `console:vendor-tool`; each has rows of its own',
      );
    default:
      return unknown(`unknown selector \`${visible(text)}\``, FORMS);
  }
}

export function isProblem(parsed: Selector | SelectorProblem): parsed is SelectorProblem {
  return 'code' in parsed;
}

/** `1`, `<=1`, `>=2`. */
export function parseScope(value: string): (Selector & { readonly kind: 'scope' }) | undefined {
  const match = /^(<=|>=)?([0-3])$/.exec(value);
  if (match === null) return undefined;
  const at = Number(match[2]);
  return { kind: 'scope', min: match[1] === '<=' ? 0 : at, max: match[1] === '>=' ? 3 : at };
}

function parseOpcodes(value: string): Selector | undefined {
  const match = /^(0x[0-9a-f]{4})(?:-(0x[0-9a-f]{4}))?$/.exec(value);
  if (match === null) return undefined;
  const first = Number(match[1]);
  const last = match[2] === undefined ? first : Number(match[2]);
  return first <= last ? { kind: 'opcode', first, last } : undefined;
}

function parseSlug(text: string, commands: CommandTable): Selector | SelectorProblem {
  const row = commands.rowBySlug(text);
  if (row !== undefined) return { kind: 'slug', slug: row.slug, opcode: row.opcode };
  const near = closest(
    text,
    commands.rows.map(({ slug }) => slug),
  );
  return unknown(`unknown command \`${visible(text)}\``, near === undefined ? FORMS : `did you mean \`${near}\`?`);
}

function unknown(message: string, help: string): SelectorProblem {
  return { code: 'unknown-command', message, help };
}

function suggestion(prefix: string, word: string, candidates: Iterable<string>): string {
  const near = closest(word, candidates);
  return near === undefined ? FORMS : `did you mean \`${prefix}${near}\`?`;
}

/** Why an `allow` row with this selector would never allow anything, or undefined when it can. */
export function grantProblem(
  selector: Selector,
  commands: CommandTable = builtinCommands,
): SelectorProblem | undefined {
  switch (selector.kind) {
    case 'slug':
      return slugProblem(selector.slug, commands);
    case 'set': {
      if (
        commands.rows.some(
          (row) => row.set === selector.set && row.status === 'verified' && grantOf(row.opcode, commands) === 'any',
        )
      )
        return undefined;
      return nothing(
        `no command of \`set:${selector.set}\` can be granted as a set`,
        'name the commands one by one, by slug or opcode',
      );
    }
    case 'class':
      if (selector.class !== 'raw') return undefined;
      return nothing(
        '`class:raw` grants nothing',
        'raw commands are granted by opcode alone: `opcode:0xc010` or `opcode:0xc000-0xc0ff`',
      );
    case 'opcode': {
      for (let opcode = selector.first; opcode <= selector.last; opcode += 1) {
        if (grantOf(opcode, commands) === 'any') return undefined;
      }
      const row = commands.rowByOpcode(selector.first);
      if (row?.grant === 'slug-only' && selector.first === selector.last) {
        return nothing(`${hex16(selector.first)} can't be granted by opcode`, `write its slug: \`${row.slug}\``);
      }
      return { code: 'not-grantable', message: 'nothing in this range can be granted', help: 'remove the row' };
    }
    case 'scope':
    // Which programs there are is in the configuration of each broker, not in the policy.
    case 'console':
      return undefined;
  }
}

function slugProblem(slug: string, commands: CommandTable): SelectorProblem | undefined {
  const row = commands.rowBySlug(slug);
  if (row === undefined) return unknown(`unknown command \`${visible(slug)}\``, FORMS);
  const because = row.notOffered ?? (row.virtual === undefined ? row.claimed : undefined);
  if (because !== undefined || grantOf(row.opcode, commands) === 'never') {
    const why = because ?? 'security commands are not offered through the broker';
    return { code: 'not-grantable', message: `\`${slug}\` can't be granted: ${why}`, help: 'remove the row' };
  }
  if (row.status !== 'verified') {
    return nothing(
      `\`${slug}\` is raw, its layout is not confirmed`,
      `grant it as the raw command it is: \`opcode:${hex16(row.opcode)}\``,
    );
  }
  if (slug === 'tunnel-management-command') {
    return nothing(
      'a tunnel is not granted, only the command inside it is',
      'grant the commands that may be sent through it',
    );
  }
  return undefined;
}

function nothing(message: string, help: string): SelectorProblem {
  return { code: 'empty-selector', message, help };
}

/**
 * Does a row with this selector speak about this command? A `deny` reaches all that its words say. An `allow` reaches
 * less: `slug-only` commands by their slug, raw ones by opcode, reviewed vendor ones by anything but their opcode, which
 * means submitting them raw, consoles by their own word, `never` ones not at all.
 */
export function reaches(selector: MandatorySelector, command: Command, effect: Effect): boolean {
  if (effect === 'allow') {
    if (command.grant === 'never') return false;
    if (command.grant === 'console' && selector.kind !== 'console') return false;
    if (command.class === 'raw' && selector.kind !== 'opcode' && selector.kind !== 'console') return false;
    if (selector.kind === 'opcode' && isReviewed(command)) return false;
    if (command.grant === 'slug-only' && selector.kind !== 'slug') return false;
  }
  switch (selector.kind) {
    case 'any':
      return true;
    case 'slug':
      return command.opcode === selector.opcode && command.slug === selector.slug;
    case 'set':
      return command.set === selector.set;
    case 'class':
      return command.class === selector.class;
    case 'scope':
      return command.scope >= selector.min && command.scope <= selector.max;
    case 'opcode':
      return command.opcode >= selector.first && command.opcode <= selector.last;
    case 'console':
      return command.grant === 'console' && command.slug === selector.word;
  }
}
