import type { Profile } from '../../taint/index.ts';
import type { Selector } from '../casbin/selector.ts';
import { Callers } from './callers.ts';
import { Universe } from './resources.ts';
import type { AskedCommand, SearchContext } from './search.ts';
import type { Selections } from './selections.ts';
import { type Side, selectionsOf } from './sides.ts';
import { TenantDesk } from './tenant-desk.ts';
import { rowsByTenant, TenantRows } from './tenant-table.ts';

/** One policy laid out for questions: rows, callers and objects, each worked out when it is first needed. */
export class Desk {
  readonly side: Side;
  readonly context: SearchContext;
  readonly selections: Selections;
  readonly #universe: Universe;
  readonly #rows: ReadonlyMap<string, TenantRows>;
  readonly #tenants = new Map<string, TenantDesk>();

  private constructor(side: Side, profile: Profile, callers: Callers) {
    this.side = side;
    this.context = { engine: side.engine, callers, profile, pictures: new Map() };
    this.selections = selectionsOf([side], false);
    this.#universe = new Universe(
      [side.engine.fabric],
      side.rules.grants.map(({ row }) => row[2]),
    );
    this.#rows = rowsByTenant([side.rules.grants]);
  }

  static async of(side: Side, profile: Profile): Promise<Desk> {
    return new Desk(side, profile, await Callers.of([side.rules.links]));
  }

  tenant(name: string): TenantDesk {
    const known = this.#tenants.get(name);
    if (known !== undefined) return known;
    const rows = this.#rows.get(name) ?? new TenantRows([[]]);
    const made = new TenantDesk(this.context, this.selections, name, rows, this.#universe);
    this.#tenants.set(name, made);
    return made;
  }

  /** Commands that a selector speaks of: typed ones; for opcodes raw ones, one for each run that rows tell apart. */
  commands(text: string, selector: Selector): readonly AskedCommand[] {
    const { rows, rowByOpcode } = this.side.engine.commands;
    if (selector.kind === 'opcode') {
      const inRange = this.selections.atoms.filter(
        ({ isRaw, first, last }) => isRaw && last >= selector.first && first <= selector.last,
      );
      const opcodes = new Set(inRange.map(({ first }) => Math.max(first, selector.first)));
      return [...opcodes].map((opcode) => ({
        opcode,
        row: rowByOpcode(opcode),
        submittedAs: 'raw',
      }));
    }
    if (selector.kind === 'slug') {
      return rows
        .filter(({ slug }) => slug === selector.slug)
        .map((row) => ({ opcode: row.opcode, row, submittedAs: 'typed' }));
    }
    const reached = this.selections.of(0, text, selector, 'deny').map((i) => this.selections.atoms[i]);
    const opcodes = new Set(reached.flatMap((atom) => (atom === undefined || atom.isRaw ? [] : atom.first)));
    return rows
      .filter(({ opcode }) => opcodes.has(opcode))
      .map((row) => ({ opcode: row.opcode, row, submittedAs: 'typed' }));
  }

  /** Atoms of a command; none where it can't be granted. */
  atomsOf({ opcode, submittedAs }: AskedCommand): readonly number[] {
    return this.selections.atoms.flatMap(({ first, last, isRaw }, i) =>
      first <= opcode && opcode <= last && isRaw === (submittedAs === 'raw') ? [i] : [],
    );
  }
}
