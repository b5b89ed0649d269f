import type { Profile } from '../../taint/index.ts';
import type { MandatoryRule } from '../casbin/rules.ts';
import type { Effect } from '../casbin/selector.ts';
import { switchQueryOpcodes } from '../decide/resolve-switch.ts';
import type { Condition, MandatoryFacts, RuleEngine } from '../engine.ts';
import type { PathKind } from '../fabric/index.ts';
import { FABRIC_TENANT, type Reach } from '../types.ts';
import type { Extent } from './extent.ts';
import type { Form, Given } from './forms.ts';

/** Can a row of the tenant speak for a command on something that it covers? */
export function isUsableBy(
  tenant: string,
  effect: Effect,
  opcode: number,
  kinds: ReadonlySet<PathKind>,
  extent: Extent,
): boolean {
  for (const [owner, covered] of extent) {
    const isOwns = tenant === FABRIC_TENANT || effect === 'deny' || owner === tenant;
    for (const kind of covered) {
      if (kinds.has(kind) && (isOwns || (kind === 'switch' && switchQueryOpcodes.has(opcode)))) return true;
    }
  }
  return false;
}

/** What the mandatory rules leave of a grant on the best of days: no lockdown, no taint, nothing attached, nothing disturbed. */
export class BestCase {
  readonly profile: Profile;
  readonly #engine: RuleEngine;
  readonly #edges: readonly number[];
  readonly #known = new Map<string, readonly string[]>();

  constructor(engine: RuleEngine, mandatory: readonly MandatoryRule[], profile: Profile) {
    this.#engine = engine;
    this.#edges = edgesOf(engine, mandatory);
    this.profile = profile;
  }

  /** Ids of the rules that deny all of it on what is covered; undefined where something is left. */
  deniers(tenant: string, { forms, raw }: Pick<Given, 'forms' | 'raw'>, extent: Extent): readonly string[] | undefined {
    const covered = new Set([...extent.values()].flatMap((kinds) => [...kinds]));
    const ids = new Set<string>();
    for (const form of forms) {
      const isOnSwitch = ![...form.kinds].some((kind) => kind !== 'switch' && covered.has(kind));
      const denied = this.#denied(tenant, form, isOnSwitch);
      if (denied.length === 0) return undefined;
      for (const id of denied) ids.add(id);
    }
    if (raw !== undefined) {
      const denied = this.#rawDenied(tenant, raw);
      if (denied.length === 0) return undefined;
      for (const id of denied) ids.add(id);
    }
    return [...ids];
  }

  #denied(tenant: string, { bit, row, ref, isMutating }: Form, isOnSwitch: boolean): readonly string[] {
    const key = `${tenant === FABRIC_TENANT} ${isOnSwitch} ${bit}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const conditions = new Set<Condition>();
    if (isMutating) conditions.add('mutating');
    if (row.opcode === 0x0502) conditions.add('immediate-effect');
    if (row.set === 'logs' && ref.class === 'audited') conditions.add('other-log');
    // A tenant aborts his own operation alone.
    const isWide = isOnSwitch && !(row.opcode === 0x0005 && tenant !== FABRIC_TENANT);
    const reach: Reach = row.radius === 'opaque' ? 'opaque' : !isMutating ? 'query' : isWide ? 'switch' : 'own';
    const denied = this.#ask(tenant, reach, ref, conditions);
    this.#known.set(key, denied);
    return denied;
  }

  /** Opcodes submitted raw: asked at the ends, and wherever some rule or command begins or ends between them. */
  #rawDenied(tenant: string, { first, last }: NonNullable<Given['raw']>): readonly string[] {
    const ids = new Set<string>();
    for (const opcode of [first, ...this.#edges.filter((edge) => edge > first && edge <= last)]) {
      const denied = this.#ask(tenant, 'query', { opcode, class: 'raw', scope: 3 }, new Set());
      if (denied.length === 0) return [];
      for (const id of denied) ids.add(id);
    }
    return [...ids];
  }

  #ask(
    tenant: string,
    reach: Reach,
    command: MandatoryFacts['command'],
    conditions: ReadonlySet<Condition>,
  ): readonly string[] {
    const facts = { level: 'none', underLockdown: 'allow', taint: [], profile: this.profile } as const;
    return this.#engine.mandatory({ ...facts, tenant, reach, command, conditions }).map(({ id }) => id);
  }
}

/** Opcodes before which no mandatory rule can tell one opcode from the one before. */
function edgesOf({ commands }: RuleEngine, mandatory: readonly MandatoryRule[]): readonly number[] {
  const edges = new Set<number>();
  for (const { opcode } of commands.rows) edges.add(opcode).add(opcode + 1);
  for (const { command } of mandatory) {
    for (const selector of command.selectors) {
      if (selector.kind === 'opcode') edges.add(selector.first).add(selector.last + 1);
    }
  }
  return [...edges].toSorted((a, b) => a - b);
}
