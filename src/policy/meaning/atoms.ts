import { type CommandRow, type CommandTable, hex16, isTyped, type Scope, TUNNEL_OPCODE } from '../../cci/index.ts';
import { grantOf } from '../casbin/command.ts';
import type { MandatorySelector } from '../casbin/selector.ts';
import { switchQueryOpcodes } from '../decide/resolve-switch.ts';
import { type CommandRef, consoleRef } from '../engine.ts';
import { at } from './at.ts';

/**
 * One command as a rule can tell it from others. What every rule treats alike is one atom: an opcode nobody catalogued
 * differs from its neighbour only where a range of some row begins or ends.
 */
export interface Atom {
  /** Opcodes that it stands for; several only for raw ones. */
  readonly first: number;
  readonly last: number;
  /** `bind-vppb`; `raw opcode:0xc000-0xc0ff`. */
  readonly name: string;
  readonly slug?: string;
  readonly set?: string;
  readonly isRaw: boolean;
  /** Which of several readings of one slug it is. */
  readonly note?: string;
  /** Every tenant may be granted it on the switch itself. */
  readonly query: boolean;
  /**
   * The command as the engine of each policy is asked about it, with the first opcode; undefined where that policy has no
   * such command. Vendor commands are reviewed by one policy and raw under another.
   */
  readonly refs: readonly (CommandRef | undefined)[];
}

interface Reading {
  readonly class: CommandRef['class'];
  readonly scope: CommandRef['scope'];
  readonly note?: string;
  readonly query: boolean;
}

/**
 * Every command that can be decided and granted, under any of the policies. Left out are commands that nobody can be
 * granted: no row changes who may run them.
 *
 * @param tables commands of each policy
 * @param selectors all COMMAND columns in play; their opcode ranges cut the raw space
 */
export function atomsOf(tables: readonly CommandTable[], selectors: Iterable<MandatorySelector>): readonly Atom[] {
  const rows = new Map<number, readonly (CommandRow | undefined)[]>();
  for (const { opcode } of tables.flatMap((table) => table.rows)) {
    const isKnown = rows.has(opcode) || !isGrantable(opcode, tables);
    if (!isKnown)
      rows.set(
        opcode,
        tables.map((table) => table.rowByOpcode(opcode)),
      );
  }
  const listed = [...rows].flatMap(([opcode, each]) => opcodeAtoms(opcode, each));
  const words = [...selectors];
  const intervals = rawIntervals(new Set(rows.keys()), words, tables);
  return [...consoleAtoms(words, tables), ...listed, ...intervals].sort((a, b) => a.first - b.first);
}

/** One for each console that a row names. They have no opcode: none of the catalogue is 0000h. */
function consoleAtoms(selectors: readonly MandatorySelector[], tables: readonly CommandTable[]): readonly Atom[] {
  const words = new Set(selectors.flatMap((selector) => (selector.kind === 'console' ? [selector.word] : [])));
  return [...words].toSorted().map((word) => ({
    first: 0,
    last: 0,
    name: word,
    slug: word,
    // It has no number to be named by.
    isRaw: false,
    // Whose a program is stands in each broker's configuration: it may be any tenant's, on the switch that is nobody's.
    query: true,
    refs: tables.map(() => consoleRef(word)),
  }));
}

/** Opcodes of security sets, those kept for the broker and the like can't be granted; a tunnel is never decided. */
function isGrantable(opcode: number, tables: readonly CommandTable[]): boolean {
  return opcode !== TUNNEL_OPCODE && tables.some((table) => grantOf(opcode, table) !== 'never');
}

