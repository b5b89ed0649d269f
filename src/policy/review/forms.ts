import { type CommandRow, type CommandTable, isTyped, type Scope, TUNNEL_OPCODE } from '../../cci/index.ts';
import { commandOf } from '../casbin/command.ts';
import { entry } from '../casbin/entry.ts';
import { type Effect, reaches, type Selector } from '../casbin/selector.ts';
import type { CommandRef } from '../engine.ts';
import type { PathKind } from '../fabric/index.ts';
import { touchedKinds } from './touched-kinds.ts';

/** A command in one of the ways in which it can be decided: reading the Command Effects Log is another than any other log. */
export interface Form {
  /** One bit of a set of forms. */
  readonly bit: bigint;
  readonly row: CommandRow;
  readonly ref: CommandRef;
  /** Kinds of objects that it can touch. */
  readonly kinds: ReadonlySet<PathKind>;
  readonly isMutating: boolean;
}

/** What a row gives, or takes: typed commands, and opcodes submitted raw. */
export interface Given {
  readonly bits: bigint;
  readonly forms: readonly Form[];
  /** Opcodes that may be submitted raw. */
  readonly raw: { readonly first: number; readonly last: number } | undefined;
}

/** Every typed command of a policy that somebody could be granted. */
export class Forms {
  readonly #commands: CommandTable;
  readonly #all: readonly Form[];
  readonly #given: { readonly [E in Effect]: Map<string, Given> } = { allow: new Map(), deny: new Map() };

  constructor(commands: CommandTable) {
    this.#commands = commands;
    this.#all = commands.rows.flatMap(refsOf).map(({ row, ref }, i) => ({
      bit: 1n << BigInt(i),
      row,
      ref,
      kinds: touchedKinds(row),
      // Where the content decides it may be a read.
      isMutating: row.mutating === true && row.virtual === undefined,
    }));
  }

  /** @param text the COMMAND column, by which the answer is remembered */
  givenBy(text: string, selector: Selector, effect: Effect): Given {
    return entry(this.#given[effect], text, () => {
      const forms = this.#all.filter(({ ref }) => reaches(selector, commandOf(ref, this.#commands), effect));
      const bits = forms.reduce((sum, { bit }) => sum | bit, 0n);
      return { bits, forms, raw: rawOf(selector, effect) };
    });
  }
}

function rawOf(selector: Selector, effect: Effect): Given['raw'] {
  if (selector.kind === 'opcode') return { first: selector.first, last: selector.last };
  return effect === 'deny' && selector.kind === 'class' && selector.class === 'raw'
    ? { first: 0, last: 0xffff }
    : undefined;
}

/** Is all that `inner` gives in what `outer` speaks about? */
export function isWithin(inner: Given, outer: Given): boolean {
  if ((inner.bits & ~outer.bits) !== 0n) return false;
  if (inner.raw === undefined) return true;
  return outer.raw !== undefined && outer.raw.first <= inner.raw.first && inner.raw.last <= outer.raw.last;
}

function refsOf(row: CommandRow): readonly { readonly row: CommandRow; readonly ref: CommandRef }[] {
  if (row.status !== 'verified' || !isTyped(row) || row.opcode === TUNNEL_OPCODE || row.notOffered !== undefined)
    return [];
  const { opcode, slug, set, scope } = row;
  const grant = row.grant === undefined ? {} : { grant: row.grant };
  const audited: CommandRef = { opcode, slug, set, class: 'audited', scope, ...grant };
  if (row.allowlisted === undefined) return [{ row, ref: audited }];
  const safe: CommandRef = { ...audited, class: 'allowlisted' };
  if (row.allowlisted !== 'cel-only') return [{ row, ref: safe }];
  return [
    { row, ref: safe },
    { row, ref: { ...audited, scope: Math.max(scope, 1) as Scope } },
  ];
}
