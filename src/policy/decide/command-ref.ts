import { builtinCommands, type CommandRow, type CommandTable, isTyped } from '../../cci/index.ts';
import type { CommandRef } from '../engine.ts';
import type { CommandFacts } from '../types.ts';

const OPCODE = /^opcode:0x([0-9a-f]{4})$/;

/**
 * A command named as in grants: a slug, or `opcode:0xc010`, which is the raw path. What the payload or a tunnel would
 * add to its class is not known here, so the plain class of the row is taken.
 */
export function commandRefOf(name: string, commands: CommandTable = builtinCommands): CommandRef {
  const digits = OPCODE.exec(name)?.[1];
  if (digits !== undefined) return rawRef(Number.parseInt(digits, 16), commands);
  const row = commands.rowBySlug(name);
  // No opcode is 0000h (R13), so no rule can match what has no row.
  return row === undefined ? { opcode: 0, class: 'raw', scope: 3 } : refOf(row, plainClass(row));
}

function rawRef(opcode: number, commands: CommandTable): CommandRef {
  const row = commands.rowByOpcode(opcode);
  return row === undefined ? { opcode, class: 'raw', scope: 3 } : refOf(row, 'raw');
}

function plainClass(row: CommandRow): CommandRef['class'] {
  if (row.status !== 'verified' || !isTyped(row)) return 'raw';
  return row.allowlisted === undefined ? 'audited' : 'allowlisted';
}

function refOf(row: CommandRow, commandClass: CommandRef['class']): CommandRef {
  const ref = { opcode: row.opcode, slug: row.slug, set: row.set, class: commandClass, scope: row.scope };
  return row.grant === undefined ? ref : { ...ref, grant: row.grant };
}

/** The reference that a decision was taken with. */
export function refOfFacts(facts: CommandFacts, commands: CommandTable = builtinCommands): CommandRef {
  const row = commands.rowByOpcode(facts.opcode);
  const { opcode, class: commandClass, scope } = facts;
  return row === undefined ? { opcode, class: commandClass, scope } : { ...refOf(row, commandClass), scope };
}
