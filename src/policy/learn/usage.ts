import { type CommandTable, hex16 } from '../../cci/index.ts';
import { entry } from '../casbin/entry.ts';
import { grantProblem, isProblem, parseSelector } from '../casbin/selector.ts';
import type { CommandRef } from '../engine.ts';
import { gateOf, type Side } from '../meaning/index.ts';
import { tenantGroup } from '../names.ts';
import { type PastDecision, type RecordMembers, readPastDecision } from '../replay/index.ts';
import type { Principal, ResourcePath } from '../types.ts';

/** A command that was run on an object, and the name that it was allowed for. */
export interface Use {
  /** `group:tenant/T`, a group or a user: the widest name of the callers that the current policy gives it to. */
  readonly holder: string;
  /** A slug; for raw commands `opcode:0xc010`. */
  readonly command: string;
  readonly resource: ResourcePath;
  readonly count: number;
  readonly callers: number;
  /** ISO 8601, UTC. */
  readonly last: string;
}

/** Something that was used and that no row can give. */
export interface Ungrantable {
  readonly command: string;
  readonly resource: ResourcePath;
  readonly count: number;
  readonly why: string;
}

export interface Usage {
  readonly uses: readonly Use[];
  readonly ungrantable: readonly Ungrantable[];
  /** Rows of the current policy, `tenants/acme.csv:12`, that decided a use. */
  readonly deciding: ReadonlySet<string>;
  /** Uses that the current policy does not allow: granted to the user himself. */
  readonly notAllowedNow: number;
  /** Records of the tenant that could be read. */
  readonly records: number;
  readonly unreadable: number;
  readonly first: string | undefined;
  readonly last: string | undefined;
}

interface Counted {
  readonly holder: string;
  readonly command: string;
  readonly resource: ResourcePath;
  readonly who: Set<string>;
  count: number;
  last: string;
}

/** Collects from a journal what callers of one tenant have run. */
export class UsageCollector {
  readonly #side: Side;
  readonly #tenant: string;
  readonly #uses = new Map<string, Counted>();
  readonly #ungrantable = new Map<string, { command: string; resource: ResourcePath; count: number; why: string }>();
  readonly #deciding = new Set<string>();
  readonly #holders = new Map<string, { readonly holder: string; readonly isAllowed: boolean }>();
  #records = 0;
  #unreadable = 0;
  #notAllowedNow = 0;
  #first: string | undefined;
  #last: string | undefined;

  constructor(side: Side, tenant: string) {
    this.#side = side;
    this.#tenant = tenant;
  }

  /** Takes the next `decision` or `intent` record. Never throws. */
  take(record: RecordMembers): void {
    if (record.tenant !== this.#tenant) return;
    const reading = readPastDecision(record);
    if (reading.kind === 'undecided') return;
    if (reading.kind !== 'decision') {
      this.#unreadable += 1;
      return;
    }
    const past = reading.decision;
    this.#records += 1;
    this.#first ??= past.at;
    this.#last = past.at;
    if (past.verdict === 'allow') for (const path of past.asked) this.#use(past, path);
  }

  usage(): Usage {
    return {
      uses: [...this.#uses.values()].map(({ who, ...use }) => ({ ...use, callers: who.size })),
      ungrantable: [...this.#ungrantable.values()],
      deciding: this.#deciding,
      notAllowedNow: this.#notAllowedNow,
      records: this.#records,
      unreadable: this.#unreadable,
      first: this.#first,
      last: this.#last,
    };
  }

  #use(past: PastDecision, resource: ResourcePath): void {
    const command = past.class === 'raw' ? `opcode:${hex16(past.opcode)}` : past.command;
    const why = this.#problem(command, resource);
    if (why !== undefined) {
      const known = entry(this.#ungrantable, `${command} ${resource}`, () => ({ command, resource, count: 0, why }));
      known.count += 1;
      return;
    }
    const { holder, isAllowed } = this.#holderOf(past, resource);
    if (!isAllowed) this.#notAllowedNow += 1;
    const use = entry(this.#uses, `${holder} ${command} ${resource}`, (): Counted => {
      return { holder, command, resource, who: new Set(), count: 0, last: past.at };
    });
    use.count += 1;
    use.last = past.at;
    use.who.add(past.principal.name);
  }

  #problem(command: string, resource: ResourcePath): string | undefined {
    const { commands } = this.#side.engine;
    const selector = parseSelector(command, commands);
    const problem = isProblem(selector) ? selector : grantProblem(selector, commands);
    if (problem !== undefined) return problem.message;
    const gate = gateOf(this.#side.engine.fabric, this.#tenant, resource);
    return gate === 'none' ? 'it does not belong to the tenant' : undefined;
  }

  /** The widest name by which the caller is allowed it now; his own where none is. */
  #holderOf(past: PastDecision, resource: ResourcePath): { readonly holder: string; readonly isAllowed: boolean } {
    const { principal } = past;
    const ref = refOf(past, this.#side.engine.commands);
    const key = `${principal.names.join(' ')}\n${resource}\n${past.opcode} ${past.class} ${past.scope}`;
    return entry(this.#holders, key, () => {
      const { allowed, rule } = this.#side.engine.grant(principal, resource, ref);
      if (allowed && rule !== undefined) this.#deciding.add(rule.source);
      const everybody = tenantGroup(this.#tenant);
      const groups = principal.names.filter((name) => name !== principal.name && name !== everybody);
      const names = allowed ? [everybody, ...groups.toSorted(), principal.name] : [];
      const holder = names.find((name) => this.#side.engine.grant(only(principal, name), resource, ref).allowed);
      return { holder: holder ?? principal.name, isAllowed: allowed };
    });
  }
}

/** The caller as if he had this name and no other but the tenant's group. */
function only(principal: Principal, name: string): Principal {
  const nobody = `user:${principal.issuer}#nobody-that-a-row-names`;
  const user = name === principal.name ? name : nobody;
  return { ...principal, name: user, names: [...new Set([user, name, tenantGroup(principal.tenant)])] };
}

function refOf({ opcode, class: commandClass, scope }: PastDecision, commands: CommandTable): CommandRef {
  const row = commands.rowByOpcode(opcode);
  if (row === undefined) return { opcode, class: commandClass, scope };
  const ref = { opcode, slug: row.slug, set: row.set, class: commandClass, scope };
  return row.grant === undefined ? ref : { ...ref, grant: row.grant };
}
