import { taintBits } from './bits.ts';
import type { TaintAcknowledgement, TaintEntry, TaintLetter, TaintView } from './types.ts';

/** True when an acknowledgement was given after the raising. A later raising of the same bit is active again. */
export function isAcknowledged(entry: TaintEntry, view: Pick<TaintView, 'acknowledgements'>): boolean {
  return view.acknowledgements.some(
    (given) => given.letter === entry.letter && given.scope === entry.scope && covers(given, entry),
  );
}

// Ordinals come first: a wall clock that was set back must not acknowledge what happened later.
function covers(given: TaintAcknowledgement, entry: TaintEntry): boolean {
  return given.upTo !== undefined && entry.ordinal !== undefined
    ? entry.ordinal <= given.upTo
    : entry.atMs <= given.atMs;
}

/**
 * Unacknowledged letters that restrict a command which touches `path`, in bit order. A taint restricts its own scope
 * and everything below it:
 *
 * - raised on `/switches/sw0`: every path of the switch;
 * - raised on `.../ports/3`: port 3 and all below it, never port 4;
 * - raised on `.../ports/3/lds/1`: that LD, and also a command that touches port 3 as a whole, because such a command
 *   (a reset of the port) acts on the LD. A command addressed to the switch itself is not restricted by it: it acts on
 *   no component, and one tenant's broken device freezes nobody else (policy.md section 7). A command of the switch
 *   that does act on components has them in its touched set and is asked about each.
 */
export function activeFor(view: Pick<TaintView, 'entries' | 'acknowledgements'>, path: string): readonly TaintLetter[] {
  return letters(view, (scope) => contains(scope, path) || (!isSwitch(path) && contains(path, scope)));
}

/** Unacknowledged letters anywhere in the register, in bit order: what an operator still has to look at. */
export function activeAnywhere(view: Pick<TaintView, 'entries' | 'acknowledgements'>): readonly TaintLetter[] {
  return letters(view, () => true);
}

function letters(
  view: Pick<TaintView, 'entries' | 'acknowledgements'>,
  restricts: (scope: string) => boolean,
): readonly TaintLetter[] {
  const found = new Set<string>();
  for (const entry of view.entries) {
    if (!found.has(entry.letter) && restricts(entry.scope) && !isAcknowledged(entry, view)) found.add(entry.letter);
  }
  return taintBits.filter((row) => found.has(row.letter)).map((row) => row.letter);
}

/** True when `path` is `scope` or below it. */
export function contains(scope: string, path: string): boolean {
  return path === scope || path.startsWith(`${scope}/`);
}

function isSwitch(path: string): boolean {
  return path.split('/').length === 3;
}
