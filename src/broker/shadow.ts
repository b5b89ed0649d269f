import { sameRow } from '../cci/index.ts';
import {
  createSnapshot,
  type Decision,
  type DecisionInput,
  type PolicySnapshot,
  type RawGate,
  type Reason,
  type RuleEngine,
} from '../policy/index.ts';

/**
 * `denies`: in force it is allowed, the candidate denies it. `allows`: the other way round. `narrows`, `widens`: both allow
 * it, and the candidate leaves fewer, or more, of the objects that were asked for.
 */
export type ShadowDifference = 'denies' | 'allows' | 'narrows' | 'widens';

/** What a candidate policy would have made of a decision. */
export interface ShadowFinding {
  readonly difference: ShadowDifference;
  /** Snapshot id of the candidate. */
  readonly snapshot: string;
  /** Why it denies; empty where it does not. */
  readonly reasons: readonly Pick<Reason, 'step' | 'rule' | 'text' | 'source'>[];
  /** Ids that it leaves of a list. */
  readonly kept?: readonly number[];
}

export interface ShadowOptions {
  /** The policy in force: its mandatory rules bind the candidate's decisions as well. */
  readonly inForce: RuleEngine;
  readonly candidate: RuleEngine;
  readonly tenants: ReadonlySet<string>;
  readonly onFailure?: (error: unknown) => void;
}

/** Findings live as long as the decisions that they are about. */
const findings = new WeakMap<Decision, ShadowFinding>();

/** What was found when the decision was taken; undefined where the candidate says the same or was not asked. */
export function shadowFinding(decision: Decision): ShadowFinding | undefined {
  return findings.get(decision);
}

/**
 * A candidate policy beside the one in force, for some tenants: each of their decisions is taken under it as well, and where
 * it differs that is written down.
 *
 * INVARIANT: what it says changes nothing. It is asked after the decision, it returns nothing, and it fails silently for the
 * caller. Mandatory rules are those in force, and raw commands are none of its business.
 */
export class Shadow {
  /** Of the candidate. */
  readonly id: string;
  readonly tenants: ReadonlySet<string>;
  readonly #inForce: RuleEngine;
  readonly #candidate: RuleEngine;
  readonly #snapshot: PolicySnapshot;
  readonly #onFailure: (error: unknown) => void;

  constructor({ inForce, candidate, tenants, onFailure }: ShadowOptions) {
    this.id = candidate.id;
    this.tenants = tenants;
    this.#inForce = inForce;
    this.#candidate = candidate;
    this.#onFailure = onFailure ?? (() => undefined);
    this.#snapshot = createSnapshot(
      {
        id: candidate.id,
        counters: candidate.counters,
        fabric: inForce.fabric,
        commands: inForce.commands,
        loosened: inForce.loosened,
        mandatory: (facts) => inForce.mandatory(facts),
        grant: (principal, resource, command) => candidate.grant(principal, resource, command),
        roles: (principal) => candidate.roles(principal),
        nearestMiss: () => undefined,
        rolesThatCould: () => [],
      },
      { discloseReasons: 'none' },
    );
  }

  /** Takes the same decision under the candidate and remembers the difference. Never throws. */
  observe(input: DecisionInput, gate: RawGate, decision: Decision): void {
    if (!this.tenants.has(input.principal.tenant) || decision.facts.class === 'raw') return;
    try {
      const finding = this.#compare(decision, input, gate);
      if (finding !== undefined) findings.set(decision, finding);
    } catch (error) {
      this.#onFailure(error);
    }
  }

  #compare(decision: Decision, input: DecisionInput, gate: RawGate): ShadowFinding | undefined {
    const { opcode } = input.submission.command;
    const [row, other] = [this.#inForce, this.#candidate].map(({ commands }) => commands.rowByOpcode(opcode));
    if (!sameRow(row, other)) {
      if (decision.verdict === 'deny') return undefined;
      const text = 'the candidate describes this vendor command otherwise, or not at all';
      return this.#finding('denies', [{ step: 'grant', rule: 'grant', text }]);
    }
    const would = this.#snapshot.decide(input, gate);
    const defect = would.reasons.find(({ rule }) => rule === 'internal');
    if (defect !== undefined) throw new Error(defect.text);
    if (decision.verdict !== would.verdict) {
      return this.#finding(would.verdict === 'deny' ? 'denies' : 'allows', would.reasons);
    }
    if (decision.verdict === 'deny') return undefined;
    const kept = would.narrowing?.kept ?? [];
    const now = decision.narrowing?.kept ?? [];
    if (now.some((id) => !kept.includes(id))) return { ...this.#finding('narrows', []), kept };
    if (kept.some((id) => !now.includes(id))) return { ...this.#finding('widens', []), kept };
    return undefined;
  }

  #finding(difference: ShadowDifference, reasons: ShadowFinding['reasons']): ShadowFinding {
    return {
      difference,
      snapshot: this.id,
      reasons: reasons.map(({ step, rule, text, source }) =>
        source === undefined ? { step, rule, text } : { step, rule, text, source },
      ),
    };
  }
}
