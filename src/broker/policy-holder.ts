import { TUNNEL_OPCODE } from '../cci/index.ts';
import type { PolicySnapshot, Principal, ReadPolicy, ResourcePath, RuleEngine } from '../policy/index.ts';
import type { Shadow } from './shadow.ts';

export interface LoadedPolicy {
  readonly engine: RuleEngine;
  readonly snapshot: PolicySnapshot;
  /** What the engine was built of. */
  readonly rules: ReadPolicy['rules'];
  /** A candidate that decides beside it, where the configuration names one; loaded together with it or not at all. */
  readonly shadow?: Shadow;
}

/** How long a slice of long work may keep the event loop. */
const SLICE_MS = 5;

/**
 * Reads the files and builds an engine of them.
 *
 * @param unless where this is the id of what was read, nothing is built and there is no policy in the result
 */
export type LoadPolicy = (
  unless?: string,
) => Promise<
  | { readonly ok: true; readonly policy: LoadedPolicy | undefined }
  | { readonly ok: false; readonly problems: readonly string[] }
>;

/** What a reload came to. */
export interface Reloaded {
  /** A new snapshot is in force. */
  readonly changed: boolean;
  /** Empty when what the files say is in force. */
  readonly problems: readonly string[];
}

/**
 * The policy in force. A reload builds a new one aside and swaps one reference; on any error the old one stays.
 */
export class PolicyHolder {
  /** Told of each policy that comes into force. */
  onChange: ((policy: LoadedPolicy) => void) | undefined;
  private held: LoadedPolicy;
  private readonly load: LoadPolicy;
  private readonly visible = new Map<string, Promise<ReadonlySet<number>>>();
  private working: Promise<unknown> = Promise.resolve();
  private loading: Promise<unknown> = Promise.resolve();
  private next: Promise<Reloaded> | undefined;

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

  get shadow(): Shadow | undefined {
    return this.held.shadow;
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
    for (const row of snapshot.commands.rows) {
      if (row.notOffered !== undefined || row.request === null) continue;
      if (row.claimed !== undefined && row.virtual === undefined) continue;
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

  /**
   * Reads the files anew. A call while others load waits for a load that begins after it, because the files may have
   * changed since; calls that wait share one. Files that say what is in force already change nothing.
   */
  reload(): Promise<Reloaded> {
    if (this.next !== undefined) return this.next;
    const next = this.loading.then(() => {
      this.next = undefined;
      return this.loadOnce();
    });
    this.next = next;
    this.loading = next.catch(() => undefined);
    return next;
  }

  private async loadOnce(): Promise<Reloaded> {
    const result = await this.load(this.held.snapshot.id);
    if (!result.ok) return { changed: false, problems: result.problems };
    if (result.policy === undefined) return { changed: false, problems: [] };
    this.held = result.policy;
    this.visible.clear();
    this.onChange?.(result.policy);
    return { changed: true, problems: [] };
  }
}
