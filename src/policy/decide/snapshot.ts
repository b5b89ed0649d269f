import type { RuleEngine } from '../engine.ts';
import type { Decision, PolicySnapshot, Principal } from '../types.ts';
import { commandRefOf } from './command-ref.ts';
import { type DecideOptions, decide } from './decide.ts';
import { explainDecision, wouldNeed } from './explain.ts';
import { rawGate } from './raw-gate.ts';

/** A snapshot with the sentences that `cci can` and the tools print. */
export interface Snapshot extends PolicySnapshot {
  /** Why a decision is what it is, one sentence each; what the principal may not know is left out. */
  explain(decision: Decision, principal: Principal): readonly string[];
  /** What would have to be granted, and by which role; nothing where the reasons are not the principal's to see. */
  wouldNeed(decision: Decision, principal: Principal): readonly string[];
  /** Roles of a principal in his tenant. */
  roles(principal: Principal): readonly string[];
}

/**
 * Binds an engine (files, casbin) to the decision procedure. Pure: the same input always gives the same decision.
 *
 * @example
 * const snapshot = createSnapshot(engine, { discloseReasons: 'own' });
 * const gate = snapshot.rawGate(input); // taints of an accepted gate are made durable here
 * const decision = snapshot.decide(input, gate);
 */
export function createSnapshot(engine: RuleEngine, options: DecideOptions): Snapshot {
  return {
    id: engine.id,
    counters: engine.counters,
    fabric: engine.fabric,
    loosened: engine.loosened,
    commands: engine.commands,
    rawGate: (input) => rawGate(engine.fabric, input, engine.commands),
    decide: (input, gate) => decide(engine, options, input, gate),
    grant: (principal, resource, command) => engine.grant(principal, resource, commandRefOf(command, engine.commands)),
    explain: (decision, principal) => explainDecision(decision, engine, principal),
    wouldNeed: (decision, principal) => wouldNeed(decision, engine, principal),
    roles: (principal) => engine.roles(principal),
  };
}
