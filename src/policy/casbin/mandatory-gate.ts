import { builtinCommands, type CommandTable } from '../../cci/index.ts';
import { type LockdownLevel, lockdownLevels, type Profile, type UnderLockdown } from '../../taint/index.ts';
import { conditions, type MandatoryDenial, type MandatoryFacts } from '../engine.ts';
import { FABRIC_TENANT } from '../types.ts';
import { commandOf, commandText } from './command.ts';
import { entry, newList, newMap } from './entry.ts';
import { NONE, reachOrder, rowConditions, taintOrder } from './mandatory-columns.ts';
import { BASE_ID, type MandatoryRule, refusals, sourceOf } from './rules.ts';
import { reaches } from './selector.ts';
import type { Verdicts } from './verdicts.ts';

interface Remembered {
  readonly command: string;
  readonly denials: readonly MandatoryDenial[];
}

const REMEMBERED_MAX = 1 << 14;

const profiles: readonly Profile[] = ['host', 'bmc'];
const restrictions: readonly UnderLockdown[] = ['allow', 'reads', 'off'];

/** Asks casbin which mandatory rows deny, and remembers the answer for exactly these facts. */
export class MandatoryGate {
  readonly #verdicts: Verdicts;
  readonly #rules: readonly MandatoryRule[];
  readonly #commands: CommandTable;
  readonly #byRow: ReadonlyMap<readonly string[], MandatoryRule>;
  #remembered = new Map<number, Map<number, Remembered[]>>();
  #entries = 0;

  constructor(verdicts: Verdicts, rules: readonly MandatoryRule[], commands: CommandTable = builtinCommands) {
    this.#commands = commands;
    this.#verdicts = verdicts;
    this.#rules = rules;
    this.#byRow = new Map(rules.map((rule) => [rule.row, rule]));
  }

  /** @throws RangeError for facts that are none of those declared: nothing is decided on what is not understood */
  denials(facts: MandatoryFacts): readonly MandatoryDenial[] {
    const present = presentConditions(facts);
    const key = packed(facts, present);
    const command = commandOf(facts.command, this.#commands);
    const text = commandText(command);
    const known = this.#remembered
      .get(key)
      ?.get(command.opcode)
      ?.find((one) => one.command === text);
    if (known !== undefined) return known.denials;

    const request = [
      facts.level,
      facts.taint.join('|') || NONE,
      facts.profile,
      facts.command.class,
      String(facts.command.scope),
      facts.reach,
      text,
      present.join('|') || NONE,
    ];
    // Rows that name another command, or facts that are not there, can't matter; casbin looks at the rest.
    const candidates = this.#rules.filter(
      ({ command: column }) =>
        column.selectors.some((selector) => reaches(selector, command, 'deny')) &&
        column.conditions.every((condition) => present.includes(condition)),
    );
    const denials = this.#ask(
      candidates.map((rule) => rule.row),
      request,
    );
    this.#remember(key, command.opcode, { command: text, denials });
    return denials;
  }

  /** casbin names one denying row; with it out of the way, the next, until none is left. */
  #ask(rows: readonly (readonly string[])[], request: readonly string[]): readonly MandatoryDenial[] {
    const denials: MandatoryDenial[] = [];
    let left = rows;
    while (left.length > 0) {
      const verdict = this.#verdicts.mandatory(left, request);
      if (verdict.allowed) return Object.freeze(denials);
      const rule = this.#byRow.get(verdict.row);
      if (rule === undefined || rule.row[0] === BASE_ID) break;
      denials.push(denialOf(rule));
      left = left.filter((row) => row !== rule.row);
    }
    // The loader sees to the base row. Should it be missing all the same, nothing is allowed.
    denials.push({ id: BASE_ID, source: 'mandatory.csv', reason: 'no mandatory row allows this', errno: 'EPERM' });
    return Object.freeze(denials);
  }

  #remember(key: number, opcode: number, remembered: Remembered): void {
    if (this.#entries >= REMEMBERED_MAX) {
      this.#remembered = new Map();
      this.#entries = 0;
    }
    const opcodes = entry(this.#remembered, key, newMap<number, Remembered[]>);
    entry(opcodes, opcode, newList<Remembered>).push(remembered);
    this.#entries += 1;
  }
}

function denialOf({ row, file, line }: MandatoryRule): MandatoryDenial {
  const [id] = row;
  const { errno, returnCode } = refusals.get(id.charAt(0)) ?? { errno: 'EPERM' as const };
  const denial = { id, source: sourceOf({ file, line }), reason: row[9], errno };
  return Object.freeze(returnCode === undefined ? denial : { ...denial, returnCode });
}

/** The given conditions and the derived ones, in the order of `rowConditions`. */
function presentConditions({ conditions: given, tenant, underLockdown }: MandatoryFacts): readonly string[] {
  for (const condition of given) {
    if (!conditions.includes(condition)) throw new RangeError(`unknown condition ${condition}`);
  }
  const present = new Set<string>(given);
  if (tenant !== FABRIC_TENANT) present.add('caller-not-fabric');
  if (underLockdown === 'reads') present.add('under-lockdown-reads');
  if (underLockdown === 'off') present.add('under-lockdown-off');
  return rowConditions.filter((condition) => present.has(condition));
}

/** Everything but the command as one whole number: each fact has bits of its own, so two sets of facts never share one. */
function packed({ level, underLockdown, profile, reach, taint }: MandatoryFacts, present: readonly string[]): number {
  let key = 0;
  const put = <T>(among: readonly T[], value: T): void => {
    const index = among.indexOf(value);
    if (index === -1) throw new RangeError(`unknown fact ${String(value)}`);
    key = key * among.length + index;
  };
  put<LockdownLevel>(lockdownLevels, level);
  put(restrictions, underLockdown);
  put(profiles, profile);
  put<string>(reachOrder, reach);
  for (const letter of taint) if (!taintOrder.includes(letter)) throw new RangeError(`unknown taint ${letter}`);
  for (const letter of taintOrder) key = key * 2 + (taint.includes(letter) ? 1 : 0);
  for (const condition of rowConditions) key = key * 2 + (present.includes(condition) ? 1 : 0);
  return key;
}
