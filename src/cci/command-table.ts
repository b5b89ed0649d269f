import {
  type CommandRow,
  catalogue,
  rowByOpcode,
  rowBySlug,
  type TypedRow,
  type VendorTerms,
} from './catalogue/index.ts';
import { hex16 } from './ids.ts';

/** First opcode that belongs to vendors; FFFFh is the last. */
export const VENDOR_FIRST = 0xc000;

/** A command of a vendor that somebody reviewed: the policy describes it, so it is typed and audited (R20). */
export type VendorRow = TypedRow & { readonly vendor: VendorTerms };

export function isVendorRow(row: CommandRow | undefined): row is VendorRow {
  return row?.vendor !== undefined;
}

/**
 * The commands that exist for callers under one policy: the catalogue, and the vendor commands that the policy adds.
 * Immutable. The broker's own traffic uses the catalogue alone.
 */
export interface CommandTable {
  /** Ascending by opcode. */
  readonly rows: readonly CommandRow[];
  /** Those of `rows` that the policy added. */
  readonly reviewed: readonly VendorRow[];
  /** The row of an opcode, or undefined: then it is raw. */
  rowByOpcode(opcode: number): CommandRow | undefined;
  rowBySlug(slug: string): CommandRow | undefined;
}

/** The catalogue and nothing else. */
export const builtinCommands: CommandTable = { rows: catalogue, reviewed: [], rowByOpcode, rowBySlug };

/**
 * The catalogue with reviewed vendor commands beside it.
 *
 * @throws RangeError for an opcode outside C000h-FFFFh, and for an opcode or slug that is there already. INVARIANT: no row
 * of the catalogue is ever replaced
 */
export function extendCommands(added: readonly VendorRow[]): CommandTable {
  if (added.length === 0) return builtinCommands;
  const byOpcode = new Map<number, VendorRow>();
  const bySlug = new Map<string, VendorRow>();
  for (const row of added) {
    const { opcode, slug } = row;
    if (!Number.isInteger(opcode) || opcode < VENDOR_FIRST || opcode > 0xffff) {
      throw new RangeError(`${hex16(opcode)} is not an opcode of a vendor`);
    }
    if (byOpcode.has(opcode)) throw new RangeError(`${hex16(opcode)} has two rows`);
    if (bySlug.has(slug) || rowBySlug(slug) !== undefined) throw new RangeError(`\`${slug}\` has two rows`);
    byOpcode.set(opcode, row);
    bySlug.set(slug, row);
  }
  const reviewed = [...added].sort((a, b) => a.opcode - b.opcode);
  return {
    rows: [...catalogue, ...reviewed],
    reviewed,
    rowByOpcode: (opcode) => (opcode < VENDOR_FIRST ? rowByOpcode(opcode) : byOpcode.get(opcode)),
    rowBySlug: (slug) => rowBySlug(slug) ?? bySlug.get(slug),
  };
}

/** Do two tables say the same of a command? Rows of vendors are read anew with each policy, so their text counts. */
export function sameRow(a: CommandRow | undefined, b: CommandRow | undefined): boolean {
  if (a === b) return true;
  return a?.vendor !== undefined && a.vendor.definition === b?.vendor?.definition;
}