/** Readings of one opcode that any of the policies has, each as every policy has it. */
function opcodeAtoms(opcode: number, rows: readonly (CommandRow | undefined)[]): readonly Atom[] {
  const readings = rows.map((row) => (row === undefined ? [UNKNOWN] : readingsOf(row)));
  const keys = new Set(readings.flatMap((each) => each.map(keyOf)));
  return [...keys].map((key): Atom => {
    const found = readings.map((each) => each.find((reading) => keyOf(reading) === key));
    const reading = at(
      found.filter((one) => one !== undefined),
      0,
    );
    const row = at(
      rows.filter((one) => one !== undefined),
      0,
    );
    const isRaw = reading.class === 'raw';
    const { note } = reading;
    return {
      first: opcode,
      last: opcode,
      name: isRaw ? `raw opcode:${hex16(opcode)}` : row.slug,
      slug: row.slug,
      set: row.set,
      ...(note === undefined ? {} : { note }),
      isRaw,
      query: found.some((one) => one?.query === true),
      refs: found.map((one, side) => one && refOf(opcode, rows[side], one)),
    };
  });
}

function keyOf({ class: commandClass, note }: Reading): string {
  return `${commandClass} ${note}`;
}

function refOf(opcode: number, row: CommandRow | undefined, { class: commandClass, scope }: Reading): CommandRef {
  if (row === undefined) return { opcode, class: commandClass, scope };
  const ref = { opcode, slug: row.slug, set: row.set, class: commandClass, scope };
  return row.grant === undefined ? ref : { ...ref, grant: row.grant };
}

/** An opcode without a row: the strictest. */
const UNKNOWN: Reading = { class: 'raw', scope: 3, query: false };

/** Classes and scopes that a row's command can have (policy section 1), typed and raw. */
function readingsOf(row: CommandRow): readonly Reading[] {
  const { scope } = row;
  const isVerified = row.status === 'verified' && isTyped(row);
  const query = isVerified && isQuery(row);
  // Sent raw it means the device: what changes that is no query, but for the abort of one's own work.
  const rawQuery = query && (row.mutating === false || row.opcode === ABORT);
  const raw: Reading = { class: 'raw', scope, query: rawQuery };
  if (!isVerified) return [raw];
  if (row.allowlisted !== 'cel-only') {
    return [{ class: row.allowlisted === undefined ? 'audited' : 'allowlisted', scope, query }, raw];
  }
  const otherLog = Math.max(scope, 1) as Scope;
  return [
    { class: 'allowlisted', scope, note: EFFECTS_LOG, query },
    { class: 'audited', scope: otherLog, note: OTHER_LOGS, query: false },
    { ...raw, note: EFFECTS_LOG },
    { class: 'raw', scope: otherLog, note: OTHER_LOGS, query: false },
  ];
}

export const EFFECTS_LOG = 'Command Effects Log';
export const OTHER_LOGS = 'other logs';

function isQuery({ opcode, vendor, mutating }: CommandRow): boolean {
  if (vendor === undefined) return switchQueryOpcodes.has(opcode);
  return vendor.touches.kind === 'switch' && vendor.ownerData === 'none' && mutating !== true;
}

/** 0005h, request abort background operation. */
const ABORT = 0x0005;

const OPCODES = 0x10000;

/** Opcodes without a row, cut where a selector begins or ends and where one can't be granted. */
function rawIntervals(
  listed: ReadonlySet<number>,
  selectors: Iterable<MandatorySelector>,
  tables: readonly CommandTable[],
): readonly Atom[] {
  const cuts = new Uint8Array(OPCODES + 1);
  for (const selector of selectors) {
    if (selector.kind !== 'opcode') continue;
    cuts[selector.first] = 1;
    cuts[selector.last + 1] = 1;
  }
  const intervals: Atom[] = [];
  let first: number | undefined;
  for (let opcode = 0; opcode <= OPCODES; opcode += 1) {
    const isRaw = opcode < OPCODES && !listed.has(opcode) && isGrantable(opcode, tables);
    if (first !== undefined && (!isRaw || cuts[opcode] === 1)) {
      intervals.push(interval(first, opcode - 1, tables.length));
      first = undefined;
    }
    if (isRaw) first ??= opcode;
  }
  return intervals;
}

function interval(first: number, last: number, sides: number): Atom {
  const range = first === last ? hex16(first) : `${hex16(first)}-${hex16(last)}`;
  const ref: CommandRef = { opcode: first, class: 'raw', scope: 3 };
  const refs = Array.from({ length: sides }, () => ref);
  return { first, last, name: `raw opcode:${range}`, isRaw: true, query: false, refs };
}
