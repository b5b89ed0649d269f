import { type CommandRow, catalogue, TUNNEL_OPCODE } from '../cci/index.ts';
import type { PolicySnapshot, Principal, ResourcePath, RuleEngine } from '../policy/index.ts';

export interface LoadedPolicy {
  readonly engine: RuleEngine;
  readonly snapshot: PolicySnapshot;
}

export type LoadPolicy = () => Promise<
  { readonly ok: true; readonly policy: LoadedPolicy } | { readonly ok: false; readonly problems: readonly string[] }
>;

/**
 * The policy in force. A reload builds a new one aside and swaps one reference; on any error the old one stays.
 */
export class PolicyHolder {
  private held: LoadedPolicy;
  private readonly load: LoadPolicy;
  private readonly visible = new Map<string, ReadonlySet<number>>();
  private loading: Promise<readonly string[]> | undefined;

  constructor(first: LoadedPolicy, load: LoadPolicy) {
    this.held = first;
    this.load = load;
  }

  get current(): PolicySnapshot {
    return this.held.snapshot;
  }

  get engine(): RuleEngine {
    return this.held.engine;
  }

  /**
   * Could this principal run the command on at least one object? What he is shown as his CEL rests on it; each command
   * is still decided on its own.
   */
  mayRun(principal: Principal, opcode: number): boolean {
    return this.runnable(principal).has(opcode);
  }

  private runnable(principal: Principal): ReadonlySet<number> {
    const { snapshot } = this.held;
    const key = principal.names.join('\u0000');
    const known = this.visible.get(key);
    if (known !== undefined) return known;
    // Bounded: the callers of one broker are few, and a full table is simply begun anew.
    if (this.visible.size >= 1024) this.visible.clear();
    const { fabric } = snapshot;
    const own = fabric.objects.filter((path) => fabric.ownerOf(path) === principal.tenant);
    const switches = [...fabric.switches.keys()].map((name): ResourcePath => `/switches/${name}`);
    const targets = [...new Set([...switches, ...own])];
    const found = new Set<number>();
    for (const row of catalogue as readonly CommandRow[]) {
      if (row.notOffered !== undefined || row.claimed !== undefined || row.request === null) continue;
      if (targets.some((path) => snapshot.grant(principal, path, row.slug).allowed)) found.add(row.opcode);
    }
    if (found.size > 0) found.add(TUNNEL_OPCODE);
    this.visible.set(key, found);
    return found;
  }

  /** Problems of the files; empty when the new policy is in force. Calls at the same time share one load. */
  reload(): Promise<readonly string[]> {
    this.loading ??= this.loadOnce().finally(() => {
      this.loading = undefined;
    });
    return this.loading;
  }

  private async loadOnce(): Promise<readonly string[]> {
    const result = await this.load();
    if (!result.ok) return result.problems;
    this.held = result.policy;
    this.visible.clear();
    return [];
  }
}
