import type { RuleEngine } from '../engine.ts';
import type { Side } from '../meaning/index.ts';
import { type PastDecision, type RecordMembers, readPastDecision } from './past-decision.ts';
import { type Redecided, redecide } from './redecide.ts';
import { StandIns } from './stand-ins.ts';

/** A past decision that the candidate would take otherwise. */
export interface Flip {
  readonly sequence: number;
  readonly requestId: string;
  readonly at: string;
  readonly principal: string;
  readonly tenant: string;
  readonly command: string;
  readonly touched: readonly string[];
  readonly before: 'allow' | 'deny';
  readonly after: 'allow' | 'deny';
  /** What decides under the candidate; for a flip to `allow` the rows that grant. */
  readonly because: readonly { readonly text: string; readonly source?: string }[];
}

/** Flips that are alike. */
export interface FlipGroup {
  readonly after: 'allow' | 'deny';
  readonly tenant: string;
  readonly command: string;
  /** Rows or sentences that decide, joined. */
  readonly because: string;
  readonly count: number;
  readonly principals: number;
  readonly first: number;
  readonly last: number;
}

export interface ReplaySummary {
  readonly candidate: string;
  /** Records that hold a decision or an intent. */
  readonly records: number;
  readonly replayed: number;
  /** Of those: taken with the candidate itself, so that nothing can differ. */
  readonly unchanged: number;
  /** Past denials that would be allowed. */
  readonly widened: number;
  /** Past commands that would be denied. */
  readonly narrowed: number;
  /** Refused before a command was decided: no policy was asked. */
  readonly undecided: number;
  /** Written before the journal held what a replay needs. */
  readonly incomplete: number;
  readonly malformed: number;
  readonly groups: readonly FlipGroup[];
  /** Flips beyond the groups that are kept. */
  readonly ungrouped: number;
}

/** Groups that are kept; a journal with more kinds of flips is told by number. */
const GROUPS_MAX = 10_000;

/** Takes the decisions of a journal again, one after the other. */
export class Replay {
  readonly #engine: RuleEngine;
  readonly #standIns: StandIns;
  readonly #groups = new Map<string, Omit<FlipGroup, 'principals'> & { readonly who: Set<string> }>();
  #counts = {
    records: 0,
    replayed: 0,
    unchanged: 0,
    widened: 0,
    narrowed: 0,
    undecided: 0,
    incomplete: 0,
    malformed: 0,
    ungrouped: 0,
  };

  private constructor(engine: RuleEngine, standIns: StandIns) {
    this.#engine = engine;
    this.#standIns = standIns;
  }

  /** @param candidate the policy to decide by */
  static async of({ engine, rules }: Side): Promise<Replay> {
    return new Replay(engine, await StandIns.of(rules.links));
  }

  /** Takes the next `decision` or `intent` record; the flip if it is one. Never throws. */
  take(record: RecordMembers): Flip | undefined {
    this.#counts.records += 1;
    const reading = readPastDecision(record);
    if (reading.kind !== 'decision') {
      this.#counts[reading.kind] += 1;
      return undefined;
    }
    const { decision } = reading;
    this.#counts.replayed += 1;
    if (decision.snapshot === this.#engine.id) {
      this.#counts.unchanged += 1;
      return undefined;
    }
    const now = redecide(this.#engine, decision, this.#standIns.of(decision.principal));
    if (now.verdict === decision.verdict) return undefined;
    const flip = flipOf(decision, now);
    this.#counts[now.verdict === 'allow' ? 'widened' : 'narrowed'] += 1;
    this.#group(flip);
    return flip;
  }

  summary(): ReplaySummary {
    const groups = [...this.#groups.values()]
      .map(({ who, ...group }): FlipGroup => ({ ...group, principals: who.size }))
      .toSorted((a, b) => (a.after === b.after ? b.count - a.count : a.after === 'allow' ? -1 : 1));
    return { candidate: this.#engine.id, ...this.#counts, groups };
  }

  #group({ after, tenant, command, because, sequence, principal }: Flip): void {
    const words = [...new Set(because.map(({ text, source }) => source ?? text))].join(', ');
    const key = JSON.stringify([after, tenant, command, words]);
    const known = this.#groups.get(key);
    if (known === undefined && this.#groups.size >= GROUPS_MAX) {
      this.#counts.ungrouped += 1;
      return;
    }
    const who = known?.who ?? new Set<string>();
    who.add(principal);
    const count = (known?.count ?? 0) + 1;
    const first = known?.first ?? sequence;
    this.#groups.set(key, { after, tenant, command, because: words, count, first, last: sequence, who });
  }
}

function flipOf(past: PastDecision, now: Redecided): Flip {
  const { principal, sequence, requestId, at, command, touched, verdict } = past;
  const granted = now.grants.flatMap(({ rule }) =>
    rule === undefined ? [] : [{ text: rule.text, source: rule.source }],
  );
  const against = now.reasons.map(({ text, source }) => (source === undefined ? { text } : { text, source }));
  return {
    sequence,
    requestId,
    at,
    principal: principal.name,
    tenant: principal.tenant,
    command,
    touched,
    before: verdict,
    after: now.verdict,
    because: now.verdict === 'allow' ? granted : against,
  };
}
