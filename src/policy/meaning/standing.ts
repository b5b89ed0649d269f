import type { Principal } from '../types.ts';
import { at } from './at.ts';
import type { Atom } from './atoms.ts';
import type { ResourceClass } from './resources.ts';
import type { Side } from './sides.ts';
import type { CommandClass } from './tenant-table.ts';

/** What one policy says of a change, with the rows that say it. */
export interface Standing {
  readonly allowed: boolean;
  /**
   * `grant`: a row allows. `deny`: a row denies. `no-row`: none speaks of it. `ownership`: it is not the tenant's to name.
   * `no-command`: under this policy there is no such command.
   */
  readonly because: 'grant' | 'deny' | 'no-row' | 'ownership' | 'no-command';
  /** Deciding rows, `tenants/acme.csv:12`; of a change in many places those of the first places. */
  readonly rows: readonly string[];
}

/** Cells of one change, all of which have the same answer. */
export interface Sample {
  readonly caller: Principal;
  readonly blocks: readonly CommandClass[];
  readonly resources: readonly ResourceClass[];
  readonly atoms: readonly Atom[];
}

/** So many commands on so many resources are asked for their rows. */
const ASKED_MAX = 12;

/**
 * Asks the engine itself about a change.
 *
 * @throws Error when the engine does not say what was worked out: then nothing that was worked out is told
 */
export function standingOf({ engine }: Side, side: number, sample: Sample, expected: boolean): Standing {
  const rows = new Set<string>();
  const reasons: Standing['because'][] = [];
  for (const resource of sample.resources.slice(0, ASKED_MAX)) {
    for (const block of sample.blocks.slice(0, ASKED_MAX)) {
      const [reason, row] = ask(engine, side, sample, resource, block);
      if ((reason === 'grant') !== expected) {
        throw new Error(`the engine and the comparison disagree on ${at(resource.members, 0).path}`);
      }
      reasons.push(reason);
      if (row !== undefined) rows.add(row);
    }
  }
  return { allowed: expected, because: at(reasons, 0), rows: [...rows] };
}

function ask(
  engine: Side['engine'],
  side: number,
  { caller, atoms }: Sample,
  { gates, members }: ResourceClass,
  { atoms: block, query }: CommandClass,
): readonly [Standing['because'], string?] {
  const ref = at(atoms, at(block, 0)).refs[side];
  if (ref === undefined) return ['no-command'];
  if (gates[side] === 'none' || (gates[side] === 'query' && !query)) return ['ownership'];
  const { allowed, rule } = engine.grant(caller, at(members, 0).path, ref);
  if (rule === undefined) return ['no-row'];
  return [allowed ? 'grant' : 'deny', rule.source];
}
