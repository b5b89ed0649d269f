import { VENDOR_FIRST } from '../../cci/index.ts';
import type { Condition } from '../engine.ts';
import type { Reach } from '../types.ts';
import { type Atom, EFFECTS_LOG, OTHER_LOGS } from './atoms.ts';

/** What is fixed before conditions are looked at. */
export interface Circumstances {
  readonly atom: Pick<Atom, 'first' | 'note' | 'refs'>;
  readonly reach: Reach;
  /** Is the caller of another tenant than `fabric`? */
  readonly isTenant: boolean;
}

/**
 * The fewest conditions that hold whenever those given do: conditions are not free of each other, nor of the command and
 * its reach (`decide/mandatory.ts`). Undefined where those given can't hold.
 */
export function leastConditions(
  given: Iterable<Condition>,
  { atom, reach, isTenant }: Circumstances,
): ReadonlySet<Condition> | undefined {
  const { first: opcode } = atom;
  const found = new Set(given);
  const isWide = reach !== 'query' && reach !== 'own';
  // What has a reach beyond a query changes state; an opaque command may only read.
  if (reach !== 'query' && reach !== 'opaque') found.add('mutating');
  if (found.has('leaves-tenant')) found.add('crosses-tenants');
  if (found.has('crosses-tenants')) found.add('mutating');
  if (found.has('mutating') && isWide) found.add('crosses-tenants');
  if (found.has('crosses-tenants') && isTenant) found.add('leaves-tenant');
  if (opcode === SET_FEATURE) found.add('immediate-effect');
  if (atom.note === OTHER_LOGS) found.add('other-log');
  const contradictions = [
    found.has('crosses-tenants') && !isWide,
    found.has('mutating') && reach === 'query',
    // Reviewed vendor commands say themselves what they do at once.
    found.has('immediate-effect') && opcode !== SET_FEATURE && opcode < VENDOR_FIRST,
    found.has('other-log') && (!logCommands.has(opcode) || atom.note === EFFECTS_LOG),
    found.has('bound') && !boundCommands.has(opcode),
    found.has('bound-without-mld') && opcode !== PORT_CONTROL,
  ];
  return contradictions.includes(true) ? undefined : found;
}

const SET_FEATURE = 0x0502;
const PORT_CONTROL = 0x5102;
const logCommands: ReadonlySet<number> = new Set([0x0401, 0x0402, 0x0403, 0x0404]);
const boundCommands: ReadonlySet<number> = new Set([0x5103, 0x5301, 0x5302]);
