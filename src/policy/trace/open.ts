import { type CommandTable, ok, type Result } from '../../cci/index.ts';
import { createEngine, type PolicyRules } from '../casbin/index.ts';
import { createSnapshot, type Snapshot } from '../decide/index.ts';
import type { RuleEngine } from '../engine.ts';
import { type LoadError, type PolicySource, readPolicy } from '../load/index.ts';
import type { Fabric } from '../types.ts';

/** A policy to ask questions about: its rows, and the very engine and snapshot that a broker would decide with. */
export interface OpenPolicy {
  readonly rules: PolicyRules;
  readonly fabric: Fabric;
  /** What commands there are: the catalogue, and reviewed vendor commands of the policy. */
  readonly commands: CommandTable;
  readonly engine: RuleEngine;
  readonly snapshot: Snapshot;
}

/** Reads a policy once and builds the engine of what was read. On failure all mistakes of all files. */
export async function openPolicy(source: PolicySource): Promise<Result<OpenPolicy, readonly LoadError[]>> {
  const read = await readPolicy(source);
  if (!read.ok) return read;
  const { id, rules } = read.value;
  const { fabric } = source;
  const engine = await createEngine({ id, rules, fabric });
  return ok({
    rules,
    fabric,
    commands: engine.commands,
    engine,
    snapshot: createSnapshot(engine, { discloseReasons: 'own' }),
  });
}
