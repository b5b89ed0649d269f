import { type CommandRow, catalogue, TUNNEL_OPCODE } from '../cci/index.ts';
import type { PolicySnapshot, Principal, ResourcePath, RuleEngine } from '../policy/index.ts';

export interface LoadedPolicy {
  readonly engine: RuleEngine;
  readonly snapshot: PolicySnapshot;
}

/** How long a slice of long work may keep the event loop. */
const SLICE_MS = 5;

export type LoadPolicy = () => Promise<
  { readonly ok: true; readonly policy: LoadedPolicy } | { readonly ok: false; readonly problems: readonly string[] }
>;

/**
 * The policy in force. A reload builds a new one aside and swaps one reference; on any error the old one stays.
 */
export class PolicyHolder {
  private held: LoadedPolicy;
  private readonly load: LoadPolicy;
  private readonly visible = new Map<string, Promise<ReadonlySet<number>>>();
  private working: Promise<unknown> = Promise.resolve();
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
   * Opcodes that this principal could run on at least one object. What he is shown as his CEL rests on it; each command
   * is still decided on its own.
   */
  runnable(principal: Principal): Promise<ReadonlySet<number>> {
    const key = principal.names.join('\u0000');
    const known = this.visible.get(key);
    if (known !== undefined) return known;
    // Bounded: the callers of one broker are few, and a full table is simply begun anew.
    if (this.visible.size >= 1024) this.visible.clear();
    // One after the other: many at once would each take a slice of every turn of the event loop.
    const work = this.working.then(() => this.workOut(principal));
    this.working = work.catch(() => undefined);
    this.visible.set(key, work);
    work.catch(() => {
      if (this.visible.get(key) === work) this.visible.delete(key);
    });
    return work;
  }

  /** Commands times objects: on a large fabric that takes seconds, in which others must have their turn. */
  private async workOut(principal: Principal): Promise<ReadonlySet<number>> {
    const { snapshot } = this.held;
    const { fabric } = snapshot;
    const own = fabric.objects.filter((path) => fabric.ownerOf(path) === principal.tenant);
    const switches = [...fabric.switches.keys()].map((name): ResourcePath => `/switches/${name}`);
    const targets = [...new Set([...switches, ...own])];
    const found = new Set<number>();
    let pauseAt = performance.now() + SLICE_MS;
    for (const row of catalogue as readonly CommandRow[]) {
      if (row.notOffered !== undefined || row.claimed !== undefined || row.request === null) continue;
      for (const path of targets) {
        if (performance.now() > pauseAt) {
          await new Promise((done) => setImmediate(done));
          pauseAt = performance.now() + SLICE_MS;
        }
        if (!snapshot.grant(principal, path, row.slug).allowed) continue;
        found.add(row.opcode);
        break;
      }
    }
    if (found.size > 0) found.add(TUNNEL_OPCODE);
    // What was worked out for a policy that is not in force any more is shown to nobody.
    return this.held.snapshot === snapshot ? found : this.workOut(principal);
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
