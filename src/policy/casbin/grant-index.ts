import type { Command } from './command.ts';
import { entry, newList, newMap } from './entry.ts';
import { RangeIndex } from './range-index.ts';
import { coveringPatterns, OWN } from './resource.ts';
import type { GrantRule } from './rules.ts';
import { reaches, type Selector } from './selector.ts';
import type { Slices } from './slices.ts';

interface RangedRule {
  readonly first: number;
  readonly last: number;
  readonly rule: GrantRule;
}

/** Rules by what they select: ranges of opcodes apart, everything else by a word. */
class Keyed {
  readonly #byKey = new Map<string, GrantRule[]>();
  readonly #ranges: RangeIndex<RangedRule>;

  constructor(rules: readonly GrantRule[]) {
    const ranges: RangedRule[] = [];
    for (const rule of rules) {
      const { selector } = rule;
      if (selector.kind === 'opcode') ranges.push({ first: selector.first, last: selector.last, rule });
      else for (const key of selectorKeys(selector)) entry(this.#byKey, key, newList<GrantRule>).push(rule);
    }
    this.#ranges = new RangeIndex(ranges);
  }

  find(command: Command, take: (rule: GrantRule) => void): void {
    for (const key of commandKeys(command)) for (const rule of this.#byKey.get(key) ?? []) take(rule);
    this.#ranges.find(command.opcode, ({ rule }) => take(rule));
  }
}

/** Rules of one role for one RESOURCE text. Few are looked through, many are filed the first time one is asked for. */
interface Bucket {
  readonly rules: GrantRule[];
  keyed: Keyed | undefined;
}

const FILED_FROM = 8;

/**
 * Finds the rules that can matter for one decision: tenant, then role, then RESOURCE text, then what the command is known by.
 * The cost does not grow with the number of rules, only with the number that apply.
 */
export class GrantIndex {
  readonly #tenants = new Map<string, Map<string, Map<string, Bucket>>>();

  static async build(rules: readonly GrantRule[], slices: Slices): Promise<GrantIndex> {
    const index = new GrantIndex();
    for (const rule of rules) {
      const [role, tenant, resource] = rule.row;
      const roles = entry(index.#tenants, tenant, newMap<string, Map<string, Bucket>>);
      entry(entry(roles, role, newMap<string, Bucket>), resource, newBucket).rules.push(rule);
      const pause = slices.breathe();
      if (pause !== undefined) await pause;
    }
    return index;
  }

  /** Roles of a tenant that stand in a rule. */
  rolesOf(tenant: string): Iterable<string> {
    return this.#tenants.get(tenant)?.keys() ?? [];
  }

  countRoles(tenant: string): number {
    return this.#tenants.get(tenant)?.size ?? 0;
  }

  hasRole(tenant: string, role: string): boolean {
    return this.#tenants.get(tenant)?.has(role) === true;
  }

  /** Rules whose role, resource and command all fit, in policy order. */
  candidates(
    tenant: string,
    roles: Iterable<string>,
    resource: string,
    isOwn: boolean,
    command: Command,
  ): readonly GrantRule[] {
    const byRole = this.#tenants.get(tenant);
    if (byRole === undefined) return [];
    const found: GrantRule[] = [];
    const take = (rule: GrantRule): void => {
      if (reaches(rule.selector, command, rule.row[4])) found.push(rule);
    };
    const patterns = [...coveringPatterns(resource), ...(isOwn ? [OWN] : [])];
    for (const role of roles) {
      const byResource = byRole.get(role);
      if (byResource === undefined) continue;
      for (const pattern of patterns) {
        const bucket = byResource.get(pattern);
        if (bucket === undefined) continue;
        if (bucket.rules.length < FILED_FROM) {
          bucket.rules.forEach(take);
          continue;
        }
        bucket.keyed ??= new Keyed(bucket.rules);
        bucket.keyed.find(command, take);
      }
    }
    return found.length < 2 ? found : found.toSorted((a, b) => a.order - b.order);
  }
}

const newBucket = (): Bucket => ({ rules: [], keyed: undefined });

/** Under which words a rule is filed. A scope selector is filed under each scope it covers. */
function selectorKeys(selector: Exclude<Selector, { kind: 'opcode' }>): readonly string[] {
  switch (selector.kind) {
    case 'slug':
      return [`slug:${selector.slug}`];
    case 'console':
      return [`slug:${selector.word}`];
    case 'set':
      return [`set:${selector.set}`];
    case 'class':
      return [`class:${selector.class}`];
    case 'scope':
      return [0, 1, 2, 3].filter((n) => n >= selector.min && n <= selector.max).map((n) => `scope:${n}`);
  }
}

/** Every word that a rule about this command can be filed under. */
function commandKeys({ slug, set, class: commandClass, scope }: Command): readonly string[] {
  return [`slug:${slug}`, `set:${set}`, `class:${commandClass}`, `scope:${scope}`];
}
