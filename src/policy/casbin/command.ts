import { builtinCommands, type CommandTable, hex16, type Scope, VENDOR_FIRST } from '../../cci/index.ts';
import type { CommandRef } from '../engine.ts';
import type { CommandClass } from '../types.ts';
import { isConsoleWord } from './console-word.ts';

/** A command as selectors look at it: what the caller of the engine says, made no wider than the catalogue says. */
export interface Command {
  readonly opcode: number;
  readonly slug: string | undefined;
  readonly set: string | undefined;
  readonly class: CommandClass;
  readonly scope: Scope;
  /** `slug-only`: no set, class, scope or range grants it. `console`: its own word alone. `never`: nothing does. */
  readonly grant: 'any' | 'slug-only' | 'console' | 'never';
}

const classes: readonly string[] = ['allowlisted', 'audited', 'raw'] satisfies readonly CommandClass[];

/**
 * @throws RangeError for a reference that contradicts itself or the catalogue. INVARIANT: such a command is never decided,
 * because a rule for the one reading would be applied to the other.
 */
export function commandOf(ref: CommandRef, commands: CommandTable = builtinCommands): Command {
  if (ref.grant === 'console') return consoleOf(ref);
  const { opcode, scope } = ref;
  if (!Number.isInteger(opcode) || opcode < 0 || opcode > 0xffff) throw new RangeError('opcode is not 16 bits');
  if (!Number.isInteger(scope) || scope < 0 || scope > 3) throw new RangeError('scope is not 0..3');
  if (!classes.includes(ref.class)) throw new RangeError('unknown class');
  const row = commands.rowByOpcode(opcode);
  if (row !== undefined && ((ref.slug ?? row.slug) !== row.slug || (ref.set ?? row.set) !== row.set)) {
    throw new RangeError(`${hex16(opcode)} is \`${row.slug}\``);
  }
  const slug = row?.slug ?? ref.slug;
  const set = row?.set ?? ref.set;
  if (slug === '' || set === '' || /\s/.test(`${slug}${set}`)) throw new RangeError('slug or set is not one word');
  return { opcode, slug, set, class: ref.class, scope, grant: strictest(ref.grant, grantOf(opcode, commands)) };
}

/** A console as a command: nobody can decode what is typed there, so it is raw, and as wide as a command can be. */
function consoleOf({ opcode, slug = '', set, class: commandClass, scope }: CommandRef): Command {
  if (!isConsoleWord(slug)) throw new RangeError('not the word of a console program');
  // 0000h is never sent: no command has it.
  const isAlike = opcode === 0 && set === undefined && commandClass === 'raw' && scope === 3;
  if (!isAlike) throw new RangeError('a console is raw, of scope 3 and without an opcode');
  return { opcode, slug, set, class: commandClass, scope, grant: 'console' };
}

/** How an opcode can be granted, by the catalogue alone. */
export function grantOf(opcode: number, commands: CommandTable = builtinCommands): 'any' | 'slug-only' | 'never' {
  const set = opcode >> 8;
  // Passphrases and security protocols: the whole sets, opcodes without a row too. 0000h is never sent (R13).
  if (opcode === 0 || set === 0x45 || set === 0x46) return 'never';
  const row = commands.rowByOpcode(opcode);
  // A claim that leaves a command of each tenant's own behind can be granted: that one.
  if ((row?.claimed !== undefined && row.virtual === undefined) || row?.notOffered !== undefined) return 'never';
  return row?.grant ?? 'any';
}

/** A reviewed command of a vendor, as the typed command that it is: whatever of that range is not raw. */
export function isReviewed({ opcode, class: commandClass }: Command): boolean {
  return opcode >= VENDOR_FIRST && commandClass !== 'raw';
}

function strictest(a: CommandRef['grant'], b: Command['grant']): Command['grant'] {
  if (a === 'never' || b === 'never') return 'never';
  return a === 'slug-only' || b === 'slug-only' ? 'slug-only' : 'any';
}

/** The command as one field of a casbin request: opcode, slug, set, class, scope, grant. Nothing in it is ever empty. */
export function commandText(command: Command): string {
  const { opcode, slug = '-', set = '-', class: commandClass, scope, grant } = command;
  return `${hex16(opcode)} ${slug} ${set} ${commandClass} ${scope} ${grant}`;
}

/** Inverse of `commandText`. */
export function parseCommandText(text: string): Command {
  const [opcode = '', slug = '-', set = '-', commandClass = '', scope = '', grant = ''] = text.split(' ');
  return {
    opcode: Number(opcode),
    slug: slug === '-' ? undefined : slug,
    set: set === '-' ? undefined : set,
    class: commandClass as CommandClass,
    scope: Number(scope) as Scope,
    grant: grant as Command['grant'],
  };
}
