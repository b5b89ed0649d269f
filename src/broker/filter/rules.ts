import { createHash } from 'node:crypto';
import { type OwnedKind, type ReplyRule, uuidText, type Value } from '../../cci/index.ts';
import type { TopologyView } from '../../policy/index.ts';
import { ownsEnd, ownsHost, ownsLd, ownsTag, ownsVcs, seesPort, type View } from './view.ts';

/** What a rule may look at besides the reply. */
export interface RuleInput {
  readonly view: View;
  readonly topology: TopologyView;
  /** Parameters as the caller gave them, before narrowing. */
  readonly asked: { readonly [name: string]: unknown };
}

type Entry = { readonly [name: string]: unknown };

/**
 * A reply cut down by the rules of its row, one after the other.
 *
 * @throws TypeError where the reply has no part that a rule speaks of: the table and the layout disagree, which refuses
 */
export function applyRules(rules: readonly ReplyRule[], reply: Value, input: RuleInput): Value {
  return rules.reduce<Entry>((value, rule) => applied(rule, value, input), reply) as Value;
}

function applied(rule: ReplyRule, value: Entry, input: RuleInput): Entry {
  switch (rule.rule) {
    case 'keyed':
      return {
        ...value,
        [rule.list]: entries(value, rule.list).filter((entry) => isHis(input, rule.of, entry[rule.key])),
      };
    case 'positional':
      return positional(rule, value, input);
    case 'bitmap':
      return within(rule.in, value, (entry) => ({
        ...entry,
        [rule.field]: list(entry, rule.field).filter((id) => isHis(input, rule.of, id)),
      }));
    case 'name':
      return within(rule.in, value, (entry) =>
        isHis(input, rule.of, entry[rule.field]) ? entry : { ...entry, [rule.field]: blankOf(rule.hidden) },
      );
    case 'count':
      return { ...value, [rule.field]: list(value, rule.list).length };
    case 'left-over':
      return ownsEnd(input.view, input.topology) ? value : { ...value, [rule.field]: value[rule.full] };
    case 'generation':
      return { ...value, [rule.field]: generationOf(list(value, rule.list)) };
    case 'window': {
      const start = number(input.asked, rule.start);
      return { ...value, [rule.list]: list(value, rule.list).slice(start, start + number(input.asked, rule.count)) };
    }
  }
}

function positional(rule: Extract<ReplyRule, { rule: 'positional' }>, value: Entry, { view, asked }: RuleInput): Entry {
  const got = list(value, rule.list);
  const gotStart = number(value, rule.start);
  if (rule.asked === undefined) {
    return { ...value, [rule.list]: got.map((entry, i) => (ownsLd(view, gotStart + i) ? entry : rule.blank)) };
  }
  // The asked window is restored: the request was narrowed to the caller's own before it was sent.
  const start = number(asked, rule.start);
  const end = start + number(asked, rule.asked.count);
  const last = rule.asked.total === undefined ? end : Math.min(end, number(value, rule.asked.total));
  const made: unknown[] = [];
  for (let ld = start; ld < last; ld++) made.push((ownsLd(view, ld) ? got[ld - gotStart] : undefined) ?? rule.blank);
  return { ...value, [rule.start]: start, [rule.list]: made };
}

/** The value itself, or each entry of one of its lists. */
function within(name: string | undefined, value: Entry, change: (entry: Entry) => Entry): Entry {
  return name === undefined ? change(value) : { ...value, [name]: entries(value, name).map(change) };
}

function isHis({ view, topology }: RuleInput, of: OwnedKind, id: unknown): boolean {
  switch (of) {
    case 'port':
      return seesPort(view, Number(id));
    case 'vcs':
      return ownsVcs(view, Number(id));
    case 'ld':
      return ownsLd(view, Number(id));
    case 'host':
      return ownsHost(view, topology, Number(id));
    case 'tag':
      // No tag is nobody's.
      return id instanceof Uint8Array && (id.every((byte) => byte === 0) || ownsTag(view, topology, uuidText(id)));
  }
}

function blankOf(hidden: number | 'zeros'): number | Uint8Array {
  return hidden === 'zeros' ? new Uint8Array(16) : hidden;
}

/** Another number whenever what is left of the list is another one, and only then. */
function generationOf(left: readonly unknown[]): number {
  const text = JSON.stringify(left, (_, value: unknown) =>
    value instanceof Uint8Array ? uuidText(value) : typeof value === 'bigint' ? value.toString() : value,
  );
  return createHash('sha256').update(text).digest().readUInt32LE(0);
}

function list(value: Entry, name: string): readonly unknown[] {
  const found = value[name];
  if (Array.isArray(found)) return found;
  throw new TypeError(`\`${name}\` is not a list of the reply`);
}

function entries(value: Entry, name: string): readonly Entry[] {
  return list(value, name) as readonly Entry[];
}

function number(value: Entry, name: string): number {
  const found = value[name];
  if (typeof found === 'number') return found;
  throw new TypeError(`\`${name}\` is not a number`);
}
