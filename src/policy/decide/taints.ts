import type { Scope } from '../../cci/index.ts';
import type { Decision, ResourcePath } from '../types.ts';
import { commandName } from './classify.ts';
import { hopsPath } from './paths.ts';
import type { Shape } from './structure.ts';

type Taint = Decision['taints'][number];

/** First opcode of the vendor range (R20). */
const VENDOR_RANGE = 0xc000;

/** The component that executes the command: a bit raised below a port restricts that subtree only (section 7). */
function scopeOf(shape: Shape): ResourcePath {
  return hopsPath(shape.switchName, shape.hops);
}

/** What a raw command that passed the gate raises, before its payload is looked at (R10). */
export function rawTaints(shape: Shape, overridden: boolean): readonly Taint[] {
  const scope = scopeOf(shape);
  const name = commandName(shape);
  const taints: Taint[] = [{ letter: 'R', scope, reason: `raw command ${name} passed the gate` }];
  if (shape.opcode >= VENDOR_RANGE) taints.push({ letter: 'V', scope, reason: `${name} is in the vendor range` });
  if (overridden) taints.push({ letter: 'O', scope, reason: `raw_allow_all let ${name} pass` });
  return taints;
}

/** What carrying the command on raises. */
export function acceptedTaints(shape: Shape, scopeNumber: Scope): readonly Taint[] {
  const scope = scopeOf(shape);
  const name = commandName(shape);
  const taints: Taint[] = [];
  if (scopeNumber >= 2) taints.push({ letter: 'J', scope, reason: `${name} of scope ${scopeNumber} was accepted` });
  if (shape.opcode === 0x0201 || shape.opcode === 0x0202) {
    taints.push({ letter: 'F', scope, reason: `firmware: ${name} was accepted` });
  }
  return taints;
}

/** CEL and catalogue disagree on what a command does. Raised whatever becomes of the command. */
export function disagreementTaint(shape: Shape, bits: number): Taint {
  const effects = `0x${bits.toString(16)}`;
  return {
    letter: 'E',
    scope: scopeOf(shape),
    reason: `the CEL declares effects ${effects} for ${commandName(shape)} that the catalogue does not know`,
  };
}
